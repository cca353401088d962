//! The ports: what the ledger asks of a store, in the words of the domain. `rescind-store` has the backends and the
//! conformance suite that holds them to this.

use std::future::Future;

use rescind_check::Position;

use crate::{
    AccessToken, Api, Attempt, AuditHead, AuditRecord, Authentication, BulkFailure, BulkJob, CensusScan, Client, Code,
    Configuration, Consent, Delivery, Device, Effect, Entry, Filter, Grant, Hash, HorizonFact, Identity, Initiator,
    Issuance, LogoutStatusJwt, NameFilter, Page, PendingOrder, PushedRequest, Reason, RefreshToken, Script,
    ScriptVersion, Sealed, Session, SettingChange, SignedHead, Standing, StatusList, StatusReference, StatusScan,
    Tally, Target, Timestamp, Totals, User,
};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with that name is already there.
    #[error("{0} already exists")]
    Conflict(&'static str),
    /// The store cannot be written or read now; the caller may try again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("{table} holds something unreadable: {why}")]
    Corrupt { table: &'static str, why: String },
    /// The caller asked to go on from a place that no listing gave.
    #[error("`cursor` is not one that a listing gave")]
    Cursor,
}

/// The first use of a one-time credential, or the fact that it was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    First,
    Before { at: Timestamp },
}

/// The verbs that may be spoken inside the one write transaction.
///
/// Each takes effect with the transaction or not at all. A verb that fails with [`StoreError::Unavailable`] poisons the
/// whole transaction; after any other error the job's savepoint is rolled back and its neighbours live.
pub trait Tx {
    /// Marks the beginning of one job, or of a part of one: they may be nested.
    fn begin_job(&mut self) -> Result<(), StoreError>;
    /// Keeps what the job did.
    fn keep_job(&mut self) -> Result<(), StoreError>;
    /// Undoes what the job did since [`Tx::begin_job`].
    fn undo_job(&mut self) -> Result<(), StoreError>;

    /// Appends an entry and its outbox row. Only [`crate::Door::end`] calls it.
    fn append(&mut self, entry: &Entry) -> Result<(), StoreError>;
    fn find_idempotent(&mut self, initiator: &Initiator, key: &str) -> Result<Option<KeyedOrder>, StoreError>;
    fn remember_idempotent(&mut self, entry: &Entry, key: &str) -> Result<(), StoreError>;

    /// The last record of the audit trail, as of this very point of the transaction.
    fn audit_head(&mut self) -> Result<AuditHead, StoreError>;
    /// Appends a record. Only [`crate::Door::record`] and [`crate::Door::end`] call it.
    fn append_audit(&mut self, record: &AuditRecord) -> Result<(), StoreError>;
    fn put_signed_head(&mut self, signed: &SignedHead) -> Result<(), StoreError>;
    /// Removes the oldest records up to the first that was not made before a moment, none of them later than the last signed
    /// head; the chain then begins after them. Signed heads go with the records they stand behind.
    fn forget_audit(&mut self, before: Timestamp, limit: u32) -> Result<ForgottenAudit, StoreError>;

    fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;
    fn insert_authentication(&mut self, authentication: &Authentication) -> Result<(), StoreError>;
    /// Moves the session's last activity forward, never back, and with it the moment at which it is due to end.
    fn touch_session(&mut self, session: &str, at: Timestamp) -> Result<(), StoreError>;
    /// Notes that a session has ended, so that neither [`Reads::due_sessions`] nor [`Tx::live_sessions_of`] names it.
    fn settle_session(&mut self, session: &str) -> Result<(), StoreError>;
    /// The sessions of a user that are not noted as ended, the oldest first, as of this very point of the transaction.
    fn live_sessions_of(&mut self, user: &str) -> Result<Vec<Session>, StoreError>;
    fn insert_consent(&mut self, consent: &Consent) -> Result<(), StoreError>;
    fn insert_pushed_request(&mut self, request: &PushedRequest) -> Result<(), StoreError>;
    fn use_pushed_request(&mut self, handle: &Hash, at: Timestamp) -> Result<Use, StoreError>;
    fn insert_code(&mut self, code: &Code) -> Result<(), StoreError>;
    fn use_code(&mut self, code: &Hash, at: Timestamp) -> Result<Use, StoreError>;
    fn insert_grant(&mut self, grant: &Grant) -> Result<(), StoreError>;
    fn insert_access_token(&mut self, token: &AccessToken) -> Result<(), StoreError>;
    /// Writes down whose status stands at an index, and opens the list at `at` if this is its first.
    fn insert_status_reference(&mut self, reference: &StatusReference, at: Timestamp) -> Result<(), StoreError>;
    fn insert_logout_status_jwt(&mut self, jwt: &LogoutStatusJwt) -> Result<(), StoreError>;
    fn insert_refresh_token(&mut self, token: &RefreshToken) -> Result<(), StoreError>;
    /// Notes that tokens were issued at `at` for a grant of a user that has a refresh token.
    fn note_refresh_grant(&mut self, grant: &Grant, at: Timestamp) -> Result<(), StoreError>;
    /// The grants of a user at a client noted so, without those that have expired at some sweep: what was issued from longest
    /// ago first.
    fn refresh_grants_of(&mut self, user: &str, client: &str) -> Result<Vec<Grant>, StoreError>;
    /// Counts a grant no longer.
    fn forget_refresh_grant(&mut self, grant: &str) -> Result<(), StoreError>;
    fn use_refresh_token(&mut self, token: &Hash, at: Timestamp) -> Result<Use, StoreError>;
    /// Whether a refresh token has been used.
    fn refresh_token_used(&mut self, token: &Hash) -> Result<bool, StoreError>;
    /// Remembers a client assertion's `jti` until it expires (RFC 7523 section 3, item 7).
    fn use_assertion(&mut self, client: &str, jti: &str, expires_at: Timestamp) -> Result<Use, StoreError>;

    fn find_user(&mut self, id: &str) -> Result<Option<User>, StoreError>;
    fn put_user(&mut self, user: &User) -> Result<(), StoreError>;
    fn delete_user(&mut self, id: &str) -> Result<(), StoreError>;
    fn find_client(&mut self, id: &str) -> Result<Option<Client>, StoreError>;
    fn put_client(&mut self, client: &Client) -> Result<(), StoreError>;
    fn delete_client(&mut self, id: &str) -> Result<(), StoreError>;
    fn find_api(&mut self, audience: &str) -> Result<Option<Api>, StoreError>;
    fn put_api(&mut self, api: &Api) -> Result<(), StoreError>;
    fn delete_api(&mut self, audience: &str) -> Result<(), StoreError>;
    fn find_device(&mut self, id: &str) -> Result<Option<Device>, StoreError>;
    /// Fails with [`StoreError::Conflict`] if another device has one of its external ids.
    fn put_device(&mut self, device: &Device) -> Result<(), StoreError>;
    /// A script in the version that is in use.
    fn find_script(&mut self, name: &str) -> Result<Option<Script>, StoreError>;
    /// How many scripts there are, and the last version that one of this name had, if there ever was one.
    fn script_counts(&mut self, name: &str) -> Result<(u32, Option<u32>), StoreError>;
    /// Adds a script or changes it. A version that is known keeps its text.
    fn put_script(&mut self, script: &Script) -> Result<(), StoreError>;
    /// Leaves its versions as they are.
    fn delete_script(&mut self, name: &str) -> Result<(), StoreError>;
    fn put_setting(&mut self, change: &SettingChange) -> Result<(), StoreError>;
    fn put_secret(&mut self, name: &str, sealed: &Sealed, at: Timestamp) -> Result<(), StoreError>;
    fn delete_secret(&mut self, name: &str) -> Result<(), StoreError>;
    fn put_horizon(&mut self, fact: &HorizonFact) -> Result<(), StoreError>;
    /// Notes under which issuer everything is issued; `None` lets the next start say.
    fn put_issuer(&mut self, issuer: Option<&str>) -> Result<(), StoreError>;

