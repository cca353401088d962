//! Checks a trail. The server is only asked for the records: whether they are sound is computed here.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, anyhow};
use rescind_jose::KeySet;
use rescind_ledger::{AuditRecord, SignedHead, TrailCheck, TrailReport};
use serde_json::{Value, json};

use super::{
    super::{
        arguments::{Globals, Output},
        failure::Failure,
        output,
    },
    VerifyArguments,
    export::FirstLine,
    source::{Begin, Source, head_beside_database, head_was_set_aside, key_set, read_head},
};
use crate::audit::{
    heads::{Signature, check_signature},
    lines::{HeadLine, RecordLine},
};

/// A trail under the eye of its witnesses.
struct Checker {
    trail: TrailCheck,
    keys: Option<KeySet>,
    issuer: Option<String>,
    /// The newest head that was seen, and its signature.
    newest: Option<(u64, Signature)>,
    /// How many heads the trail has.
    heads: u64,
    /// Heads whose keys are gone.
    by_old_keys: u64,
    /// The record of the head that was kept elsewhere, if its signature is good.
    kept: Option<u64>,
    faults: Vec<String>,
    notes: Vec<String>,
}

/// What was found.
struct Outcome {
    report: TrailReport,
    heads: u64,
    faults: Vec<String>,
    notes: Vec<String>,
}

