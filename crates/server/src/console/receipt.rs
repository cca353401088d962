//! The receipt of a revocation: what it ended, who knows of it, and who is still to be told. It fills in by itself until nothing
//! is counted or waited for any more.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, Method, StatusCode},
    response::Response,
};

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    target::{Mark, Names, users_of},
    trouble::Trouble,
    visit::{Visit, segment, user_name},
    words::{Badge, Moment, reason, thousands},
};

/// One receiver's row.
struct Delivery {
    receiver: String,
    kind: String,
    state: Badge,
    attempts: String,
    last: Option<Moment>,
    next: Option<Moment>,
    error: String,
}

/// What is shown of a revocation.
struct Receipt {
    position: String,
    target: Mark,
    reason: String,
    initiator: String,
    note: Option<String>,
    time: Option<Moment>,
    durable: Option<Moment>,
    before: Option<Moment>,
    applied: Vec<(String, Option<Moment>)>,
    is_counting: bool,
    /// Whether there was so much that the numbers are the least.
    is_least: bool,
    counts: Vec<(&'static str, String)>,
    by_application: Vec<(String, String)>,
    deliveries: Vec<Delivery>,
    /// Whether something may still change.
    is_open: bool,
    /// Where it is shown.
    here: String,
}

#[derive(Template)]
#[template(path = "console/receipt.html")]
struct Page {
    frame: Frame,
    receipt: Receipt,
    signed: String,
}

/// The part that htmx asks for again and again.
#[derive(Template)]
#[template(path = "console/receipt_part.html")]
struct Part {
    receipt: Receipt,
}

/// In the dialog, after the order.
#[derive(Template)]
#[template(path = "console/receipt_dialog.html")]
struct InDialog {
    receipt: Receipt,
}

/// What is left to show to somebody whose own token ended with the rest.
#[derive(Template)]
#[template(path = "console/outcome.html")]
struct Outcome {
    frame: Frame,
    position: String,
    target: Mark,
    time: Option<Moment>,
    /// A link for this one purpose.
    link: Option<String>,
    is_part: bool,
}

/// `GET /console/revocations/{position}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load(&path(visit.id()?)).await?;
    let receipt = Receipt::of(&visit, &found).await;
    if visit.is_partial() {
        return Ok(shown(&Part { receipt }));
    }
    let signed = visit.console.path(&format!("/revocations/{}/signed", segment(visit.id()?)));
    Ok(shown(&Page { frame: Frame::of(&visit, Section::Revocations), receipt, signed }))
}