    fn find_pending(&mut self, id: &str) -> Result<Option<PendingOrder>, StoreError>;
    /// The pending order that an initiator gave under an idempotency key.
    fn find_pending_by_key(&mut self, initiator: &Initiator, key: &str) -> Result<Option<PendingOrder>, StoreError>;
    fn put_pending(&mut self, pending: &PendingOrder) -> Result<(), StoreError>;
    fn find_bulk(&mut self, id: &str) -> Result<Option<BulkJob>, StoreError>;
    fn put_bulk(&mut self, job: &BulkJob) -> Result<(), StoreError>;
    /// Keeps a piece of a job's list.
    fn put_bulk_piece(&mut self, job: &str, place: u32, users: &[String]) -> Result<(), StoreError>;
    /// Notes the user of that number in the list, for whom nothing was done.
    fn put_bulk_failure(&mut self, job: &str, number: u32, failure: &BulkFailure) -> Result<(), StoreError>;
    /// Removes pending orders and bulk jobs that were over before a moment, at most `limit` of each. Returns how many went.
    fn forget_closed(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Opens a new epoch, before its first entry is appended.
    fn open_epoch(&mut self, epoch: u32, at: Timestamp) -> Result<(), StoreError>;
    /// The position of the newest entry made before `time`, if there is one.
    fn newest_entry_before(&mut self, time: Timestamp) -> Result<Option<Position>, StoreError>;
    /// Removes what can never be honoured again: at most `limit` rows of each kind, so that others get their turn. A session
    /// stays until it is settled, and a status list as a whole until its last token has expired. Sessions, grants and access
    /// tokens that were alive at `counted_from` are still to be counted and stay as well; so does an entry that waits in the
    /// outbox or has a delivery pending. With an entry go its deliveries, its tally and the names of its moment.
    fn forget(
        &mut self,
        floor: Position,
        now: Timestamp,
        counted_from: Timestamp,
        limit: u32,
    ) -> Result<Swept, StoreError>;
    /// When the first entry was made that is still in the outbox.
    fn oldest_in_outbox(&mut self) -> Result<Option<Timestamp>, StoreError>;
    /// Outbox rows that nobody waits for any more.
    fn complete_outbox(&mut self, through: Position) -> Result<(), StoreError>;

    /// Outbox rows up to here are expanded into deliveries; they stay until they are complete.
    fn expanded_through(&mut self, through: Position) -> Result<(), StoreError>;
    /// Keeps when a stretch of entries took effect.
    fn put_effect(&mut self, effect: &Effect) -> Result<(), StoreError>;
    /// Adds a delivery, unless there is one of that entry to that receiver.
    fn insert_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError>;
    fn find_delivery(&mut self, position: Position, receiver: &str) -> Result<Option<Delivery>, StoreError>;
    /// Writes down an attempt, and what has become of its delivery.
    fn put_attempt(&mut self, delivery: &Delivery, attempt: &Attempt) -> Result<(), StoreError>;
    /// Keeps what an entry has ended.
    fn put_tally(&mut self, position: Position, tally: &Tally) -> Result<(), StoreError>;
    /// Keeps what a user was called up to a position. What was kept for that position before holds.
    fn keep_identity(&mut self, user: &str, through: Position, identity: &Identity) -> Result<(), StoreError>;
}

/// What a round of forgetting audit records removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForgottenAudit {
    pub rows: u64,
    /// The number of the last one, if any went.
    pub last: Option<u64>,
}

/// What a round of forgetting removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub rows: u64,
    /// Whether more waits.
    pub more: bool,
    /// How many authorization requests are left that wait for their answer.
    pub pending: u64,
}

/// Where a store stands: what the head marker outside it remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub head: Position,
    /// How many transactions were ever committed.
    pub commits: u64,
}

/// A head marker outside the database (DESIGN rule 5).
pub trait Marker: Send {
    /// Notes where the store stands; if `durable`, not before it would survive a power cut.
    fn advance(&mut self, mark: Mark, durable: bool) -> Result<(), StoreError>;
}

/// The write side: owned by the one writer.
pub trait Store: Send {
    /// Runs `work` in one transaction and commits it durably. Any error means nothing of it is known to be kept.
    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<Mark, StoreError>;
    /// Closes and opens the store again, as one must after a commit whose fate is unknown.
    fn reopen(&mut self) -> Result<(), StoreError>;
    fn mark(&mut self) -> Result<Mark, StoreError>;
    /// Hands every retained entry after a position to `each`, in order.
    fn entries_after(&mut self, after: Position, each: &mut dyn FnMut(Entry)) -> Result<(), StoreError>;
    /// Every epoch with the sequence number of its last entry, and the floor below which entries were forgotten.
    fn epochs(&mut self) -> Result<(Vec<(u32, u64)>, Position), StoreError>;
    fn configuration(&mut self) -> Result<Configuration, StoreError>;
    /// How many authorization requests are kept that have had no answer yet, expired or not.
    fn pending_requests(&mut self) -> Result<u64, StoreError>;
    fn horizons(&mut self) -> Result<Vec<HorizonFact>, StoreError>;
    /// The issuer that the entries' subjects belong to, once there is one.
    fn issuer(&mut self) -> Result<Option<String>, StoreError>;
    fn secrets(&mut self) -> Result<Vec<(String, Sealed)>, StoreError>;
}

