//! `POST /global-token-revocation` (draft-parecki-oauth-global-token-revocation-05): everything of one user ends: sessions,
//! grants, and tokens, those with `offline_access` too (section 3.3).

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::Response,
};
use rescind_ledger::{Client, Feature, Initiator, Lane, Order, Reason, Target};
use serde_json::json;
use url::{Host, Url};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Shape, any_of, list_of, name, object, one_of, text},
    },
    protocol::{
        error::{ProtocolError, empty},
        feature,
        form::{Form, read_body},
        interception::permit,
        mount::Mount,
        privileged::{self, Endpoint, GLOBAL_TOKEN_REVOCATION},
        sub_id::{Identifier, SubId},
        user_attribute::Attribute,
    },
    scripts::{self, Event, Permission},
};

const ENDPOINT: Endpoint = Endpoint { path: "/global-token-revocation", label: "global_token_revocation" };

/// The endpoint.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    match carry_out(&app, request).await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(why) => ENDPOINT.refuse(&app, why).await,
    }
}

async fn carry_out(app: &App, request: Request) -> Result<(), ProtocolError> {
    feature::require(app, Feature::GlobalTokenRevocation)?;
    let (parts, body) = request.into_parts();
    // Before the body: who may not ask learns nothing about whom one can ask.
    let caller = privileged::authorize(app, &parts, &named_in_query(&parts)?, GLOBAL_TOKEN_REVOCATION).await?;
    must_be_json(&parts)?;
    let body = read_body(body, app.config.limits.body_bytes).await?;
    let sub_id = SubId::read(&body, app.settings().global_token_revocation_attribute_formats)
        .map_err(|why| ProtocolError::invalid_request(why.to_string()))?;
    let user = find_user(app, &sub_id).await?;
    let target = user.clone().map(|subject| Target::Subject { issuer: app.config.issuer.clone(), subject });
    let asking = Event::of(scripts::Endpoint::GlobalTokenRevocation, &caller, &parts.headers);
    match permit(app, Event { target: target.clone(), user, ..asking }).await? {
        Some(permission) => settle(app, target, permission, &caller, Mount::of(&parts.extensions)).await,
        // As if it had been done.
        None => Ok(()),
    }
}

/// The body has no room for the name of a client that a certificate speaks for (RFC 8705 section 2), so it stands in the
/// query. Nothing else is read there: a secret in an address ends up in logs.
fn named_in_query(parts: &Parts) -> Result<Form, ProtocolError> {
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    Form::of(query.filter(|(name, _)| name == "client_id"))
}

fn must_be_json(parts: &Parts) -> Result<(), ProtocolError> {
    let content_type = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    Err(ProtocolError::invalid_request("the body must be application/json"))
}

/// The id of the one user whom every identifier may mean that means anybody at all.
///
/// All of them identify the same subject (RFC 9493 section 3.2.8), so one that several users share, such as an e-mail
/// address, is narrowed by the others; and one that is not known here says nothing.
///
/// # Errors
/// If more than one user is left, or none because the identifiers contradict each other: nobody is picked at random.
async fn find_user(app: &App, sub_id: &SubId) -> Result<Option<String>, ProtocolError> {
    let mut left: Option<Vec<String>> = None;
    for identifier in &sub_id.identifiers {
        let meant = meant_by(app, identifier).await?;
        if meant.is_empty() {
            continue;
        }
        left = Some(match left {
            Some(before) => before.into_iter().filter(|user| meant.contains(user)).collect(),
            None => meant,
        });
    }
    let Some(mut left) = left else { return Ok(None) };
    match (left.pop(), left.is_empty()) {
        (Some(user), true) => Ok(Some(user)),
        (Some(_), false) => {
            Err(ProtocolError::ambiguous_subject("several users are named like this; name one by its id"))
        }
        (None, _) => Err(ProtocolError::ambiguous_subject("the identifiers name different users")),
    }
}