/// `GET /console/revocations/{position}/signed`: the receipt in the form that can be verified without us.
pub(super) async fn signed(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load(&format!("{}/receipt", path(visit.id()?))).await?;
    let text = found.find("receipt").ok_or(Trouble::NotFound)?;
    let mut response = Response::new(text.into());
    let name = format!("attachment; filename=\"receipt-{}.jws\"", visit.id()?);
    let headers = [
        ("content-type", HeaderValue::from_static("application/jose")),
        ("content-disposition", HeaderValue::try_from(name).map_err(|_| Trouble::NotFound)?),
        ("cache-control", HeaderValue::from_static("no-store")),
        ("x-content-type-options", HeaderValue::from_static("nosniff")),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

fn path(position: &str) -> String {
    format!("/revocations/{}", segment(position))
}

/// What is shown after an order. It may have ended the very token that gave it: then the answer is all there is.
pub(super) async fn of_order(visit: &Visit, answered: &Json) -> Result<Response, Trouble> {
    let position = answered.text("position");
    match visit.ask(Method::GET, &path(&position), None).await {
        Ok(found) if found.status == StatusCode::OK => {
            if !visit.is_partial() {
                return Ok(visit.go(&format!("/revocations/{}", segment(&position))));
            }
            Ok(shown(&InDialog { receipt: Receipt::of(visit, &found.body).await }))
        }
        Ok(_) | Err(_) => Ok(shown(&outcome(visit, answered))),
    }
}

fn outcome(visit: &Visit, answered: &Json) -> Outcome {
    // Nobody can be looked up any more, but one name is known.
    let who = &visit.pass.who;
    let names = Names { users: [(who.id.clone(), who.name().to_owned())].into(), ..Names::default() };
    let link =
        answered.find("receipt").filter(|link| link.starts_with(visit.console.issuer()) || link.starts_with('/'));
    Outcome {
        frame: Frame::of(visit, Section::Revocations),
        position: answered.text("position"),
        target: Mark::of(visit, &answered.at("target"), &names),
        time: answered.moment("time", visit.now()),
        link,
        is_part: visit.is_partial(),
    }
}

impl Receipt {
    async fn of(visit: &Visit, found: &Json) -> Self {
        let (now, target, ended) = (visit.now(), found.at("target"), found.at("ended"));
        let initiator = found.at("initiator");
        let administrator = (initiator.text("kind") == "administrator" || initiator.text("kind") == "user")
            .then(|| initiator.text("id"))
            .filter(|id| id.starts_with("u_"));
        let mut names = Names {
            users: known_user(found),
            applications: visit.application_names().await,
            apis: visit.api_names().await,
        };
        let unknown = users_of([&target].into_iter()).into_iter().chain(administrator);
        let unknown: Vec<String> = unknown.filter(|id| !names.users.contains_key(id)).collect();
        names.users.extend(visit.user_names(unknown).await);
        let deliveries: Vec<Delivery> = found.list("deliveries").iter().map(|one| Delivery::of(one, visit)).collect();
        let is_pending = found.list("deliveries").iter().any(|one| one.text("state") == "pending");
        let is_counting = ended.is("counting");
        let counts =
            [("Users", "users"), ("Sessions", "sessions"), ("Grants", "grants"), ("Access tokens", "access_tokens")];
        let counts = counts.into_iter().filter_map(|(words, name)| Some((words, thousands(ended.number(name)?))));
        Self {
            target: Mark::of(visit, &target, &names),
            reason: reason(&found.text("reason")),
            initiator: said_by(&initiator, &names),
            note: found.find("note"),
            time: found.moment("time", now),
            durable: found.moment("durable_at", now),
            before: found.moment("before", now),
            applied: applied(found, visit),
            is_counting,
            counts: counts.collect(),
            by_application: by_application(&ended, &names),
            deliveries,
            is_open: if found.has("finished") { !found.is("finished") } else { is_counting || is_pending },
            is_least: ended.is("at_least"),
            here: visit.console.path(&path(&found.text("position"))),
            position: found.text("position"),
        }
    }
}

/// The user as of the entry, who may be called otherwise now, or be gone.
fn known_user(found: &Json) -> HashMap<String, String> {
    let user = found.at("user");
    let name = user_name(&user);
    if name.is_empty() { HashMap::new() } else { HashMap::from([(user.text("id"), name)]) }
}

/// On whose word, in words.
pub(super) fn said_by(initiator: &Json, names: &Names) -> String {
    let id = initiator.text("id");
    let name = names.users.get(&id).or_else(|| names.applications.get(&id)).cloned().unwrap_or(id);
    match initiator.text("kind").as_str() {
        "administrator" if name == "local" => "the server's own command line".to_owned(),
        "system" => format!("the server, by its rule {name}"),
        "" => "somebody unknown".to_owned(),
        kind => format!("{kind} {name}"),
    }
}

fn by_application(ended: &Json, names: &Names) -> Vec<(String, String)> {
    let one = |item: &Json| {
        let id = item.text("client");
        (
            names.applications.get(&id).cloned().unwrap_or(id),
            thousands(item.number("access_tokens").unwrap_or_default()),
        )
    };
    ended.list("by_client").iter().map(one).collect()
}

/// Where the index knows of it: here, on other nodes, and at edges.
fn applied(found: &Json, visit: &Visit) -> Vec<(String, Option<Moment>)> {
    let (applied, now) = (found.at("applied"), visit.now());
    let mut all = Vec::new();
    if applied.has("this_server") {
        all.push(("This server".to_owned(), applied.moment("this_server", now)));
    }
    for (list, kind) in [("nodes", "Node"), ("edges", "Edge")] {
        for one in applied.list(list) {
            all.push((format!("{kind} {}", one.text("name")), one.moment("at", now)));
        }
    }
    all
}

impl Delivery {
    fn of(one: &Json, visit: &Visit) -> Self {
        Self {
            receiver: one.text("receiver"),
            kind: one.text("kind"),
            state: Badge::of(&one.text("state")),
            attempts: one.text("attempts"),
            last: one.moment("last_at", visit.now()),
            next: one.moment("next_at", visit.now()),
            error: one.text("last_error"),
        }
    }
}
