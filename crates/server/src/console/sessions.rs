//! Sessions: the list, and one of them in full.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    trouble::Trouble,
    users::{Pages, ROWS, here, listed, revoke},
    visit::{Visit, link, segment},
    words::{Badge, Moment, count, reason},
};

/// A session in a list.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) link: String,
    pub(super) user: String,
    pub(super) user_link: String,
    pub(super) browser: String,
    pub(super) agent: String,
    pub(super) address: String,
    pub(super) started: Option<Moment>,
    pub(super) active: Option<Moment>,
    pub(super) expires: Option<Moment>,
    pub(super) state: Badge,
    pub(super) why: Option<String>,
    pub(super) revoke: Option<String>,
}

impl Session {
    pub(super) fn of(visit: &Visit, found: &Json, names: &HashMap<String, String>, back: &str) -> Self {
        let (id, user, now, state) = (found.text("id"), found.text("user"), visit.now(), found.text("state"));
        let agent = found.text("user_agent");
        Self {
            link: visit.console.path(&format!("/sessions/{}", segment(&id))),
            user_link: visit.console.path(&format!("/users/{}", segment(&user))),
            user: names.get(&user).cloned().unwrap_or(user),
            browser: browser(&agent),
            agent,
            address: found.text("ip"),
            started: found.moment("started_at", now),
            active: found.moment("touched_at", now),
            expires: found.moment("expires_at", now),
            why: found.at("ended").find("reason").map(|code| reason(&code)),
            revoke: (state == "active").then(|| revoke(visit, &[("kind", "session"), ("session", &id)], back)),
            state: Badge::of(&state),
            id,
        }
    }
}

/// Which browser and system a user agent claims to be.
fn browser(agent: &str) -> String {
    let has = |words: &str| agent.contains(words);
    let name = match () {
        () if has("Edg/") => "Edge",
        () if has("OPR/") => "Opera",
        () if has("Firefox/") => "Firefox",
        () if has("Chrome/") => "Chrome",
        () if has("Safari/") => "Safari",
        () => "A browser",
    };
    let system = match () {
        () if has("Android") => " on Android",
        () if has("iPhone") || has("iPad") => " on iOS",
        () if has("Windows") => " on Windows",
        () if has("Mac OS X") => " on macOS",
        () if has("Linux") => " on Linux",
        () => "",
    };
    format!("{name}{system}")
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct List {
    frame: Frame,
    sessions: Vec<Session>,
    pages: Pages,
    user: String,
    client: String,
    live: String,
}

const FILTERS: [&str; 4] = ["user", "client", "device", "live"];

/// `GET /console/sessions`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let filters = visit.query.picked(&FILTERS);
    let found = match listed(&visit, "/sessions", &filters, ROWS).await {
        // Nobody of that name is a filter that finds nothing.
        Err(Trouble::NotFound) => Json::default(),
        found => found?,
    };
    let (items, back) = (found.list("items"), here(&visit));
    let names = visit.user_names(items.iter().map(|item| item.text("user"))).await;
    Ok(shown(&List {
        frame: Frame::of(&visit, Section::Sessions),
        sessions: items.iter().map(|item| Session::of(&visit, item, &names, &back)).collect(),
        pages: Pages::of(&visit, "/sessions", &filters, &found),
        user: visit.query.text("user"),
        client: visit.query.text("client"),
        live: visit.query.text("live"),
    }))
}

#[derive(Template)]
#[template(path = "console/session.html")]
struct Page {
    frame: Frame,
    session: Session,
    device: Option<String>,
    source: String,
    signed_in: Vec<(Option<Moment>, String)>,
    applications: Vec<(String, String, String)>,
    ended_by: Vec<String>,
}

/// `GET /console/sessions/{id}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load(&format!("/sessions/{}", segment(visit.id()?))).await?;
    let names = found.find("user_name").map(|name| (found.text("user"), name));
    let session = Session::of(&visit, &found, &names.into_iter().collect(), &here(&visit));
    let clients = found.list("clients");
    let applications = clients.iter().map(|client| {
        let id = client.text("id");
        let path = visit.console.path(&link(&format!("/applications/{}", segment(&id)), &[]));
        (client.find("name").unwrap_or(id), path, count(client.number("active_grants").unwrap_or_default(), "grant"))
    });
    let proofs = found.list("authentications");
    let proofs = proofs.iter().map(|proof| (proof.moment("at", visit.now()), proof.texts("methods").join(", ")));
    let ended_by = found.list("revoked_by");
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Sessions),
        session,
        device: found.find("device_name").or_else(|| found.find("device")),
        source: found.text("source"),
        signed_in: proofs.collect(),
        applications: applications.collect(),
        ended_by: ended_by.iter().filter_map(|entry| entry.find("position")).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn a_browser_is_known_by_what_it_says() {
        let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0";
        assert_eq!((browser(firefox).as_str(), browser("<script>").as_str()), ("Firefox on Windows", "A browser"));
    }
}
