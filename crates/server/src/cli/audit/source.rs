//! Where a trail is read: from a running server, or from a data directory while no server runs.

use anyhow::{Context, anyhow};
use rescind_jose::KeySet;
use rescind_ledger::{
    AuditHead, AuditRecord, EntrySet, Hash, Initiator, Position, Reads, Reason, SignedHead, Store, Target, Timestamp,
};
use rescind_store::{Lock, Sqlite, SqliteReads, find_audit_head};
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    arguments::Globals,
    connection::{Connection, configuration, data_dir},
    failure::Failure,
};
use crate::{
    audit::lines::{HeadLine, read_record},
    clock::Clock,
    keys::Keys,
    master_key,
};

/// The most that a page has.
const PAGE: u32 = 500;

pub(super) enum Source {
    Server(Connection),
    Folder(Box<Folder>),
}

/// A data directory that nobody else uses.
pub(super) struct Folder {
    store: Sqlite,
    reads: SqliteReads,
    /// Absent if the master key is not at hand.
    keys: Option<KeySet>,
    _lock: Lock,
}

/// A stretch of the trail.
pub(super) struct Page {
    pub(super) records: Vec<AuditRecord>,
    pub(super) heads: Vec<SignedHead>,
    /// Behind which record it begins, if that is known.
    pub(super) after: Option<AuditHead>,
    /// Behind which record the whole trail begins.
    pub(super) floor: AuditHead,
    /// Where it ends.
    pub(super) head: AuditHead,
}

/// From where on a trail is read.
pub(super) enum Begin<'a> {
    Floor,
    After(u64),
    Since(&'a str),
}

impl Source {
    pub(super) async fn server(globals: &Globals) -> Result<Self, Failure> {
        Ok(Self::Server(Connection::open(globals).await?))
    }

    pub(super) fn folder(globals: &Globals) -> Result<Self, Failure> {
        let dir = data_dir(globals)?;
        if !dir.database().exists() {
            return Err(anyhow!("there is no database in {}", dir.path().display()).into());
        }
        let lock = dir.lock()?;
        let mut store = Sqlite::open(&dir.database())?;
        let reads = store.reads(1)?;
        let config = configuration(globals).ok();
        let master = config.and_then(|config| master_key::load(config.master_key.as_ref(), &dir).ok());
        let secrets = store.secrets()?;
        let opened = master.and_then(|key| Keys::open(*key, &secrets, Clock::System.now(), |_| false).ok());
        let keys = opened.and_then(|(keys, _)| key_set(&keys.ring().published.to_jwks()).ok());
        Ok(Self::Folder(Box::new(Folder { store, reads, keys, _lock: lock })))
    }

    /// The issuer, if it is known.
    pub(super) async fn issuer(&mut self) -> Result<Option<String>, Failure> {
        Ok(match self {
            Self::Server(server) => {
                server.get("/status", &[]).await?.get("issuer").and_then(Value::as_str).map(str::to_owned)
            }
            Self::Folder(folder) => folder.store.issuer()?,
        })
    }

    /// The newest signed head, and the keys by which heads are signed.
    pub(super) async fn newest(&mut self) -> Result<(Option<SignedHead>, Option<KeySet>), Failure> {
        match self {
            Self::Server(server) => {
                let answer = server.get("/audit/head", &[]).await?;
                let line: Option<HeadLine> = serde_json::from_value(answer["head"].clone())?;
                let keys = key_set(answer.get("jwks").unwrap_or(&Value::Null))?;
                Ok((line.map(|line| line.read()).transpose()?, Some(keys)))
            }
            Self::Folder(folder) => Ok((folder.reads.newest_signed_head().await?, folder.keys.take())),
        }
    }

    pub(super) async fn page(&self, begin: Begin<'_>) -> Result<Page, Failure> {
        match self {
            Self::Server(server) => {
                let (after, limit) =
                    (if let Begin::After(seq) = begin { seq } else { 0 }.to_string(), PAGE.to_string());
                let mut query = vec![("limit", limit.as_str())];
                match begin {
                    Begin::Floor => {}
                    Begin::After(_) => query.push(("after", &after)),
                    Begin::Since(time) => query.push(("since", time)),
                }
                let answer = server.get("/audit/records", &query).await?;
                Ok(serde_json::from_value::<PageAnswer>(answer)?.read()?)
            }
            Self::Folder(folder) => folder.page(begin).await,
        }
    }

    /// Every entry of the ledger.
    pub(super) async fn ledger(&mut self) -> Result<EntrySet, Failure> {
        match self {
            Self::Server(server) => ledger_of(server).await,
            Self::Folder(folder) => {
                let (_, floor) = folder.store.epochs()?;
                let mut entries = EntrySet::new(floor, folder.store.mark()?.head);
                let add = &mut |entry: rescind_ledger::Entry| entries.add(&entry);
                folder.store.entries_after(Position { epoch: 0, seq: 0 }, add)?;
                Ok(entries)
            }
        }
    }
}

