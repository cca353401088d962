//! What a revocation would end, as the dialog shows it.

use super::{
    json::Json,
    target::{Aim, Names},
    trouble::Trouble,
    visit::{Visit, link},
    words::{Moment, count, thousands},
};

/// The counts, and who learns of it.
pub(super) struct Preview {
    /// "This ends 41 sessions of 38 users in 6 applications."
    pub(super) sentence: String,
    pub(super) counts: Vec<(&'static str, String)>,
    pub(super) by_application: Vec<(String, String)>,
    pub(super) by_api: Vec<(String, String)>,
    /// Who is told: a name and a kind.
    pub(super) receivers: Vec<(String, String)>,
    /// APIs that check tokens by themselves: how many they hold, and until when at the latest.
    pub(super) late: Vec<Late>,
    /// Whether it counted to the end.
    pub(super) is_exact: bool,
    pub(super) position: String,
    pub(super) nothing: bool,
    /// What has to be typed.
    pub(super) confirm: Option<String>,
    /// Whether a second administrator has to approve.
    pub(super) needs_approval: bool,
}

/// An API that learns of the end of tokens late.
pub(super) struct Late {
    pub(super) api: String,
    pub(super) tokens: String,
    pub(super) until: Option<Moment>,
}

/// Counts for a target, if need be only what was issued before a moment.
pub(super) async fn load(visit: &Visit, aim: &Aim, before: Option<&str>) -> Result<Preview, Trouble> {
    let mut parameters = aim.parameters();
    parameters.extend(before.map(|before| ("before", before)));
    let counted = visit.load(&link("/revocations/preview", &parameters)).await?;
    let names =
        Names { applications: visit.application_names().await, apis: visit.api_names().await, ..Names::default() };
    Ok(Preview::of(visit, &counted, &names))
}

impl Preview {
    fn of(visit: &Visit, counted: &Json, names: &Names) -> Self {
        let number = |name: &str| counted.number(name).unwrap_or_default();
        let by = |list: &str, name: &str, known: &std::collections::HashMap<String, String>| {
            let one = |item: &Json| {
                let id = item.text(name);
                (known.get(&id).cloned().unwrap_or(id), thousands(item.number("access_tokens").unwrap_or_default()))
            };
            counted.list(list).iter().map(one).collect::<Vec<_>>()
        };
        let by_application = by("by_client", "client", &names.applications);
        let (users, sessions, grants, tokens) =
            (number("users"), number("sessions"), number("grants"), number("access_tokens"));
        let is_exact = !counted.has("exact") || counted.is("exact");
        let late = counted.list("self_contained").iter().map(|item| Late::of(visit, item, names)).collect();
        let receivers = counted.list("receivers");
        Self {
            sentence: sentence(
                is_exact,
                [sessions, grants, tokens],
                users,
                by_application.len() as u64,
                receivers.len() as u64,
            ),
            counts: vec![
                ("Users", thousands(users)),
                ("Sessions", thousands(sessions)),
                ("Grants", thousands(grants)),
                ("Access tokens", thousands(tokens)),
            ],
            by_application,
            by_api: by("by_api", "api", &names.apis),
            receivers: receivers.iter().map(|one| (one.text("name"), one.text("kind"))).collect(),
            late,
            is_exact,
            position: counted.text("position"),
            nothing: sessions + grants + tokens == 0,
            confirm: counted.at("guard").find("confirm"),
            needs_approval: counted.at("guard").is("approval"),
        }
    }
}

impl Late {
    fn of(visit: &Visit, item: &Json, names: &Names) -> Self {
        let id = item.text("api");
        Self {
            tokens: count(item.number("access_tokens").unwrap_or_default(), "token"),
            until: item.moment("until", visit.now()),
            api: names.apis.get(&id).cloned().unwrap_or(id),
        }
    }
}

fn sentence(is_exact: bool, ended: [u64; 3], users: u64, applications: u64, receivers: u64) -> String {
    let least = if is_exact { "" } else { "at least " };
    let there = ended.into_iter().zip(["session", "grant", "access token"]);
    let there = there.filter(|(number, _)| *number > 0).map(|(number, words)| count(number, words));
    let there: Vec<String> = there.collect();
    let listed = match there.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        all => all.concat(),
    };
    let mut text = format!("This ends {least}{listed}");
    if users > 0 {
        text += &format!(" of {}", count(users, "user"));
    }
    if applications > 0 {
        text += &format!(" in {}", count(applications, "application"));
    }
    if receivers > 0 {
        text += &format!(
            "; {} told",
            if receivers == 1 { "1 receiver is".to_owned() } else { format!("{receivers} receivers are") }
        );
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn one_sentence_says_what_ends() {
        assert_eq!(
            sentence(true, [41, 50, 1_200], 38, 6, 2),
            "This ends 41 sessions, 50 grants and 1,200 access tokens of 38 users in 6 applications; 2 receivers are told."
        );
        assert_eq!(sentence(false, [0, 0, 1], 0, 1, 0), "This ends at least 1 access token in 1 application.");
    }
}
