//! A user's details, with what they hold in tabs: sessions, tokens, devices, grants and the audit trail.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::response::Response;

use super::{
    audit::{self, Record},
    frame::{Frame, Section, shown},
    json::Json,
    sessions::Session,
    trouble::Trouble,
    users::{Pages, ROWS, Row, here, listed, revoke},
    visit::{Visit, link, segment},
    words::{Badge, Moment, reason, sentence},
};

/// Each tab with its name in the address and for people.
const TABS: [(&str, &str); 5] = [
    ("sessions", "Sessions"),
    ("tokens", "OIDC and OAuth Tokens"),
    ("devices", "Devices"),
    ("grants", "Grants"),
    ("audit", "Audit"),
];

/// A token, or a grant.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) application_link: String,
    pub(super) kind: String,
    pub(super) scopes: Vec<String>,
    pub(super) apis: Vec<String>,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    pub(super) expires: Option<Moment>,
    pub(super) state: Badge,
    pub(super) why: Option<String>,
    pub(super) entry: Option<String>,
    /// The dialog, while there is something to end.
    pub(super) revoke: Option<String>,
}

/// Names of applications and APIs.
pub(super) struct Called {
    applications: HashMap<String, String>,
    apis: HashMap<String, String>,
}

impl Called {
    pub(super) async fn load(visit: &Visit) -> Self {
        Self { applications: visit.application_names().await, apis: visit.api_names().await }
    }

    fn api(&self, visit: &Visit, id: &str) -> String {
        if id == visit.console.issuer() {
            return "This server".to_owned();
        }
        self.apis.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

impl Held {
    /// An access token. One that came with a refresh token is ended by its grant, or the refresh token would bring another.
    pub(super) fn token(visit: &Visit, found: &Json, called: &Called, back: &str) -> Self {
        let kind = found.find("kind");
        let (id, grant) = (found.text("id"), found.text("grant"));
        let target = match kind.as_deref() {
            Some("access_and_refresh") => [("kind", "grant"), ("grant", grant.as_str())],
            _ => [("kind", "token"), ("token", id.as_str())],
        };
        let words = match kind.as_deref() {
            Some("userinfo") => "OIDC access".to_owned(),
            Some("access_and_refresh") => "OAuth access and refresh".to_owned(),
            Some("access") | None => "OAuth access".to_owned(),
            Some(other) => sentence(other),
        };
        let revoke = revoke(visit, &target, back);
        Self::of(visit, found, called, words, revoke)
    }

    fn grant(visit: &Visit, found: &Json, called: &Called, back: &str) -> Self {
        let words = found.find("kind").map_or_else(
            || {
                if found.is("session_bound") {
                    "With its session".to_owned()
                } else {
                    "Also while signed out".to_owned()
                }
            },
            |kind| sentence(&kind),
        );
        let revoke = revoke(visit, &[("kind", "grant"), ("grant", &found.text("id"))], back);
        Self::of(visit, found, called, words, revoke)
    }

    fn of(visit: &Visit, found: &Json, called: &Called, kind: String, revoke: String) -> Self {
        let (now, client, ended) = (visit.now(), found.text("client"), found.at("ended"));
        let state = found.text("state");
        Self {
            id: found.text("id"),
            application: called.applications.get(&client).cloned().unwrap_or_else(|| client.clone()),
            application_link: visit.console.path(&format!("/applications/{}", segment(&client))),
            kind,
            scopes: found.text("scope").split_whitespace().map(str::to_owned).collect(),
            apis: found.texts("audiences").iter().map(|api| called.api(visit, api)).collect(),
            first: found.moment("first_issued_at", now).or_else(|| found.moment("issued_at", now)),
            last: found.moment("last_issued_at", now).or_else(|| found.moment("issued_at", now)),
            expires: found.moment("expires_at", now),
            why: ended.find("reason").map(|code| reason(&code)),
            entry: ended.find("position").map(|at| visit.console.path(&format!("/revocations/{}", segment(&at)))),
            revoke: (state == "active").then_some(revoke),
            state: Badge::of(&state),
        }
    }
}

/// A managed device that the user signed in on.
struct Device {
    name: String,
    ids: Vec<String>,
    state: Badge,
    revoke: String,
}

/// What a tab shows.
enum Shown {
    Sessions(Vec<Session>),
    Tokens(Vec<Held>),
    Devices(Vec<Device>),
    Grants(Vec<Held>),
    Audit(Vec<Record>),
}

/// One tab: its name, its address, and whether it is in front.
struct Tab {
    name: &'static str,
    link: String,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "console/user.html")]
struct Page {
    frame: Frame,
    user: Row,
    email: String,
    enabled: bool,
    is_self: bool,
    change: String,
    switch: String,
    tabs: Vec<Tab>,
    shown: Shown,
    pages: Pages,
    /// Whether what has expired is listed as well.
    is_all: bool,
    /// The other choice.
    all_link: String,
    audit_link: String,
}

/// `GET /console/users/{id}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let user = visit.load(&format!("/users/{}", segment(visit.id()?))).await?;
    let id = user.text("id");
    let tab =
        visit.query.find("tab").and_then(|tab| TABS.iter().find(|(known, _)| *known == tab)).unwrap_or(&TABS[1]).0;
    let path = format!("/users/{}", segment(&id));
    let is_all = visit.query.find("live") == Some("false");
    let (found, shown_in_tab) = load(&visit, &id, tab, is_all).await?;
    let kept: Vec<(&str, &str)> = [("tab", tab)].into_iter().chain(is_all.then_some(("live", "false"))).collect();
    let to = |parameters: &[(&str, &str)]| visit.console.path(&link(&path, parameters));
    let tabs = TABS.iter().map(|(key, name)| Tab { name, link: to(&[("tab", key)]), is_here: *key == tab });
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Users),
        email: user.text("email"),
        enabled: user.is("enabled"),
        is_self: id == visit.pass.who.id,
        change: visit.console.path(&format!("{path}/change")),
        switch: visit.console.path(&format!("{path}/enabled")),
        tabs: tabs.collect(),
        shown: shown_in_tab,
        pages: Pages::of(&visit, &path, &kept, &found),
        all_link: to(&[("tab", tab), ("live", if is_all { "" } else { "false" })]),
        is_all,
        audit_link: visit.console.path(&link("/audit", &[("actor", &id)])),
        user: Row::of(&visit, &user, &here(&visit)),
    }))
}