impl Folder {
    async fn page(&self, begin: Begin<'_>) -> Result<Page, Failure> {
        let (floor, head) = self.reads.audit_span().await?;
        let after = match begin {
            Begin::After(seq) => seq,
            Begin::Floor | Begin::Since(_) => floor.seq,
        };
        let records = self.reads.audit_after(after, PAGE).await?;
        let last = records.last().map_or(after, |record| record.seq);
        let from = if after == floor.seq { after.saturating_sub(1) } else { after };
        let mut heads = self.reads.signed_heads(from, PAGE + 1).await?;
        heads.retain(|signed| signed.head.seq <= last);
        Ok(Page { records, heads, after: (after == floor.seq).then_some(floor), floor, head })
    }
}

async fn ledger_of(server: &Connection) -> Result<EntrySet, Failure> {
    let (floor, head) = ledger_span(server).await?;
    let mut entries = EntrySet::new(floor, head);
    let mut cursor: Option<String> = None;
    loop {
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: EntriesAnswer = serde_json::from_value(server.get("/revocations", &query).await?)?;
        for entry in &page.items {
            entries.add(&entry.read()?);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    // Some may have been forgotten while they were read.
    entries.raise_floor(ledger_span(server).await?.0);
    Ok(entries)
}

async fn ledger_span(server: &Connection) -> Result<(Position, Position), Failure> {
    let status = server.get("/status", &[]).await?;
    let of = |name: &str| {
        let text = status.pointer(&format!("/ledger/{name}")).and_then(Value::as_str).unwrap_or_default();
        text.parse::<Position>().map_err(|_| anyhow!("the server does not say where its ledger stands"))
    };
    Ok((of("floor")?, of("head")?))
}

#[derive(Deserialize)]
struct Place {
    seq: u64,
    hash: String,
}

impl Place {
    pub(super) fn read(&self) -> anyhow::Result<AuditHead> {
        let hash = Hash::from_base64url(&self.hash).context("a hash that is none")?;
        Ok(AuditHead { seq: self.seq, hash })
    }
}

#[derive(Deserialize)]
struct Item {
    seq: u64,
    time: String,
    hash: String,
    record: String,
}

#[derive(Deserialize)]
struct PageAnswer {
    items: Vec<Item>,
    heads: Vec<HeadLine>,
    after: Option<Place>,
    floor: Place,
    head: Place,
}

impl PageAnswer {
    fn read(self) -> anyhow::Result<Page> {
        let records = self.items.iter().map(|item| read_record(item.seq, &item.time, &item.hash, &item.record));
        Ok(Page {
            records: records.collect::<Result<_, _>>()?,
            heads: self.heads.iter().map(HeadLine::read).collect::<Result<_, _>>()?,
            after: self.after.map(|after| after.read()).transpose()?,
            floor: self.floor.read()?,
            head: self.head.read()?,
        })
    }
}

#[derive(Deserialize)]
struct EntriesAnswer {
    items: Vec<EntryAnswer>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct EntryAnswer {
    position: String,
    time: Timestamp,
    target: Target,
    reason: Reason,
    initiator: Initiator,
    note: Option<String>,
    before: Option<Timestamp>,
}

impl EntryAnswer {
    fn read(&self) -> anyhow::Result<rescind_ledger::Entry> {
        Ok(rescind_ledger::Entry {
            position: self.position.parse().map_err(|why: rescind_check::NotAPosition| anyhow!("{why}"))?,
            time: self.time,
            target: self.target.clone(),
            reason: self.reason,
            initiator: self.initiator.clone(),
            note: self.note.clone(),
            before: self.before,
        })
    }
}

/// The keys of a JWK set that are like ours; others are nobody's who signs heads.
pub(in crate::cli) fn key_set(jwks: &Value) -> anyhow::Result<KeySet> {
    let listed = jwks.get("keys").and_then(Value::as_array).context("this is no JWK set")?;
    let mut keys = KeySet::new();
    for jwk in listed {
        // One of another kind does not matter, as long as there is one of ours.
        let _ = keys.add_jwk(jwk);
    }
    if keys.kids().next().is_none() {
        return Err(anyhow!("there is no key in the JWK set like those of this server"));
    }
    Ok(keys)
}

/// The head that this host keeps beside the database.
pub(super) fn head_beside_database(globals: &Globals) -> Result<Option<SignedHead>, Failure> {
    let Some(text) = find_audit_head(&data_dir(globals)?)? else { return Ok(None) };
    Ok(Some(read_head(&text).context("the file `audit-head` in the data directory")?))
}

/// Whether a restore has put that head away, so that there may be none yet.
pub(super) fn head_was_set_aside(globals: &Globals) -> Result<bool, Failure> {
    let folder = std::fs::read_dir(data_dir(globals)?.path()).context("the data directory")?;
    let mut names = folder.flatten().map(|file| file.file_name());
    Ok(names.any(|name| name.to_string_lossy().starts_with("audit-head.before-")))
}

pub(super) fn read_head(text: &str) -> anyhow::Result<SignedHead> {
    let line: HeadLine = serde_json::from_str(text.trim()).context("not a head as `rescind audit head` prints it")?;
    Ok(line.read()?)
}