/// What was ordered under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedOrder {
    /// Where its entry stands.
    pub position: Position,
    pub target: Target,
    pub before: Option<Timestamp>,
}

/// Which entries a listing is about. Every `Some` narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// The kind of target, as entries have it.
    pub kind: Option<&'static str>,
    pub reason: Option<Reason>,
    /// The initiator's id.
    pub initiator: Option<String>,
    /// Not made before this moment.
    pub since: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
}

/// Whose a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialOwner {
    pub grant: String,
    pub client: String,
    pub user: Option<String>,
    pub scope: String,
    pub position: Position,
    /// When the authentication was from which it descends, or when it was issued if there was none.
    pub root_time: Timestamp,
    pub expires_at: Timestamp,
}

/// What is counted one record after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Countable {
    Sessions,
    Grants,
    AccessTokens,
}

/// A piece of what a filter lets through, so that several readers can share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub of: Countable,
    /// From here to before there, in a measure that the store chooses; all of it without.
    pub span: Option<(i64, i64)>,
}

/// The store as it was at one commit, for one reader.
pub trait Snapshot: Send {
    /// The last entry in it.
    fn head(&self) -> Result<Position, StoreError>;
    /// Cuts what a filter lets through into at most so many pieces that are about as large.
    fn pieces(&self, of: Countable, filter: &Filter, most: u32) -> Result<Vec<Piece>, StoreError>;
    /// Shows every record of a piece to `scan`, until it breaks off.
    fn scan(&self, piece: Piece, filter: &Filter, scan: &mut dyn CensusScan) -> Result<(), StoreError>;
}

/// An order of users that the store can page through without sorting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserOrder {
    Id,
    /// By user name, without regard to case.
    UserName,
    UserNameDescending,
}

