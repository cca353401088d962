//! A row read from left to right, and how each record lies in its columns.

use std::str::FromStr;

use rescind_ledger::{
    AccessToken, AuditHead, AuditRecord, Authentication, Code, Consent, Entry, Grant, Hash, Initiator, Position,
    PushedRequest, RefreshToken, Session, SessionValidation, SettingChange, SignedHead, Target, Timestamp, User,
};
use rusqlite::{
    Error, Row,
    types::{FromSql, FromSqlError, Type, ValueRef},
};
use serde::de::DeserializeOwned;

/// Reads the next column each time it is asked.
pub(super) struct Cells<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

/// A record that knows its columns.
pub(super) trait Stored: Sized {
    const TABLE: &'static str;
    /// The columns in the order in which [`Stored::read`] takes them.
    const COLUMNS: &'static str;
    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self>;

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read(&mut Cells::of(row))
    }
}

impl<'r, 's> Cells<'r, 's> {
    pub(super) fn of(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let column = self.next;
        self.next += 1;
        self.row.get(column)
    }

    pub(super) fn position(&mut self) -> rusqlite::Result<Position> {
        Ok(Position { epoch: self.take()?, seq: self.take::<i64>()?.cast_unsigned() })
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        self.take().map(Timestamp)
    }

    pub(super) fn time_or_none(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp))
    }

    pub(super) fn hash(&mut self) -> rusqlite::Result<Hash> {
        self.take().map(Hash)
    }

    pub(super) fn text(&mut self) -> rusqlite::Result<String> {
        self.take()
    }

    pub(super) fn text_or_none(&mut self) -> rusqlite::Result<Option<String>> {
        self.take()
    }

    pub(super) fn audit_head(&mut self) -> rusqlite::Result<AuditHead> {
        Ok(AuditHead { seq: self.take::<i64>()?.cast_unsigned(), hash: self.hash()? })
    }

    /// One of a fixed set of words.
    pub(super) fn word<T: FromStr>(&mut self) -> rusqlite::Result<T> {
        let column = self.next;
        self.text()?.parse().map_err(|_| unreadable(column, FromSqlError::Other("an unknown word".into())))
    }

    fn word_or_none<T: FromStr>(&mut self) -> rusqlite::Result<Option<T>> {
        if self.row.get_ref(self.next)? == ValueRef::Null {
            self.next += 1;
            return Ok(None);
        }
        self.word().map(Some)
    }

    fn json_or_none<T: DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        if self.row.get_ref(self.next)? == ValueRef::Null {
            self.next += 1;
            return Ok(None);
        }
        self.json().map(Some)
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<T> {
        let column = self.next;
        let text: &str = self.row.get_ref(column)?.as_str().map_err(|why| unreadable(column, why))?;
        self.next += 1;
        // The message of a JSON error may quote the value; its place says enough.
        serde_json::from_str(text).map_err(|why| {
            let place = format!("JSON not as expected at {}:{} ({:?})", why.line(), why.column(), why.classify());
            unreadable(column, FromSqlError::Other(place.into()))
        })
    }
}

pub(super) fn unreadable(column: usize, why: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(why))
}

/// A position as it is bound to two parameters.
pub(super) fn bound(position: Position) -> (u32, i64) {
    (position.epoch, i64::try_from(position.seq).unwrap_or(i64::MAX))
}

impl Stored for Entry {
    const TABLE: &'static str = "entries";
    const COLUMNS: &'static str = "epoch, seq, time, target, reason, initiator, note, issued_before";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: cells.position()?,
            time: cells.time()?,
            target: cells.json::<Target>()?,
            reason: cells.word()?,
            initiator: cells.json::<Initiator>()?,
            note: cells.take()?,
            before: cells.time_or_none()?,
        })
    }
}

impl Stored for AuditRecord {
    const TABLE: &'static str = "audit";
    const COLUMNS: &'static str = "seq, at, body, hash";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: cells.take::<i64>()?.cast_unsigned(),
            at: cells.time()?,
            body: cells.text()?,
            hash: cells.hash()?,
        })
    }
}

impl Stored for SignedHead {
    const TABLE: &'static str = "audit_heads";
    const COLUMNS: &'static str = "seq, hash, at, token";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self { head: cells.audit_head()?, at: cells.time()?, token: cells.text()? })
    }
}

impl Stored for SettingChange {
    const TABLE: &'static str = "setting_changes";
    const COLUMNS: &'static str = "version, at, name, value, initiator, note";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            version: cells.take::<i64>()?.cast_unsigned(),
            at: cells.time()?,
            name: cells.text()?,
            value: cells.json_or_none()?,
            initiator: cells.json()?,
            note: cells.take()?,
        })
    }
}