/// The ids of the users whom an identifier may mean.
async fn meant_by(app: &App, identifier: &Identifier) -> Result<Vec<String>, ProtocolError> {
    let by = async |attribute: Attribute, value: &str| {
        Ok::<_, ProtocolError>(attribute.users(app, value).await?.into_iter().map(|user| user.id).collect::<Vec<_>>())
    };
    match identifier {
        Identifier::Subject { issuer, subject } if *issuer == app.config.issuer => by(Attribute::Id, subject).await,
        Identifier::Subject { .. } => Ok(Vec::new()),
        Identifier::Id(id) => by(Attribute::Id, id).await,
        Identifier::Email(address) => by(Attribute::Email, address).await,
        Identifier::Attribute(attribute, value) => by(*attribute, value).await,
        Identifier::Account { user, host } => {
            let mut meant = by(Attribute::UserName, &format!("{user}@{host}")).await?;
            if is_our_host(app, host) {
                let plain = by(Attribute::UserName, user).await?;
                meant.extend(plain.into_iter().filter(|id| !meant.contains(id)).collect::<Vec<_>>());
            }
            Ok(meant)
        }
    }
}

/// Whether accounts at a host are ours: it is the issuer's.
fn is_our_host(app: &App, host: &str) -> bool {
    let ours = Url::parse(&app.config.issuer).ok().and_then(|issuer| issuer.host().map(|host| host.to_owned()));
    ours.is_some_and(|ours| Host::parse(host).is_ok_and(|host| host == ours))
}

/// One order for everything of the user, whatever it is and however much; or the record that there is nobody.
async fn settle(
    app: &App,
    target: Option<Target>,
    permission: Permission,
    caller: &Client,
    mount: Mount,
) -> Result<(), ProtocolError> {
    let is_known = target.is_some();
    let order = target
        .map(|target| permission.order(Order::new(target, Reason::UserRequest, Initiator::Client(caller.id.clone()))));
    let fruitless = ENDPOINT.fruitless(caller, "unknown_subject");
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ending = app.submit(Lane::Ending, move |door| {
        permission.record(door)?;
        match &order {
            Some(order) => door.end(order).map(|_| ()),
            None if mount == Mount::Janssen => door.record(&fruitless),
            // The refusal has a record.
            None => Ok(()),
        }
    });
    ending.await?;
    if is_known {
        app.telemetry.revoke_seconds.record(begun.elapsed());
        let labels = [("target", "subject"), ("reason", Reason::UserRequest.code())];
        app.telemetry.count("rescind_revocations_total", &labels);
        return Ok(());
    }
    match mount {
        // Section 3.4.
        Mount::Issuer => Err(ProtocolError::unknown_subject()),
        // Janssen's clients take anything but 204 for a failure, and there is nothing to end.
        Mount::Janssen => Ok(()),
    }
}

/// One subject identifier (RFC 9493), as [`SubId::read`] takes it.
fn sub_id() -> Shape {
    let of = |format: &str| object().with("format", one_of(&[format]));
    let alias = object().with("format", text()).open();
    any_of([
        of("account").with("uri", name()).closed(),
        of("aliases").with("identifiers", list_of(alias)).closed(),
        of("email").with("email", name()).closed(),
        of("iss_sub").with("iss", name()).with("sub", name()).closed(),
        of("opaque").with("id", name()).closed(),
        object().with("format", one_of(&Attribute::names())).with("id", name()).closed(),
    ])
}

pub(super) fn describe(it: Description) -> Description {
    let body = object().with("sub_id", sub_id());
    let body = body.for_example(json!({ "sub_id": { "format": "opaque", "id": "u_AAAAAAAAAAAAAAAAAAAAAA" } }));
    it.says(
        "Needs the scope `global_token_revocation`. The name of an attribute is a format if \
         `globalTokenRevocationAttributeFormats` is set. Under the prefix for Janssen's clients an unknown user is no error.",
    )
    .query("client_id", text(), "For a client that its certificate speaks for.")
    .json(body.closed())
    .gives_nothing(204)
    .refuses(&[400, 401, 403, 404, 422])
}
