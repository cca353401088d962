//! One revocation, timed: from sending the order to the first refusal that a client sees.

use std::{
    cell::OnceCell,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{
    show::{duration, many, note},
    sight::Sight,
    web::{Admin, Web, number, text},
};

/// How often the public endpoint is asked before the order goes out: connections are open and caches warm by then.
const BEFORE: u32 = 50;
/// How often it is asked after the order was acknowledged.
const AFTER: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(30);

/// An order to end something.
pub(super) struct Order<'a> {
    /// As the admin API names it: `kind`, and the member that the kind takes.
    pub(super) target: &'a [(&'a str, &'a str)],
    pub(super) reason: &'a str,
    pub(super) note: &'a str,
}

impl Order<'_> {
    /// Counts what would end.
    pub(super) async fn preview(&self, admin: &Admin) -> anyhow::Result<Counted> {
        const COUNTS: [(&str, &str); 4] =
            [("users", "user"), ("sessions", "session"), ("grants", "grant"), ("access_tokens", "access token")];
        let answer = admin.get("/revocations/preview", self.target).await?;
        let mut parts = Vec::new();
        for (name, thing) in COUNTS {
            match number(&answer, name)? {
                0 => {}
                some => parts.push(many(some, thing)),
            }
        }
        Ok(Counted(parts))
    }

    /// Sends the order while a client keeps asking at a public endpoint.
    pub(super) async fn carry_out(&self, admin: &Admin, web: &Web, client: &Sight<'_>) -> anyhow::Result<Effect> {
        // In a company of the greatest size an API is everybody's.
        let preview = admin.get("/revocations/preview", self.target).await?;
        let acknowledged = OnceCell::new();
        let asked = OnceCell::new();
        let ordering = async {
            while asked.get().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let target: Value = self.target.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            let confirm = preview.pointer("/guard/confirm");
            let order = json!({ "target": target, "reason": self.reason, "note": self.note, "confirm": confirm });
            let sent = Instant::now();
            let answer = admin.post("/revocations", &order).await?;
            let _ = acknowledged.set(Instant::now());
            anyhow::Ok((sent, text(&answer, "position")?))
        };
        let asking = async {
            let (mut first_refusal, mut before, mut after, mut accepted_after) = (None, 0, 0, 0);
            let begun = Instant::now();
            while after < AFTER || first_refusal.is_none() {
                ensure!(begun.elapsed() < PATIENCE, "nothing was refused within {PATIENCE:?}");
                let is_after = acknowledged.get().is_some();
                let (_, accepted) = client.look(web).await?;
                if !accepted && first_refusal.is_none() {
                    first_refusal = Some(Instant::now());
                }
                before += 1;
                if before == BEFORE {
                    let _ = asked.set(());
                }
                after += u32::from(is_after);
                accepted_after += u32::from(is_after && accepted);
            }
            anyhow::Ok((first_refusal, accepted_after))
        };
        let ((sent, position), (first_refusal, accepted_after)) = tokio::try_join!(ordering, asking)?;
        let since = |moment: Option<&Instant>| moment.map(|moment| moment.saturating_duration_since(sent));
        Ok(Effect {
            position,
            first_refusal: since(first_refusal.as_ref()).unwrap_or_default(),
            acknowledged: since(acknowledged.get()).unwrap_or_default(),
            accepted_after,
        })
    }
}

/// What a preview counted, in words.
pub(super) struct Counted(Vec<String>);

impl Counted {
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_nothing() { f.write_str("nothing") } else { f.write_str(&self.0.join(", ")) }
    }
}

/// What was measured of one order.
pub(super) struct Effect {
    position: String,
    first_refusal: Duration,
    acknowledged: Duration,
    accepted_after: u32,
}

impl Effect {
    pub(super) fn tell(&self) {
        note(&format!(
            "Time to effect {}: from sending the order to the first refusal that a client saw.",
            duration(self.first_refusal)
        ));
        note(&format!(
            "Acknowledged as entry {} after {}; of {AFTER} requests after that, {} were honoured.",
            self.position,
            duration(self.acknowledged),
            self.accepted_after
        ));
    }
}
