//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use rescind_ledger::{PendingState, Reason};

use super::{
    audit::AuditCommand, bulk::BulkCommand, confirm::ConfirmArguments, receipt::ReceiptCommand, script::ScriptCommand,
    sessions::SessionsCommand, settings::SettingsCommand,
};

/// Issues OAuth 2 and OpenID Connect tokens and sessions, and takes them back.
#[derive(Debug, Parser)]
#[command(name = "rescind", version, about, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Globals {
    /// How to answer: tables for people, or the admin API's JSON.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "RESCIND_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The data directory, instead of the configured one.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// A server elsewhere, by its issuer URL, instead of the one on this host.
    #[arg(long, global = true, value_name = "URL", env = "RESCIND_SERVER")]
    pub(super) server: Option<String>,
    /// The client to call it as; its scopes (rescind:read, rescind:revoke, rescind:write) decide what works.
    #[arg(long, global = true, value_name = "ID", env = "RESCIND_CLIENT_ID")]
    pub(super) client_id: Option<String>,
    /// The file with that client's secret.
    #[arg(long, global = true, value_name = "FILE", env = "RESCIND_CLIENT_SECRET_FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// PEM with further roots to trust for that server.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Json,
    Table,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the server.
    Serve,
    /// Shows on a throw-away server how access ends.
    Demo(DemoArguments),
    /// Users: the accounts people sign in with.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Clients: the applications that get tokens.
    Client {
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// APIs: the resource servers that tokens are for.
    Api {
        #[command(subcommand)]
        command: ApiCommand,
    },
    /// Managed devices.
    Device {
        #[command(subcommand)]
        command: DeviceCommand,
    },
    /// Ends access, at once and durably.
    Revoke(RevokeArguments),
    /// Says of a token whether it is alive, and if not, who ended it, when and why.
    Explain(TokenArguments),
    /// Says of a token what an API would hear.
    Introspect(TokenArguments),
    /// Sessions: sign-ins.
    Sessions {
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// Grants: what clients got.
    Grants {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// Access tokens.
    Tokens {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// One thing done to many users, as a job of the server.
    Bulk {
        #[command(subcommand)]
        command: BulkCommand,
    },
    /// Revocations that were made, and those that wait.
    #[command(name = "revocation", alias = "revocations")]
    Revocations {
        #[command(subcommand)]
        command: RevocationsCommand,
    },
    /// Who has stopped honouring what, and when.
    Receipt {
        #[command(subcommand)]
        command: ReceiptCommand,
    },
    /// Who must hear of revocations.
    Receivers {
        #[command(subcommand)]
        command: ReceiversCommand,
    },
    /// The audit trail: what was ordered, refused, set and seen, and by whom.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Signing keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Tokens with which clients may register themselves.
    RegistrationToken {
        #[command(subcommand)]
        command: RegistrationTokenCommand,
    },
    /// Tokens with which provisioning systems drive the accounts, by SCIM.
    ScimToken {
        #[command(subcommand)]
        command: ScimTokenCommand,
    },
    /// Scripts that are asked before a revocation is written.
    Script {
        #[command(subcommand)]
        command: ScriptCommand,
    },
    /// Settings that change while the server runs.
    Settings {
        #[command(subcommand)]
        command: SettingsCommand,
    },
    /// Says where the server stands.
    Status,
    /// Copies the database, beside a running server. The master key is not in the copy.
    Backup { file: PathBuf },
    /// Goes back to a backup. Everything issued so far is revoked, since revocations may be missing from it.
    Restore { file: PathBuf },
    /// The epochs of the ledger.
    Epoch {
        #[command(subcommand)]
        command: EpochCommand,
    },
    /// Checks a deployment end to end, and says what to do.
    Doctor,
}

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Ends after the tour.
    #[arg(long)]
    pub(super) exit: bool,
    /// How many people the company has.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(3..=200))]
    pub(super) users: u32,
    /// How many access tokens there are: 10000 if absent, 2000 in a debug build, and at least four for each person.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) tokens: Option<u32>,
}

/// A page of a list.
#[derive(Debug, Args)]
pub(super) struct PageArguments {
    /// How many to show.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(super) limit: u32,
    /// Where to go on: what the page before said.
    #[arg(long)]
    pub(super) cursor: Option<String>,
}

/// What is looked for among what has a name, and in which order it is shown.
#[derive(Debug, Args)]
pub(super) struct NamesArguments {
    /// Only those of whom a name begins like this, in letters of either case.
    #[arg(long, value_name = "TEXT")]
    pub(super) search: Option<String>,
    /// By name (users: user_name) or created_at; with `-` before it in the other direction.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    pub(super) sort: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

/// The same where they can be switched off.
#[derive(Debug, Args)]
pub(super) struct SwitchedNamesArguments {
    /// Only those that are switched on.
    #[arg(long, conflicts_with = "disabled")]
    pub(super) enabled: bool,
    /// Only those that are switched off.
    #[arg(long)]
    pub(super) disabled: bool,
    #[command(flatten)]
    pub(super) names: NamesArguments,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct PasswordArguments {
    /// Reads the password from standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Reads the password from a file.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct SwitchArguments {
    /// Switches it on.
    #[arg(long)]
    pub(super) enabled: bool,
    /// Switches it off, and ends what it holds.
    #[arg(long)]
    pub(super) disabled: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Adds a user; without a password option, asks for one on a terminal, or else makes one and prints it.
    Add {
        /// What the user types to sign in.
        name: String,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        display_name: Option<String>,
        /// What the user may do as an administrator: viewer, revoker or administrator.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// What a provisioning system calls the user.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Adds and changes users by a file; what it does not say stays as it is.
    Import(super::user_import::ImportArguments),
    /// Lets a user sign in again. What was ended stays ended.
    Enable {
        /// An id or user name.
        user: String,
    },
    /// Keeps a user from signing in, and ends everything the user holds.
    Disable {
        /// An id or user name.
        user: String,
    },
    /// Gives a user another user name, and ends everything the user holds.
    Rename {
        /// An id or user name.
        user: String,
        /// The new user name.
        name: String,
    },
    /// Gives a user a new password, and ends everything the user holds; without an option, asks for one on a terminal, or else makes one
    /// and prints it.
    Password {
        /// An id or user name.
        user: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Lists users.
    List(SwitchedNamesArguments),
    /// Shows a user.
    Show {
        /// An id or user name.
        user: String,
    },
    /// Changes a user. Disabling, renaming and a new password end everything the user holds.
    Set {
        /// An id or user name.
        user: String,
        #[command(flatten)]
        switch: SwitchArguments,
        /// A new user name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        display_name: Option<String>,
        /// What the user may do as an administrator: viewer, revoker, administrator or none.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// What a provisioning system calls the user.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Removes a user and ends everything they hold.
    Remove {
        /// An id or user name.
        user: String,
    },
}

/// What may be said of a client. A list that is given replaces the one before.
#[derive(Debug, Args)]
pub(super) struct ClientOptions {
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(super) redirect_uris: Vec<String>,
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub(super) post_logout_redirect_uris: Vec<String>,
    /// authorization_code, refresh_token or client_credentials.
    #[arg(long = "grant-type", value_name = "TYPE")]
    pub(super) grant_types: Vec<String>,
    /// A scope it may ask for.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<String>,
    /// An API it may ask for; without any, every registered one.
    #[arg(long = "api", value_name = "URI")]
    pub(super) resources: Vec<String>,
    /// The API that this client is, when it introspects.
    #[arg(long, value_name = "URI")]
    pub(super) serves: Option<String>,
    /// client_secret_basic (the default), client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth,
    /// self_signed_tls_client_auth or none.
    #[arg(long, value_name = "METHOD")]
    pub(super) auth_method: Option<String>,
    /// A file with the client's public keys (a JWK set).
    #[arg(long, value_name = "FILE")]
    pub(super) jwks_file: Option<PathBuf>,
    #[arg(long, value_name = "URL")]
    pub(super) jwks_uri: Option<String>,
    #[arg(long, value_name = "DN")]
    pub(super) tls_subject_dn: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub(super) tls_san_dns: Option<String>,
    /// Whether a used refresh token is replaced: each_use or never.
    #[arg(long, value_name = "POLICY")]
    pub(super) rotation: Option<String>,
    /// How long a replaced refresh token still brings back the same successor; 0 is strict.
    #[arg(long, value_name = "SECS")]
    pub(super) rotation_grace_secs: Option<u32>,
    /// Whether its refresh tokens die with the session they came from: always, never or unless_offline.
    #[arg(long, value_name = "WHEN")]
    pub(super) refresh_binding: Option<String>,
    /// Whether it may add sessions to the revocation list and ask for them.
    #[arg(long, value_name = "BOOL")]
    pub(super) session_revocation_api: Option<bool>,
    /// Whether it may see, extend and end sessions by id and by user.
    #[arg(long, value_name = "BOOL")]
    pub(super) session_management_api: Option<bool>,
    /// Whether users are spared the question for consent.
    #[arg(long, value_name = "BOOL")]
    pub(super) first_party: Option<bool>,
    /// Whether it must push its authorization requests (RFC 9126).
    #[arg(long, value_name = "BOOL")]
    pub(super) require_par: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Adds a client and prints its secret, this once.
    Add {
        /// Its name for people.
        name: String,
        /// Its id, if it is not to be made up.
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        options: Box<ClientOptions>,
    },
    /// Lists clients.
    List(SwitchedNamesArguments),
    /// Shows a client.
    Show { client: String },
    /// Changes a client. Taking something away ends everything the client holds.
    Set {
        client: String,
        #[command(flatten)]
        switch: SwitchArguments,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: Box<ClientOptions>,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
    /// Gives a client a new secret and prints it, this once.
    Secret { client: String },
    /// Removes a client and ends everything it holds.
    Remove {
        client: String,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}

/// What may be said of an API.
#[derive(Debug, Args)]
pub(super) struct ApiOptions {
    /// A scope of this API; a list that is given replaces the one before.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<String>,
    /// What its access tokens look like: opaque or jwt.
    #[arg(long, value_name = "FORMAT")]
    pub(super) token_format: Option<String>,
    /// How long its access tokens live.
    #[arg(long, value_name = "SECS")]
    pub(super) access_token_secs: Option<u32>,
    /// Whether its access tokens say from which session they come.
    #[arg(long, value_name = "BOOL")]
    pub(super) include_session_id: Option<bool>,
    /// Whether its access tokens need a session that is neither idle nor over-age.
    #[arg(long, value_name = "BOOL")]
    pub(super) check_valid_authn_session: Option<bool>,
    /// Whether its access tokens die with the session they came from.
    #[arg(long, value_name = "BOOL")]
    pub(super) check_session_revocation_status: Option<bool>,
    /// Whether each validation of its access tokens counts as activity in their session.
    #[arg(long, value_name = "BOOL")]
    pub(super) update_authn_session_activity: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ApiCommand {
    /// Adds an API.
    Add {
        /// Its identifier, an absolute URI.
        audience: String,
        /// Its name for people.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: ApiOptions,
        /// Also makes a client by which the API introspects, and prints its secret.
        #[arg(long)]
        introspection_client: bool,
    },
    /// Lists APIs.
    List(NamesArguments),
    /// Shows an API.
    Show { audience: String },
    /// Changes an API. Fewer scopes, or a new demand on sessions, end the tokens for it.
    Set {
        audience: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: ApiOptions,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
    /// Removes an API and ends the tokens for it.
    Remove {
        audience: String,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DeviceCommand {
    /// Adds a device.
    Add {
        name: String,
        /// A name by which others know it, as KIND=VALUE.
        #[arg(long = "external-id", value_name = "KIND=VALUE")]
        external_ids: Vec<String>,
    },
    /// Lists devices.
    List(SwitchedNamesArguments),
    /// Shows a device.
    Show {
        /// Its id, or an external id as KIND:VALUE.
        device: String,
    },
    /// Changes a device. Switching it off ends what was issued on it.
    Set {
        /// Its id, or an external id as KIND:VALUE.
        device: String,
        #[command(flatten)]
        switch: SwitchArguments,
        #[arg(long)]
        name: Option<String>,
        /// A name by which others know it, as KIND=VALUE; a list that is given replaces the one before.
        #[arg(long = "external-id", value_name = "KIND=VALUE")]
        external_ids: Vec<String>,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}

/// What is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RevokeKind {
    Api,
    Client,
    Device,
    Everything,
    Grant,
    Key,
    Session,
    Token,
    User,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArguments {
    #[arg(value_enum)]
    pub(super) kind: RevokeKind,
    /// Which one. A token is named by its id (`jti`); without one, its text is read from standard input or --file.
    #[arg(allow_hyphen_values = true)]
    pub(super) id: Option<String>,
    /// Only what this client holds (with user or device).
    #[arg(long, value_name = "ID")]
    pub(super) client: Option<String>,
    /// Only what is for this API (with user or client).
    #[arg(long, value_name = "URI")]
    pub(super) api: Option<String>,
    /// A file with the text of the token.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Why.
    #[arg(long, default_value = "other", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    pub(super) reason: String,
    /// A note for people.
    #[arg(long)]
    pub(super) note: Option<String>,
    /// Only what was issued before this time, such as 2026-01-31T12:00:00Z: what descends from a later sign-in goes on.
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<String>,
    /// Only counts what would end.
    #[arg(long)]
    pub(super) preview: bool,
    /// Needed to revoke everything.
    #[arg(long)]
    pub(super) yes: bool,
    /// Makes a repeated order the same order.
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// When, if not now: RFC 3339, such as 2027-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    #[command(flatten)]
    pub(super) confirm: ConfirmArguments,
}

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The id (`jti`) of an access token; without it, the text of a token is read from standard input or --file.
    #[arg(allow_hyphen_values = true)]
    pub(super) id: Option<String>,
    /// A file with the text of the token.
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListCommand {
    /// Lists them with their present state.
    List(FilterArguments),
}

#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Of this user (id or user name).
    #[arg(long)]
    pub(super) user: Option<String>,
    #[arg(long)]
    pub(super) client: Option<String>,
    #[arg(long)]
    pub(super) api: Option<String>,
    #[arg(long)]
    pub(super) session: Option<String>,
    #[arg(long)]
    pub(super) grant: Option<String>,
    #[arg(long)]
    pub(super) device: Option<String>,
    /// Also what has expired.
    #[arg(long)]
    pub(super) all: bool,
    /// Only what counts now (active), or only what does not (ended).
    #[arg(long, value_parser = PossibleValuesParser::new(["active", "ended"]))]
    pub(super) state: Option<String>,
    /// Begins with the oldest.
    #[arg(long)]
    pub(super) oldest_first: bool,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum RevocationsCommand {
    /// Lists revocations, the newest first.
    List(RevocationsFilter),
    /// Shows the revocation at a position.
    Show { position: String },
    /// Lists revocations that wait, or have waited; shows the one that is named.
    Pending {
        #[arg(allow_hyphen_values = true)]
        id: Option<String>,
        /// Only those in this state.
        #[arg(long, value_parser = PossibleValuesParser::new(PendingState::WORDS))]
        state: Option<String>,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Approves a revocation that another administrator has ordered.
    Approve {
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// Takes back a revocation that still waits.
    Withdraw {
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct RevocationsFilter {
    /// Only of this kind of target: user, client, api, user_client …
    #[arg(long)]
    pub(super) kind: Option<String>,
    /// Only for this reason.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    pub(super) reason: Option<String>,
    /// Only on the word of the administrator, client, user or rule with this id.
    #[arg(long, value_name = "ID")]
    pub(super) initiator: Option<String>,
    /// Only from this time on, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only before this time.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReceiversCommand {
    /// Lists receivers, and how each does.
    List(PageArguments),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Lists signing keys.
    List,
    /// Signs with fresh keys from now on.
    Rotate,
}

#[derive(Debug, Subcommand)]
pub(super) enum RegistrationTokenCommand {
    /// Makes one and prints it, this once.
    New,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScimTokenCommand {
    /// Makes one for a provisioning system and prints it, this once.
    Issue {
        /// What the provisioning system is called in entries and audit records.
        name: String,
        /// For how many days it is good.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=730))]
        days: u32,
    },
    /// Lists them.
    List(PageArguments),
    /// Takes one back.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum EpochCommand {
    /// Opens a new epoch, after a database file was put in place by hand: everything issued so far is revoked.
    Open {
        /// Why, for people.
        #[arg(long, default_value = "")]
        note: String,
    },
}
