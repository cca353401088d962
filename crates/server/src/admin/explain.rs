//! Of one token: alive or dead, and if dead, by whose word, when and why.

use axum::response::Response;
use rescind_check::{Fault, Lineage};
use rescind_ledger::{
    AccessToken, Action, AuditEvent, Code, Grant, Hash, Inactive, Kind, Malformed, Position, Reads, RefreshToken,
    Target,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, ok},
    listings::{show_grant, show_token},
    problem::Problem,
    state,
};
use crate::{
    app::App,
    openapi::shape::{Shape, flag, free_object, list_of, maybe, object, text},
    protocol::mint::{audience_claim, insert},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = PresentedToken, examples(json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA" })))]
#[serde(deny_unknown_fields)]
pub(super) struct Presented {
    /// The text of any token or code, or an access token's id.
    token: String,
}

/// What [`explain`] answers.
pub(super) fn explained() -> Shape {
    let said = object().with("found", flag()).with("alive", flag()).with("why", text()).may("hint", text());
    let said = said.may("kind", text()).may("record", free_object()).may("revoked_by", list_of(free_object()));
    said.may("fault", maybe(text())).named("Explanation")
}

/// What a text turned out to be.
enum Found {
    Access(AccessToken),
    Refresh { token: RefreshToken, grant: Grant, used: bool },
    Code { code: Code, used: bool },
}

/// Why a token counts or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    /// A code that was redeemed, or a refresh token that was replaced.
    Consumed,
    Dead(Inactive),
}

pub(super) async fn explain(call: Call) -> Result<Response, Problem> {
    let Presented { token } = call.body()?;
    let Some(found) = seen(&call, token.trim()).await? else { return Ok(ok(&unknown(token.trim()))) };
    let fate = found.fate(&call.app).await?;
    let (entries, fault) = causes(&call.app, &found).await?;
    Ok(ok(&json!({
        "found": true,
        "alive": fate == Fate::Alive,
        "why": fate.word(),
        "kind": found.kind(),
        "record": found.record(),
        "revoked_by": entries,
        "fault": fault.map(fault_word),
    })))
}

/// Finds the token, and records whose it is before anything of it is shown.
async fn seen(call: &Call, text: &str) -> Result<Option<Found>, Problem> {
    let found = find(&call.app, text).await?;
    let event = AuditEvent::new(Action::Read, Some(call.initiator.clone()), "unknown_token").about("a token");
    let event = match &found {
        Some(found) => {
            let (client, user) = found.holder();
            let note = user.map_or_else(
                || format!("of the client {client}"),
                |user| format!("of the user {user} at the client {client}"),
            );
            AuditEvent { outcome: "shown".to_owned(), ..event.on(found.target()).with_note(note) }
        }
        None => event,
    };
    call.app.audit(event).await?;
    Ok(found)
}

/// What an API would hear, without the limits on who may know.
pub(super) async fn introspect(call: Call) -> Result<Response, Problem> {
    let Presented { token } = call.body()?;
    let inactive = json!({ "active": false });
    let Some(found) = seen(&call, token.trim()).await? else { return Ok(ok(&inactive)) };
    if found.fate(&call.app).await? != Fate::Alive {
        return Ok(ok(&inactive));
    }
    Ok(ok(&found.introspected(&call.app).unwrap_or(inactive)))
}

async fn find(app: &App, text: &str) -> Result<Option<Found>, Problem> {
    let (hash, store) = (Hash::of(text), &app.records.store);
    if let Some(token) = store.find_access_token(&hash).await? {
        return Ok(Some(Found::Access(token)));
    }
    if let Some((token, grant)) = store.find_refresh_token(&hash).await? {
        let used = store.refresh_token_used(&hash).await?;
        return Ok(Some(Found::Refresh { token, grant, used }));
    }
    let Some(code) = store.find_code(&hash).await? else {
        return Ok(store.find_access_token_by_id(text).await?.map(Found::Access));
    };
    // A code's grant is written down when the code is redeemed.
    let used = store.find_grant(&code.grant.id).await?.is_some();
    Ok(Some(Found::Code { code, used }))
}

/// Of a text that is in no record, its form may still tell something.
fn unknown(text: &str) -> Value {
    let hint = match Kind::recognise(text) {
        Ok(_) => "it has the right form, but was not issued here, or was forgotten after it expired",
        Err(Malformed::Length) => "it begins like one of ours, but is too short or too long: it was not copied whole",
        Err(Malformed::Checksum) => {
            "it begins like one of ours, but its checksum is wrong: it was copied with a mistake"
        }
        Err(Malformed::Prefix) => "it was not issued here, or was forgotten after it expired",
    };
    json!({ "found": false, "alive": false, "why": "unknown", "hint": hint })
}

impl Found {
    fn target(&self) -> Target {
        match self {
            Self::Access(token) => Target::Token { token: token.id.clone() },
            Self::Refresh { grant, .. } => Target::Grant { grant: grant.id.clone() },
            Self::Code { code, .. } => Target::Grant { grant: code.grant.id.clone() },
        }
    }

    /// The client, and the user whom it is about.
    fn holder(&self) -> (&str, Option<&str>) {
        match self {
            Self::Access(token) => (&token.client, token.user.as_deref()),
            Self::Refresh { grant, .. } => (&grant.client, grant.user.as_deref()),
            Self::Code { code, .. } => (&code.grant.client, code.grant.user.as_deref()),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Access(_) => "access_token",
            Self::Refresh { .. } => "refresh_token",
            Self::Code { .. } => "authorization_code",
        }
    }

    async fn fate(&self, app: &App) -> Result<Fate, Problem> {
        let (own_end, used, state) = match self {
            Self::Access(token) => (token.expires_at, false, state::of_token(app, token).await?),
            Self::Refresh { token, grant, used } => (token.expires_at, *used, state::of_grant(app, grant).await?),
            Self::Code { code, used } => (code.expires_at, *used, state::of_grant(app, &code.grant).await?),
        };
        Ok(match state {
            Err(Inactive::Revoked) => Fate::Dead(Inactive::Revoked),
            _ if used => Fate::Consumed,
            Ok(()) if own_end <= app.now() => Fate::Dead(Inactive::Expired),
            Ok(()) => Fate::Alive,
            Err(why) => Fate::Dead(why),
        })
    }

    fn record(&self) -> Value {
        match self {
            Self::Access(token) => show_token(token),
            Self::Refresh { token, grant, .. } => {
                let mut shown = show_grant(grant);
                insert(&mut shown, "grant", Some(grant.id.clone().into()));
                insert(&mut shown, "id", Some(Value::Null));
                insert(&mut shown, "issued_at", Some(json!(token.issued_at)));
                insert(&mut shown, "expires_at", Some(json!(token.expires_at)));
                shown
            }
            Self::Code { code, .. } => {
                let mut shown = show_grant(&code.grant);
                insert(&mut shown, "grant", Some(code.grant.id.clone().into()));
                insert(&mut shown, "id", Some(Value::Null));
                insert(&mut shown, "redirect_uri", Some(code.redirect_uri.clone().into()));
                insert(&mut shown, "issued_at", Some(json!(code.issued_at)));
                insert(&mut shown, "expires_at", Some(json!(code.expires_at)));
                shown
            }
        }
    }

    fn with_lineage<R>(&self, issuer: &str, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        match self {
            Self::Access(token) => token.with_lineage(issuer, look),
            Self::Refresh { grant, .. } | Self::Code { code: Code { grant, .. }, .. } => {
                grant.with_lineage(issuer, &[], look)
            }
        }
    }

    /// RFC 7662 section 2.2; a code is no token.
    fn introspected(&self, app: &App) -> Option<Value> {
        let mut answer = match self {
            Self::Access(token) => json!({
                "active": true,
                "iss": app.config.issuer,
                "client_id": token.client,
                "sub": token.user.as_ref().unwrap_or(&token.client),
                "aud": audience_claim(&token.audiences),
                "scope": token.scope,
                "token_type": "Bearer",
                "jti": token.id,
                "iat": token.issued_at.secs(),
                "exp": token.expires_at.secs(),
                "grant_id": token.grant,
            }),
            Self::Refresh { token, grant, .. } => json!({
                "active": true,
                "iss": app.config.issuer,
                "client_id": grant.client,
                "scope": grant.scope,
                "iat": token.issued_at.secs(),
                "exp": token.expires_at.secs(),
                "grant_id": grant.id,
            }),
            Self::Code { .. } => return None,
        };
        let (session, device) = match self {
            Self::Access(token) => (&token.session, &token.device),
            Self::Refresh { grant, .. } | Self::Code { code: Code { grant, .. }, .. } => {
                insert(&mut answer, "sub", grant.user.clone().map(Value::String));
                (&grant.session, &grant.device)
            }
        };
        insert(&mut answer, "sid", session.clone().map(Value::String));
        insert(&mut answer, "device_id", device.clone().map(Value::String));
        Some(answer)
    }
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Alive => "active",
            Self::Consumed => "consumed",
            Self::Dead(why) => state::word(Err(why)),
        }
    }
}