/// The read side: any number of readers, beside the writer.
pub trait Reads: Clone + Send + Sync + 'static {
    type Snapshot: Snapshot + 'static;
    /// Opens so many views of one commit; fewer, but at least one, if commits come too fast. Not for a thread that serves others.
    fn snapshots(&self, readers: usize) -> Result<Vec<Self::Snapshot>, StoreError>;
    fn find_access_token(&self, hash: &Hash) -> impl Future<Output = Result<Option<AccessToken>, StoreError>> + Send;
    fn find_access_token_by_id(&self, id: &str)
    -> impl Future<Output = Result<Option<AccessToken>, StoreError>> + Send;
    fn find_refresh_token(
        &self,
        hash: &Hash,
    ) -> impl Future<Output = Result<Option<(RefreshToken, Grant)>, StoreError>> + Send;
    /// Whether a refresh token has been used, and so replaced.
    fn refresh_token_used(&self, hash: &Hash) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Whose a refresh token, an access token or a logout status JWT is, by its hash, or by the `jti` of one of these JWTs if one
    /// is given: one question, whatever the answer, so that neither the kind of a token nor whether it exists can be told from
    /// how it is looked for.
    fn find_owner(
        &self,
        hash: &Hash,
        id: Option<&str>,
    ) -> impl Future<Output = Result<Option<CredentialOwner>, StoreError>> + Send;
    fn find_grant(&self, id: &str) -> impl Future<Output = Result<Option<Grant>, StoreError>> + Send;
    fn find_code(&self, hash: &Hash) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;
    fn find_pushed_request(
        &self,
        handle: &Hash,
    ) -> impl Future<Output = Result<Option<PushedRequest>, StoreError>> + Send;
    fn find_session(&self, id: &str) -> impl Future<Output = Result<Option<Session>, StoreError>> + Send;
    fn find_session_by_cookie(&self, cookie: &Hash)
    -> impl Future<Output = Result<Option<Session>, StoreError>> + Send;
    /// The authentications of a session, oldest first.
    fn authentications(&self, session: &str) -> impl Future<Output = Result<Vec<Authentication>, StoreError>> + Send;
    fn consents(&self, user: &str, client: &str) -> impl Future<Output = Result<Vec<Consent>, StoreError>> + Send;
    /// Every consent of a user, oldest first.
    fn consents_of(&self, user: &str) -> impl Future<Output = Result<Vec<Consent>, StoreError>> + Send;
    fn find_user(&self, id: &str) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    fn find_user_by_name(&self, user_name: &str) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// The user whose user name, in lower case, has this SHA-256.
    fn find_user_by_name_hash(&self, hash: &Hash) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// The users with an e-mail address, at most `limit` of them, by id. Letters of either case are the same, in the part
    /// before the `@` too: no mail system that matters keeps two people apart by case alone.
    fn find_users_by_email(
        &self,
        email: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<User>, StoreError>> + Send;
    /// The users whom a provisioning system knows under a name, at most `limit` of them, by id; names are compared exactly.
    fn find_users_by_external_id(
        &self,
        external_id: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<User>, StoreError>> + Send;
    /// The users in an order, `limit` of them behind the first `skip`.
    fn users_in_order(
        &self,
        order: UserOrder,
        skip: u32,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<User>, StoreError>> + Send;
    /// How many users there are, counting no further than `most`.
    fn count_users(&self, most: u32) -> impl Future<Output = Result<u32, StoreError>> + Send;
    /// Sessions that have not ended and, by what is stored, ran out of time by now: the longest due first.
    fn due_sessions(&self, now: Timestamp, limit: u32)
    -> impl Future<Output = Result<Vec<Session>, StoreError>> + Send;
    /// The sessions of a user that are not noted as ended, the oldest first. Some may have ended all the same: by time, or
    /// with something wider.
    fn live_sessions_of(&self, user: &str) -> impl Future<Output = Result<Vec<Session>, StoreError>> + Send;
    /// The device that others know under a name, such as ("udid", UDID); names are compared exactly.
    fn find_device_by_external_id(
        &self,
        kind: &str,
        value: &str,
    ) -> impl Future<Output = Result<Option<Device>, StoreError>> + Send;
    fn find_device(&self, id: &str) -> impl Future<Output = Result<Option<Device>, StoreError>> + Send;
    fn find_entry(&self, position: Position) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Users whose user name, e-mail address or display name begins as the filter says.
    fn users(
        &self,
        filter: &NameFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<User>, StoreError>> + Send;
    /// Devices whose name or one of whose external ids begins as the filter says.
    fn devices(
        &self,
        filter: &NameFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Device>, StoreError>> + Send;
    fn sessions(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Session>, StoreError>> + Send;
    fn grants(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Grant>, StoreError>> + Send;
    fn access_tokens(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<AccessToken>, StoreError>> + Send;
    /// What was issued under each of these grants; nothing of one that nobody knows.
    fn issuances(&self, grants: &[&str]) -> impl Future<Output = Result<Vec<Option<Issuance>>, StoreError>> + Send;
    /// How much there is at a moment. With much of it that takes its time: not for a thread that serves others.
    fn totals(&self, now: Timestamp) -> impl Future<Output = Result<Totals, StoreError>> + Send;
    /// How many entries were made since a moment, in stretches of so many milliseconds, named by where they begin; those in
    /// which there were none are left out.
    fn entries_by_time(
        &self,
        since: Timestamp,
        width: i64,
    ) -> impl Future<Output = Result<Vec<(Timestamp, u64)>, StoreError>> + Send;
    /// The newest entries first, before a position if one is given.
    fn entries_before(
        &self,
        before: Option<Position>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
    /// The entries after a position, oldest first.
    fn entries_after(&self, after: Position, limit: u32)
    -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
    /// The newest entries that pass a filter, before a position if one is given. Only so many are looked at; where to go on
    /// is then said, even if few passed or none.
    fn entries_listed(
        &self,
        filter: &EntryFilter,
        before: Option<Position>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Entry>, StoreError>> + Send;
    /// Audit records after a number, oldest first.
    fn audit_after(&self, seq: u64, limit: u32) -> impl Future<Output = Result<Vec<AuditRecord>, StoreError>> + Send;
    /// Audit records before a number, if one is given, newest first.
    fn audit_before(
        &self,
        seq: Option<u64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<AuditRecord>, StoreError>> + Send;
    /// The last audit record that was forgotten, and the last there is, as of one moment.
    fn audit_span(&self) -> impl Future<Output = Result<(AuditHead, AuditHead), StoreError>> + Send;
    /// Signed heads after a number, oldest first.
    fn signed_heads(&self, seq: u64, limit: u32) -> impl Future<Output = Result<Vec<SignedHead>, StoreError>> + Send;
    /// The newest signed head.
    fn newest_signed_head(&self) -> impl Future<Output = Result<Option<SignedHead>, StoreError>> + Send;
    /// The changes of settings, newest first, before a version if one is given; of one setting if it is named.
    fn setting_changes(
        &self,
        name: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<SettingChange>, StoreError>> + Send;
    /// Outbox positions that wait to be dispatched, oldest first.
    fn outbox(&self, limit: u32) -> impl Future<Output = Result<Vec<Position>, StoreError>> + Send;
    fn find_pending_order(&self, id: &str) -> impl Future<Output = Result<Option<PendingOrder>, StoreError>> + Send;
    /// Pending orders, those in one state if it is named, the newest first.
    fn pending_orders(
        &self,
        state: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<PendingOrder>, StoreError>> + Send;
    /// Pending orders for which the clock has to be looked at by now, the longest due first.
    fn due_pending_orders(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<PendingOrder>, StoreError>> + Send;
    fn find_bulk_job(&self, id: &str) -> impl Future<Output = Result<Option<BulkJob>, StoreError>> + Send;
    /// Bulk jobs, the newest first.
    fn bulk_jobs(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<BulkJob>, StoreError>> + Send;
    /// Bulk jobs that are not over, the oldest first.
    fn open_bulk_jobs(&self) -> impl Future<Output = Result<Vec<BulkJob>, StoreError>> + Send;
    /// A piece of a job's list.
    fn bulk_piece(&self, job: &str, place: u32) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
    /// The users of a job for whom nothing was done, in the order of its list.
    fn bulk_failures(
        &self,
        job: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<BulkFailure>, StoreError>> + Send;
    /// How many sessions are not noted as ended, counted up to `most`.
    fn live_sessions(&self, most: u32) -> impl Future<Output = Result<u32, StoreError>> + Send;
    /// Outbox positions that are not yet expanded, oldest first.
    fn unexpanded(&self, limit: u32) -> impl Future<Output = Result<Vec<Position>, StoreError>> + Send;
    /// When the entry at a position took effect, if that is written down.
    fn find_effect(&self, position: Position) -> impl Future<Output = Result<Option<Effect>, StoreError>> + Send;
    /// What the entry at a position has ended, once it is counted.
    fn find_tally(&self, position: Position) -> impl Future<Output = Result<Option<Tally>, StoreError>> + Send;
    /// The deliveries of an entry, by receiver.
    fn deliveries_of(&self, position: Position) -> impl Future<Output = Result<Vec<Delivery>, StoreError>> + Send;
    /// The attempts at a delivery, the first one first.
    fn attempts_at(
        &self,
        position: Position,
        receiver: &str,
    ) -> impl Future<Output = Result<Vec<Attempt>, StoreError>> + Send;
    /// A receiver's pending deliveries whose next attempt is due, the longest due first.
    fn due_deliveries(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, StoreError>> + Send;
    /// Every receiver that ever had a delivery which is still kept, by name.
    fn standings(&self) -> impl Future<Output = Result<Vec<Standing>, StoreError>> + Send;
    /// What a user was called when the entry at a position was made.
    fn find_identity(
        &self,
        user: &str,
        position: Position,
    ) -> impl Future<Output = Result<Option<Identity>, StoreError>> + Send;
    /// Every version of a script that was ever stored, the newest first.
    fn script_versions(&self, name: &str) -> impl Future<Output = Result<Vec<ScriptVersion>, StoreError>> + Send;
    /// A status list, until it is forgotten.
    fn find_status_list(&self, id: &str) -> impl Future<Output = Result<Option<StatusList>, StoreError>> + Send;
    /// The status lists that have tokens which have not expired, the oldest first.
    fn status_lists(&self, now: Timestamp) -> impl Future<Output = Result<Vec<StatusList>, StoreError>> + Send;
    /// Shows every reference of a list to `scan`. That may take tens of milliseconds.
    fn scan_status_list(
        &self,
        id: &str,
        scan: &mut dyn StatusScan,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// The server's own encrypted secrets, by name.
    fn secrets(&self) -> impl Future<Output = Result<Vec<(String, Sealed)>, StoreError>> + Send;
    /// Every horizon that was ever stated, oldest first.
    fn horizons(&self) -> impl Future<Output = Result<Vec<HorizonFact>, StoreError>> + Send;
    /// Answers if the store can be read now.
    fn ping(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
