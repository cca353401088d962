//! The lines in which the audit trail leaves the server: records and signed heads, one JSON object each. What was hashed stands in
//! them byte by byte.

use rescind_ledger::{AuditHead, AuditRecord, Hash, SignedHead, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    pub seq: u64,
    pub time: String,
    pub hash: String,
    /// The text that was hashed.
    pub record: Box<RawValue>,
}

/// A signed head: in an export, in the file beside the database, and wherever else somebody keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    pub seq: u64,
    pub time: String,
    pub hash: String,
    /// A JWS that says so.
    pub head: String,
}

/// Why a line is none of these.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadLine {
    #[error("its time is not RFC 3339 in milliseconds")]
    Time,
    #[error("its hash is not 32 bytes in base64url")]
    Hash,
}

/// RFC 3339 in UTC, with milliseconds: every time has one spelling.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |moment| format!("{moment:.3}"))
}

fn read_moment(text: &str) -> Result<Timestamp, BadLine> {
    let read = text.parse::<jiff::Timestamp>().map(|moment| Timestamp(moment.as_millisecond()));
    read.ok().filter(|at| moment(*at) == text).ok_or(BadLine::Time)
}

fn read_hash(text: &str) -> Result<Hash, BadLine> {
    Hash::from_base64url(text).ok_or(BadLine::Hash)
}

/// The record that has this number, time, hash and text.
///
/// # Errors
/// [`BadLine`].
pub fn read_record(seq: u64, time: &str, hash: &str, body: &str) -> Result<AuditRecord, BadLine> {
    Ok(AuditRecord { seq, at: read_moment(time)?, body: body.to_owned(), hash: read_hash(hash)? })
}

impl RecordLine {
    /// The line of a record.
    ///
    /// # Errors
    /// If its text is no JSON.
    pub fn of(record: &AuditRecord) -> serde_json::Result<Self> {
        Ok(Self {
            seq: record.seq,
            time: moment(record.at),
            hash: record.hash.base64url(),
            record: RawValue::from_string(record.body.clone())?,
        })
    }

    /// The record of a line.
    ///
    /// # Errors
    /// [`BadLine`].
    pub fn read(self) -> Result<AuditRecord, BadLine> {
        read_record(self.seq, &self.time, &self.hash, self.record.get())
    }
}

impl HeadLine {
    /// The line of a head.
    #[must_use]
    pub fn of(signed: &SignedHead) -> Self {
        let (seq, time) = (signed.head.seq, moment(signed.at));
        Self { seq, time, hash: signed.head.hash.base64url(), head: signed.token.clone() }
    }

    /// The head of a line.
    ///
    /// # Errors
    /// [`BadLine`].
    pub fn read(&self) -> Result<SignedHead, BadLine> {
        let head = AuditHead { seq: self.seq, hash: read_hash(&self.hash)? };
        Ok(SignedHead { head, at: read_moment(&self.time)?, token: self.head.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_were_hashed_survive_a_line() {
        let body = r#"{"seq":1, "at":5,"z":"ä\u007f","a":1.0e2}"#.to_owned();
        let head = AuditHead::START.follow(&body);
        let record = AuditRecord { seq: 1, at: Timestamp(1_700_000_000_120), body, hash: head.hash };
        let line = serde_json::to_string(&RecordLine::of(&record).unwrap()).unwrap();
        assert!(line.contains(r#""time":"2023-11-14T22:13:20.120Z""#), "{line}");
        assert_eq!(serde_json::from_str::<RecordLine>(&line).unwrap().read(), Ok(record));
    }

    #[test]
    fn a_time_or_hash_in_another_spelling_is_refused() {
        let head = AuditHead { seq: 1, hash: Hash::of("x") };
        let line = HeadLine::of(&SignedHead { head, at: Timestamp(5), token: String::new() });
        assert_eq!(line.read().unwrap().head, head);
        for time in
            ["1970-01-01T00:00:00.005000Z", "1970-01-01T00:00:00.0051Z", "1970-01-01T01:00:00.005+01:00", "5", ""]
        {
            assert_eq!(HeadLine { time: time.to_owned(), ..line.clone() }.read(), Err(BadLine::Time), "{time}");
        }
        assert_eq!(HeadLine { hash: "AAAA".to_owned(), ..line }.read(), Err(BadLine::Hash));
    }
}