impl Checker {
    fn begin(trail: TrailCheck, keys: Option<KeySet>, issuer: Option<String>) -> Self {
        Self {
            trail,
            keys,
            issuer,
            newest: None,
            heads: 0,
            by_old_keys: 0,
            kept: None,
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn vouch(&mut self, signed: &SignedHead, witness: String) {
        if let Some(keys) = &self.keys {
            let signature = check_signature(keys, signed, self.issuer.as_deref());
            match signature {
                Signature::Good if witness == KEPT => self.kept = Some(signed.head.seq),
                Signature::Good => {}
                Signature::KeyUnknown => self.by_old_keys += 1,
                Signature::Bad => self.faults.push(format!("the signature of {witness} is wrong")),
            }
            if self.newest.is_none_or(|(seq, _)| signed.head.seq >= seq) {
                self.newest = Some((signed.head.seq, signature));
            }
        }
        self.trail.vouch(signed.head, witness);
    }

    /// A head of the trail itself.
    fn own_head(&mut self, signed: &SignedHead) {
        self.heads += 1;
        self.vouch(signed, format!("the signed head of record {}", signed.head.seq));
    }

    fn records(&mut self, records: &[AuditRecord], heads: &[SignedHead]) {
        let mut heads = heads.iter().peekable();
        for record in records {
            while let Some(signed) = heads.next_if(|signed| signed.head.seq <= record.seq) {
                self.own_head(signed);
            }
            self.trail.take(record);
        }
    }

    fn finish(mut self) -> Outcome {
        match (&self.keys, self.newest) {
            (None, _) => self.notes.push("signatures were not checked: name the keys with --jwks".to_owned()),
            (Some(_), Some((seq, Signature::Good))) => {
                self.notes.push(format!("the newest head, of record {seq}, has a good signature"));
            }
            // Keys that were kept with a head are older than a rotation since.
            (Some(_), Some((seq, Signature::KeyUnknown))) if self.kept.is_some() => {
                let kept = self.kept.unwrap_or_default();
                self.notes.push(format!(
                    "the newest head, of record {seq}, is signed by a key that is not among those given: the good signature is \
                     that of the kept head, of record {kept}"
                ));
            }
            (Some(_), Some((seq, Signature::KeyUnknown))) => {
                self.faults.push(format!("the newest head, of record {seq}, is signed by none of the keys"));
            }
            // That was told of already.
            (Some(_), Some((_, Signature::Bad))) => {}
            (Some(_), None) => self.notes.push("there is no signed head: the end could be cut off unseen".to_owned()),
        }
        if self.by_old_keys > 0 {
            self.notes.push(format!("heads whose keys are gone, compared by their hashes: {}", self.by_old_keys));
        }
        let report = self.trail.finish();
        let mut faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        if report.more_faults > 0 {
            faults.push(format!("and {} more", report.more_faults));
        }
        faults.append(&mut self.faults);
        Outcome { report, heads: self.heads, faults, notes: self.notes }
    }
}

impl Outcome {
    fn show(&self, globals: &Globals) -> Result<(), Failure> {
        let report = &self.report;
        if globals.output == Output::Json {
            output::json(&self.as_json());
        } else {
            let (first, last) = (report.start.seq + 1, report.end.seq);
            match report.records {
                0 => println!("there is no record"),
                count => println!("records {first} to {last}: {count} read"),
            }
            println!("signed heads: {}", self.heads);
            if let Some(entries) = report.entries {
                println!("revocations with the record of their order: {entries}");
            }
            self.notes.iter().for_each(|note| println!("{note}"));
            // The text of a fault may quote what a forger wrote.
            self.faults.iter().for_each(|fault| println!("FAULT {}", fault.replace(char::is_control, "\u{fffd}")));
        }
        if self.faults.is_empty() {
            if globals.output == Output::Table {
                println!("the audit trail is sound");
            }
            return Ok(());
        }
        Err(anyhow!("the audit trail is not sound").into())
    }

    fn as_json(&self) -> Value {
        let report = &self.report;
        json!({
            "sound": self.faults.is_empty(),
            "after": report.start.seq,
            "last": report.end.seq,
            "hash": report.end.hash.base64url(),
            "records": report.records,
            "heads": self.heads,
            "revocations": report.entries,
            "faults": self.faults,
            "notes": self.notes,
        })
    }
}

pub(super) async fn run(globals: &Globals, arguments: &VerifyArguments) -> Result<(), Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let kept = arguments.head.as_deref().map(|path| read_head(&read(path)?)).transpose()?;
    let jwks = arguments.jwks.as_deref().map(|path| key_set(&serde_json::from_str(&read(path)?)?)).transpose()?;
    let outcome = match &arguments.file {
        Some(file) => check_file(file, jwks, kept.as_ref())?,
        None => {
            let mut source = match arguments.offline {
                true => Source::folder(globals)?,
                false => Source::server(globals).await?,
            };
            check_source(globals, &mut source, jwks, kept.as_ref()).await?
        }
    };
    outcome.show(globals)
}

const KEPT: &str = "the head that was kept elsewhere";

async fn check_source(
    globals: &Globals,
    source: &mut Source,
    jwks: Option<KeySet>,
    kept: Option<&SignedHead>,
) -> Result<Outcome, Failure> {
    let mut complaint = None;
    let ledger = source.ledger().await?;
    let (newest, named) = match source.newest().await {
        Ok(found) => found,
        // A server that finds its trail wanting says so instead; the rest is still to be looked at.
        Err(Failure::Problem(problem)) => {
            complaint = problem.get("detail").and_then(Value::as_str).map(str::to_owned);
            (None, None)
        }
        Err(other) => return Err(other),
    };
    let issuer = source.issuer().await?;
    let mut page = source.page(Begin::Floor).await?;
    let end = page.head;
    let trail = TrailCheck::begin(page.floor, true).with_ledger(ledger);
    let mut checker = Checker::begin(trail, jwks.or(named), issuer);
    checker.faults.extend(complaint);
    if let Some(signed) = &newest {
        checker.vouch(signed, "the newest signed head".to_owned());
    }
    if let Some(signed) = kept {
        checker.vouch(signed, KEPT.to_owned());
    }
    if globals.server.is_none() {
        match head_beside_database(globals)? {
            Some(signed) => checker.vouch(&signed, "the file `audit-head`".to_owned()),
            None if newest.is_some() && !head_was_set_aside(globals)? => checker.faults.push(
                "heads were signed, but the file `audit-head` beside the database is gone: an end that was cut off with it \
                 would not be seen"
                    .to_owned(),
            ),
            None => checker.notes.push("there is no file `audit-head` beside the database".to_owned()),
        }
    }
    checker.trail.vouch(end, "the end that was stated");
    loop {
        let due = page.records.iter().take_while(|record| record.seq <= end.seq).count();
        checker.records(page.records.get(..due).unwrap_or_default(), &page.heads);
        let at = page.records.last().map_or(end.seq, |record| record.seq);
        if at >= end.seq {
            return Ok(checker.finish());
        }
        page = source.page(Begin::After(at)).await?;
        if page.floor.seq > at {
            return Err(anyhow!("records were forgotten meanwhile; check again").into());
        }
    }
}

fn check_file(path: &Path, keys: Option<KeySet>, kept: Option<&SignedHead>) -> Result<Outcome, Failure> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let not_ours = || anyhow!("{} is no export: its first line does not say where it begins", path.display());
    let FirstLine { trail } = serde_json::from_str(message(&first)).map_err(|_| not_ours())?;
    let check = TrailCheck::begin(trail.after().ok_or_else(not_ours)?, trail.whole);
    let mut checker = Checker::begin(check, keys, trail.issuer);
    match trail.through.map(|through| through.read()).transpose() {
        Ok(Some(signed)) => checker.vouch(&signed, "the first line".to_owned()),
        Ok(None) => {}
        Err(why) => checker.faults.push(format!("line 1: {why}")),
    }
    if let Some(signed) = kept {
        checker.vouch(signed, KEPT.to_owned());
    }
    for (number, line) in (2_u64..).zip(lines) {
        if let Err(why) = take_line(&mut checker, message(&line?)) {
            checker.faults.push(format!("line {number}: {why}"));
        }
    }
    Ok(checker.finish())
}

/// What stands in a line behind the head that syslog gives it.
fn message(line: &str) -> &str {
    let begins = if line.starts_with('<') { line.find('{') } else { None };
    begins.and_then(|place| line.get(place..)).unwrap_or(line)
}

fn take_line(checker: &mut Checker, line: &str) -> anyhow::Result<()> {
    if let Ok(record) = serde_json::from_str::<RecordLine>(line) {
        checker.records(&[record.read()?], &[]);
        return Ok(());
    }
    let head: HeadLine = serde_json::from_str(line).map_err(|_| anyhow!("neither a record nor a signed head"))?;
    checker.own_head(&head.read()?);
    Ok(())
}
