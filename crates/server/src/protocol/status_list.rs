//! `GET` and `POST /status_list/{id}`: which tokens no longer hold, for whoever checks them without asking about each
//! (Token Status List, draft-ietf-oauth-status-list). And the list of those lists.

mod media_type;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_jose::Kind as JwtKind;
use rescind_ledger::{Feature, Settings, SigningAlgorithm, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{list_of, number, object, text},
    },
    protocol::{
        cors,
        error::{ProtocolError, answer},
        feature,
        form::Form,
    },
    status_lists::{BITS, Packed, Past, SignedFor},
};
use media_type::MediaType;

pub(super) fn describe(it: Description) -> Description {
    let list = object().with("bits", number()).with("lst", text());
    it.query("time", number(), "As of this moment, in seconds since 1970.")
        .header("If-None-Match", text(), "What is known already.")
        .answers(200, MediaType::Jwt.name(), text())
        .answers(200, MediaType::Json.name(), list.named("StatusList"))
        .gives_nothing(304)
        .refuses(&[400, 403, 404, 406])
}

pub(super) fn describe_aggregation(it: Description) -> Description {
    it.gives(200, object().with("status_lists", list_of(text())).named("StatusLists")).refuses(&[403])
}

/// The address of a list: what a token names, and the `sub` of the list itself (sections 5.1 and 6.2).
#[must_use]
pub fn uri(app: &App, id: &str) -> String {
    format!("{}/status_list/{id}", app.config.issuer)
}

fn aggregation_uri(app: &App) -> String {
    format!("{}/status_list_aggregation", app.config.issuer)
}

/// The endpoint of one list.
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    finish(&app, find(&app, &id, &parts).await)
}

/// Without an id there is no list.
pub async fn which(State(app): State<Arc<App>>) -> Response {
    let why = feature::require(&app, Feature::StatusList).err().unwrap_or_else(|| {
        ProtocolError::not_found(
            "name a list: a token has its address in status.status_list.uri, and all lists stand at /status_list_aggregation",
        )
    });
    finish(&app, Err(why))
}

/// Section 9: the addresses of all lists.
pub async fn aggregation(State(app): State<Arc<App>>) -> Response {
    finish(&app, aggregate(&app).await)
}

async fn aggregate(app: &App) -> Result<Response, ProtocolError> {
    feature::require(app, Feature::StatusList)?;
    let lists = app.status_lists.all(app.now()).await?;
    let uris: Vec<String> = lists.iter().map(|list| uri(app, &list.id)).collect();
    let mut response = answer(StatusCode::OK, "application/json", json!({ "status_lists": uris }).to_string());
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    headers.insert(header::CACHE_CONTROL, max_age(app.settings().status_list_ttl)?);
    Ok(response)
}

fn finish(app: &App, found: Result<Response, ProtocolError>) -> Response {
    cors::open(found.unwrap_or_else(|why| {
        app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "status_list"), ("error", why.code())]);
        why.into_response()
    }))
}

async fn find(app: &App, id: &str, parts: &Parts) -> Result<Response, ProtocolError> {
    feature::require(app, Feature::StatusList)?;
    let settings = app.settings();
    let media_type = MediaType::wanted(&parts.headers).ok_or_else(|| {
        ProtocolError::not_acceptable("a list is application/statuslist+jwt or application/statuslist+json")
    })?;
    let unknown = || ProtocolError::not_found("there is no such list, or all its tokens have expired");
    let now = app.now();
    match requested_moment(parts)? {
        None => {
            let list = app.status_lists.present(id, now).await?.ok_or_else(unknown)?;
            respond(app, &settings, Shown { id, list: &list, at: now, media_type }, parts)
        }
        Some(at) if at > now.secs() => Err(unknown()),
        Some(secs) => {
            // The whole of that second, as far as it has passed.
            let at = Timestamp::from_secs(secs).plus(Duration::from_millis(999)).min(now);
            match app.status_lists.past(id, at, now).await? {
                Past::Stood(list) => respond(app, &settings, Shown { id, list: &list, at, media_type }, parts),
                Past::Unknown => Err(unknown()),
                Past::Busy => Err(ProtocolError::unavailable()),
            }
        }
    }
}

