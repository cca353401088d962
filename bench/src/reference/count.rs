//! Counting records by hand: what a preview cannot do without, over records that lie ready in memory.

use std::collections::{HashMap, HashSet};

/// A record with its own id and that of its grant.
pub struct Record {
    pub id: String,
    pub grant: String,
    pub client: String,
    pub expires_at: i64,
}

/// How many records are alive, by client: neither expired, nor ended by their own id or that of their grant.
#[must_use]
pub fn alive<'r>(records: &'r [Record], ended: &HashSet<String>, now: i64) -> HashMap<&'r str, u64> {
    let mut counts = HashMap::new();
    for record in records {
        if record.expires_at > now && !ended.contains(&record.id) && !ended.contains(&record.grant) {
            *counts.entry(record.client.as_str()).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dead_is_not_counted() {
        let record = |id: &str, expires_at| Record {
            id: id.to_owned(),
            grant: format!("g{id}"),
            client: "c".to_owned(),
            expires_at,
        };
        let records = [record("1", 9), record("2", 9), record("3", 9), record("4", 1)];
        let ended = ["1", "g2"].map(str::to_owned).into();
        assert_eq!(alive(&records, &ended, 5), HashMap::from([("c", 1)]));
    }
}