impl Stored for User {
    const TABLE: &'static str = "users";
    const COLUMNS: &'static str =
        "id, user_name, email, display_name, password_hash, enabled, role, external_id, created_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: cells.text()?,
            user_name: cells.text()?,
            email: cells.take()?,
            display_name: cells.take()?,
            password_hash: cells.take()?,
            enabled: cells.take()?,
            role: cells.word_or_none()?,
            external_id: cells.take()?,
            created_at: cells.time()?,
        })
    }
}

impl Stored for Session {
    const TABLE: &'static str = "sessions";
    const COLUMNS: &'static str = "id, cookie, user_id, source, device_id, ip, user_agent, epoch, seq, started_at, touched_at, idle_secs, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: cells.text()?,
            cookie: cells.hash()?,
            user: cells.text()?,
            source: cells.text()?,
            device: cells.take()?,
            ip: cells.take()?,
            user_agent: cells.take()?,
            position: cells.position()?,
            started_at: cells.time()?,
            touched_at: cells.time()?,
            idle_secs: cells.take()?,
            expires_at: cells.time()?,
        })
    }
}

impl Stored for Authentication {
    const TABLE: &'static str = "authentications";
    const COLUMNS: &'static str = "session_id, epoch, seq, at, methods";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self { session: cells.text()?, position: cells.position()?, at: cells.time()?, methods: cells.json()? })
    }
}

impl Stored for Grant {
    const TABLE: &'static str = "grants";
    const COLUMNS: &'static str = "id, client_id, user_id, session_id, session_bound, device_id, scope, audiences, \
                                   epoch, seq, auth_time, nonce, issued_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: cells.text()?,
            client: cells.text()?,
            user: cells.take()?,
            session: cells.take()?,
            session_bound: cells.take()?,
            device: cells.take()?,
            scope: cells.text()?,
            audiences: cells.json()?,
            position: cells.position()?,
            auth_time: cells.time_or_none()?,
            nonce: cells.take()?,
            issued_at: cells.time()?,
            expires_at: cells.time()?,
        })
    }
}

impl Stored for Code {
    const TABLE: &'static str = "codes";
    const COLUMNS: &'static str = "hash, redirect_uri, registered_redirect_uri, code_challenge, issued_at, \
                                   expires_at, grant_id, client_id, user_id, session_id, session_bound, device_id, scope, audiences, epoch, seq, \
                                   auth_time, nonce, grant_issued_at, grant_expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            hash: cells.hash()?,
            redirect_uri: cells.text()?,
            registered_redirect_uri: cells.text()?,
            code_challenge: cells.text()?,
            issued_at: cells.time()?,
            expires_at: cells.time()?,
            grant: Grant::read(cells)?,
        })
    }
}

impl Stored for AccessToken {
    const TABLE: &'static str = "access_tokens";
    const COLUMNS: &'static str = "hash, id, grant_id, client_id, user_id, session_id, session_validation, device_id, \
                                   scope, audiences, key_id, certificate, epoch, seq, auth_time, issued_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            hash: cells.hash()?,
            id: cells.text()?,
            grant: cells.text()?,
            client: cells.text()?,
            user: cells.text_or_none()?,
            session: cells.text_or_none()?,
            session_validation: SessionValidation::from_bits(cells.take()?),
            device: cells.text_or_none()?,
            scope: cells.text()?,
            audiences: cells.json()?,
            key: cells.text_or_none()?,
            certificate: cells.text_or_none()?,
            position: cells.position()?,
            auth_time: cells.time_or_none()?,
            issued_at: cells.time()?,
            expires_at: cells.time()?,
        })
    }
}

impl Stored for RefreshToken {
    const TABLE: &'static str = "refresh_tokens";
    const COLUMNS: &'static str = "hash, grant_id, parent, issued_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            hash: cells.hash()?,
            grant: cells.text()?,
            parent: cells.take::<Option<[u8; 32]>>()?.map(Hash),
            issued_at: cells.time()?,
            expires_at: cells.time()?,
        })
    }
}

impl Stored for Consent {
    const TABLE: &'static str = "consents";
    const COLUMNS: &'static str = "user_id, client_id, scopes, audiences, epoch, seq, auth_time, at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            user: cells.text()?,
            client: cells.text()?,
            scopes: cells.json()?,
            audiences: cells.json()?,
            position: cells.position()?,
            auth_time: cells.time()?,
            at: cells.time()?,
            expires_at: cells.time()?,
        })
    }
}

impl Stored for PushedRequest {
    const TABLE: &'static str = "pushed_requests";
    const COLUMNS: &'static str = "hash, client_id, parameters, epoch, seq, issued_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            handle: cells.hash()?,
            client: cells.text()?,
            parameters: cells.text()?,
            position: cells.position()?,
            issued_at: cells.time()?,
            expires_at: cells.time()?,
        })
    }
}
