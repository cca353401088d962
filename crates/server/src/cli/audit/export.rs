//! The trail as lines. The first says where it begins and how far it goes, signed, so that an export verifies by itself.

use std::io::{self, BufWriter, Write};

use anyhow::anyhow;
use rescind_ledger::{AuditHead, Hash, SignedHead};
use serde::{Deserialize, Serialize};

use super::{
    super::{arguments::Globals, failure::Failure},
    ExportArguments, Format,
    source::{Begin, Page, Source},
};
use crate::audit::lines::{HeadLine, RecordLine};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstLine {
    pub(super) trail: Preamble,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preamble {
    pub(super) issuer: Option<String>,
    /// The number and hash of the record behind which it begins.
    after: u64,
    hash: String,
    /// Whether that is where the server's trail began.
    pub(super) whole: bool,
    /// The signed head with whose record it ends; none if there was no record.
    pub(super) through: Option<HeadLine>,
}

impl Preamble {
    /// Behind which record the export begins.
    pub(super) fn after(&self) -> Option<AuditHead> {
        Some(AuditHead { seq: self.after, hash: Hash::from_base64url(&self.hash)? })
    }
}

/// Facility 13, log audit, and severity 6, informational (RFC 5424 section 6.2.1).
const PRIORITY: u8 = 13 * 8 + 6;

/// Writes lines in one of the formats.
struct Lines<W> {
    out: W,
    format: Format,
    host: String,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, time: Option<&str>, line: &impl Serialize) -> anyhow::Result<()> {
        if self.format == Format::Syslog {
            // RFC 5424 section 6: version, time, host, application, process, kind of message, no structured data.
            write!(self.out, "<{PRIORITY}>1 {} {} rescind - audit - ", time.unwrap_or("-"), self.host)?;
        }
        // Strings of JSON have no control characters, and the text of a record has none of its own: see `Door::record`.
        serde_json::to_writer(&mut self.out, line)?;
        Ok(self.out.write_all(b"\n")?)
    }

    fn head(&mut self, signed: &SignedHead) -> anyhow::Result<()> {
        let line = HeadLine::of(signed);
        self.write(Some(&line.time), &line)
    }

    /// The records of a page up to the last one, each with the heads behind it.
    fn page(&mut self, page: &Page, last: u64) -> anyhow::Result<()> {
        let mut heads = page.heads.iter().filter(|signed| signed.head.seq <= last).peekable();
        let first = page.records.first().map_or(last + 1, |record| record.seq);
        while let Some(signed) = heads.next_if(|signed| signed.head.seq < first) {
            self.head(signed)?;
        }
        for record in page.records.iter().filter(|record| record.seq <= last) {
            let line = RecordLine::of(record).map_err(|_| anyhow!("record {} is no JSON", record.seq))?;
            self.write(Some(&line.time), &line)?;
            while let Some(signed) = heads.next_if(|signed| signed.head.seq <= record.seq) {
                self.head(signed)?;
            }
        }
        Ok(())
    }
}

/// What stands for the host in a line of syslog: printable ASCII without spaces.
fn host_of(issuer: Option<&str>) -> String {
    let host = issuer.and_then(|issuer| url::Url::parse(issuer).ok()?.host_str().map(str::to_owned));
    host.filter(|host| host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_graphic())).unwrap_or("-".to_owned())
}

pub(super) async fn run(globals: &Globals, arguments: &ExportArguments) -> Result<(), Failure> {
    let mut source = Source::server(globals).await?;
    let issuer = source.issuer().await?;
    let (through, _) = source.newest().await?;
    let since = arguments.since.as_deref();
    let mut page = match since.map(|text| (text, text.parse::<u64>())) {
        None => source.page(Begin::Floor).await?,
        Some((_, Ok(seq))) => source.page(Begin::After(seq.saturating_sub(1))).await?,
        Some((time, Err(_))) => source.page(Begin::Since(time)).await?,
    };
    let Some(after) = page.after else {
        let first = page.floor.seq + 1;
        return Err(anyhow!("the trail does not have the record before that; it begins with record {first}").into());
    };
    let host = host_of(issuer.as_deref());
    let mut lines = Lines { out: BufWriter::new(io::stdout().lock()), format: arguments.format, host };
    let preamble = Preamble {
        issuer,
        after: after.seq,
        hash: after.hash.base64url(),
        whole: after == page.floor,
        through: through.as_ref().map(HeadLine::of).filter(|through| through.seq >= after.seq),
    };
    let time = preamble.through.as_ref().map(|through| through.time.clone());
    let last = preamble.through.as_ref().map_or(0, |through| through.seq);
    lines.write(time.as_deref(), &FirstLine { trail: preamble })?;
    loop {
        lines.page(&page, last)?;
        let Some(read) = page.records.last().map(|record| record.seq).filter(|read| *read < last) else { break };
        page = source.page(Begin::After(read)).await?;
        if page.floor.seq > read {
            return Err(anyhow!("records were forgotten meanwhile; export again").into());
        }
    }
    lines.out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_ledger::{AuditRecord, Timestamp};

    #[test]
    fn a_line_of_syslog_has_every_part_and_its_message_is_the_json() {
        let body = r#"{"seq":1,"at":0,"what":"ä\u007f"}"#.to_owned();
        let head = AuditHead::START.follow(&body);
        let record = AuditRecord { seq: 1, at: Timestamp(0), body, hash: head.hash };
        let signed = SignedHead { head, at: Timestamp(0), token: "t".to_owned() };
        let page = Page { records: vec![record], heads: vec![signed], after: None, floor: AuditHead::START, head };
        let mut lines = Lines { out: Vec::new(), format: Format::Syslog, host: host_of(Some("https://id.example/x")) };
        lines.page(&page, 1).unwrap();
        let text = String::from_utf8(lines.out).unwrap();
        assert_eq!(text.lines().count(), 2);
        let prefix = "<110>1 1970-01-01T00:00:00.000Z id.example rescind - audit - ";
        for line in text.lines() {
            assert!(line.strip_prefix(prefix).is_some_and(|json| json.starts_with('{')), "{line}");
            assert!(!line.contains(char::is_control));
        }
    }

    #[test]
    fn no_host_is_a_dash() {
        assert_eq!(host_of(None), "-");
        assert_eq!(host_of(Some("nothing")), "-");
    }
}