/// The entries that end it, by the very search that makes the verdict, and what is wrong with its stamp.
async fn causes(app: &App, found: &Found) -> Result<(Vec<Value>, Option<Fault>), Problem> {
    let (targets, fault) = found.with_lineage(app.live.issuer(), |lineage| ended_by(app, lineage));
    Ok((describe_all(app, targets).await?, fault))
}

/// Where in the ledger that stands which ends a lineage, and what is wrong with its stamp.
pub(super) fn ended_by(app: &App, lineage: &Lineage<'_>) -> (Vec<(Target, Position)>, Option<Fault>) {
    app.live.look(|index, _| {
        let matching = index.matching(lineage, app.live.key()).into_iter();
        let targets = matching.map(|(target, at)| (Target::from_ref(&target), at)).collect();
        (targets, index.fault(lineage.position))
    })
}

/// The entries at these places.
pub(super) async fn describe_all(app: &App, targets: Vec<(Target, Position)>) -> Result<Vec<Value>, Problem> {
    let mut entries = Vec::new();
    for (target, position) in targets {
        entries.push(describe(app, &target, position).await?);
    }
    Ok(entries)
}

async fn describe(app: &App, target: &Target, position: Position) -> Result<Value, Problem> {
    let entry = app.records.store.find_entry(position).await?;
    Ok(entry.map_or_else(|| json!({ "position": position.to_string(), "target": target }), |entry| json!(entry)))
}

fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::UnknownEpoch => {
            "issued in an epoch that this ledger does not know: before a restore, or by another server"
        }
        Fault::BeyondEpoch => "issued on a database that a restore has replaced",
        Fault::BelowFloor => "older than anything that is still remembered",
        Fault::AboveHead => "stamped beyond the end of the ledger: revocations may be missing here",
    }
}