async fn load(visit: &Visit, id: &str, tab: &str, is_all: bool) -> Result<(Json, Shown), Trouble> {
    let (back, live) = (here(visit), if is_all { "false" } else { "true" });
    let filters = [("user", id), ("live", live)];
    Ok(match tab {
        "sessions" => {
            let found = listed(visit, "/sessions", &filters, ROWS).await?;
            let sessions =
                found.list("items").iter().map(|one| Session::of(visit, one, &HashMap::new(), &back)).collect();
            (found, Shown::Sessions(sessions))
        }
        "devices" => (Json::default(), Shown::Devices(devices(visit, id).await?)),
        "grants" => {
            let (found, called) = (listed(visit, "/grants", &filters, ROWS).await?, Called::load(visit).await);
            let grants = found.list("items").iter().map(|one| Held::grant(visit, one, &called, &back)).collect();
            (found, Shown::Grants(grants))
        }
        "audit" => (Json::default(), Shown::Audit(audit::about(visit, id).await?)),
        _ => {
            let (found, called) = (listed(visit, "/tokens", &filters, ROWS).await?, Called::load(visit).await);
            let tokens = found.list("items").iter().map(|one| Held::token(visit, one, &called, &back)).collect();
            (found, Shown::Tokens(tokens))
        }
    })
}

/// Those on which the user has sessions, or had them lately.
async fn devices(visit: &Visit, user: &str) -> Result<Vec<Device>, Trouble> {
    let sessions = visit.load(&link("/sessions", &[("user", user), ("live", "false"), ("limit", "200")])).await?;
    let mut ids: Vec<String> = sessions.list("items").iter().filter_map(|one| one.find("device")).collect();
    ids.sort();
    ids.dedup();
    let mut devices = Vec::new();
    for id in ids {
        let Some(device) = visit.find(&format!("/devices/{}", segment(&id))).await? else { continue };
        let external = device.list("external_ids");
        devices.push(Device {
            name: device.text("name"),
            ids: external.iter().map(|one| format!("{}: {}", one.text("kind"), one.text("value"))).collect(),
            state: Badge::enabled(device.is("enabled")),
            revoke: revoke(visit, &[("kind", "device"), ("device", &id)], &here(visit)),
        });
    }
    Ok(devices)
}