/// Section 8.4: a moment in seconds since 1970, if one is asked for.
fn requested_moment(parts: &Parts) -> Result<Option<i64>, ProtocolError> {
    let form = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let read = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|secs| digits && *secs <= LATEST)
    };
    form.find("time").map(|text| read(text).ok_or(NOT_A_MOMENT)).transpose().map_err(ProtocolError::invalid_request)
}

const NOT_A_MOMENT: &str = "`time` is a number of seconds since 1970";
/// Far beyond any clock, and still good for milliseconds.
const LATEST: i64 = 1 << 40;

/// A list on its way out.
#[derive(Clone, Copy)]
struct Shown<'a> {
    id: &'a str,
    list: &'a Packed,
    /// As of when.
    at: Timestamp,
    media_type: MediaType,
}

fn respond(app: &App, settings: &Settings, shown: Shown<'_>, parts: &Parts) -> Result<Response, ProtocolError> {
    let tag = entity_tag(app, settings, &shown);
    let mut response = if is_known(parts, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match shown.media_type {
            MediaType::Json => json!({ "bits": BITS, "lst": shown.list.lst }).to_string(),
            MediaType::Jwt => signed(app, settings, &shown)?.as_ref().to_owned(),
        };
        answer(StatusCode::OK, shown.media_type.name(), body)
    };
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    headers.insert(header::CACHE_CONTROL, max_age(settings.status_list_ttl)?);
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::ETAG, HeaderValue::try_from(tag).map_err(|_| ProtocolError::server_error())?);
    Ok(response)
}

fn max_age(ttl: u32) -> Result<HeaderValue, ProtocolError> {
    HeaderValue::try_from(format!("public, max-age={ttl}")).map_err(|_| ProtocolError::server_error())
}

/// A weak one: the signed form of the same list has another `iat` each second. It changes with everything that matters, and
/// in time before a signed list that somebody keeps expires.
fn entity_tag(app: &App, settings: &Settings, shown: &Shown<'_>) -> String {
    let half_lives = shown.at.secs() / i64::from(settings.status_list_response_jwt_lifetime / 2).max(1);
    let mut hash = Sha256::new();
    hash.update(&shown.list.lst);
    let rest = match shown.media_type {
        MediaType::Json => "json".to_owned(),
        MediaType::Jwt => {
            let ring = app.keys.ring();
            let kid = ring.signing(SigningAlgorithm::RS256).kid();
            format!(
                "jwt {kid} {} {} {half_lives}",
                settings.status_list_ttl, settings.status_list_response_jwt_lifetime
            )
        }
    };
    hash.update(rest);
    let print = URL_SAFE_NO_PAD.encode(hash.finalize());
    format!("W/\"{}\"", print.get(..22).unwrap_or_default())
}

/// RFC 9110 section 13.1.2, by weak comparison.
fn is_known(parts: &Parts, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

/// Section 5.1. It is signed once a second at most, however often it is fetched.
fn signed(app: &App, settings: &Settings, shown: &Shown<'_>) -> Result<Arc<str>, ProtocolError> {
    let ring = app.keys.ring();
    let key = ring.signing(SigningAlgorithm::RS256);
    let iat = shown.at.secs();
    let signed_for = SignedFor {
        kid: key.kid().to_owned(),
        iat,
        ttl: settings.status_list_ttl,
        lifetime: settings.status_list_response_jwt_lifetime,
    };
    let mut last = shown.list.signed.lock();
    if let Some((known, jwt)) = last.as_ref()
        && *known == signed_for
    {
        return Ok(jwt.clone());
    }
    let claims = json!({
        "iss": app.config.issuer,
        "sub": uri(app, shown.id),
        "iat": iat,
        "exp": iat.saturating_add(settings.status_list_response_jwt_lifetime.into()),
        "ttl": settings.status_list_ttl,
        "status_list": { "bits": BITS, "lst": shown.list.lst, "aggregation_uri": aggregation_uri(app) },
    });
    let jwt: Arc<str> = key
        .sign(JwtKind::StatusList, &claims)
        .map_err(|why| {
            tracing::error!(error = %why, "cannot sign a status list");
            ProtocolError::server_error()
        })?
        .into();
    *last = Some((signed_for, jwt.clone()));
    Ok(jwt)
}
