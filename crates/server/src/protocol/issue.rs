//! Answering an authorization request: what still has to happen before there is a code, and the code.
//!
//! Nothing here speaks HTTP, so that the schedules of these steps against revocations can be run by a test.

use std::time::Duration;

use rescind_check::Verdict;
use rescind_ledger::{Code, Grant, Hash, Kind, Lane, LedgerError, RefreshBinding, Secret, StoreError, Timestamp};

use crate::{
    app::App,
    clock::{fresh_id, random},
    protocol::{
        authorization_request::{Refusal, find_registered},
        consent::is_remembered,
        flow::Flow,
        logout_status,
        signed_in::{SignedIn, find_signed_in},
    },
};

/// What the user has done for this very request, as the form that was posted shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing yet.
    Begun,
    /// Chose to go on with the account there is.
    AccountChosen,
    /// Gave the password.
    Authenticated,
    /// Agreed.
    Consented,
}

/// What comes next.
pub enum Next {
    /// Ask for user name and password.
    SignIn,
    /// Ask the same user for the password again.
    Password(SignedIn),
    /// Ask whether to go on with this account.
    Account(SignedIn),
    /// Ask for consent.
    Consent(SignedIn),
    /// Hand the code to the client.
    Code(Issued),
    /// Hand an error to the client.
    Refuse(Refusal),
    /// The request no longer stands as it was made, or has had its answer.
    Over(Over),
}

/// What a client gets.
pub struct Issued {
    pub code: Secret,
    pub logout_status_jwt: Option<String>,
}

/// Why a request gets no answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Answered,
    Expired,
}

/// Takes an authorization request as far as it goes without its user.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn advance(app: &App, flow: &Flow, cookie: Option<Hash>, progress: Progress) -> Result<Next, LedgerError> {
    let request = &flow.request;
    let signed_in = find_signed_in(app, cookie).await?;
    let expected = |signed_in: &SignedIn| request.subject.as_ref().is_none_or(|subject| *subject == signed_in.user.id);
    let Some(signed_in) = signed_in.filter(expected) else {
        return Ok(unless_silent(flow, "login_required", "the user is not signed in", Next::SignIn));
    };
    if request.prompt.select_account && progress < Progress::AccountChosen {
        return Ok(Next::Account(signed_in));
    }
    if progress < Progress::Authenticated && is_too_old(app, flow, &signed_in) {
        return Ok(must_prove_again(flow, signed_in));
    }
    // From here on nobody is asked in vain: the request and the sign-in both stand as of now.
    if !flow.holds(app) {
        return Ok(Next::Over(Over::Expired));
    }
    if !is_untouched(app, &grant(app, flow, &signed_in)) {
        return Ok(must_prove_again(flow, signed_in));
    }
    if progress < Progress::Consented && !is_agreed(app, flow, &signed_in).await? {
        return Ok(unless_silent(flow, "consent_required", "the user has not agreed", Next::Consent(signed_in)));
    }
    match issue_code(app, flow, &signed_in).await {
        Ok(code) => Ok(Next::Code(code)),
        // Something was revoked a moment ago, and with it the sign-in this rests on.
        Err(LedgerError::Revoked) if app.live.verdict(&signed_in.trace(app)) == Verdict::NotRevoked => {
            Ok(must_prove_again(flow, signed_in))
        }
        Err(LedgerError::Revoked) => Ok(unless_silent(flow, "login_required", "the session has ended", Next::SignIn)),
        Err(LedgerError::Replayed) => Ok(Next::Over(Over::Answered)),
        Err(why) => Err(why),
    }
}

/// Issues the code for a user who is signed in and agrees, and with it the id of the grant.
///
/// # Errors
/// [`LedgerError::Revoked`] if something it rests on was revoked, [`LedgerError::Replayed`] if the flow had its code.
pub async fn issue_code(app: &App, flow: &Flow, signed_in: &SignedIn) -> Result<Issued, LedgerError> {
    if !flow.holds(app) {
        return Err(LedgerError::Revoked);
    }
    let redirect_uri = &flow.request.redirect_uri;
    let secret = Secret::form(Kind::Code, &random());
    let now = app.now();
    let code = Code {
        hash: secret.hash(),
        grant: grant(app, flow, signed_in),
        redirect_uri: redirect_uri.clone(),
        registered_redirect_uri: find_registered(&flow.client, redirect_uri).unwrap_or(redirect_uri).to_owned(),
        code_challenge: flow.request.code_challenge.clone(),
        issued_at: now,
        expires_at: now.plus(app.lifetimes().code),
    };
    let logout_status = logout_status::make(app, flow, &code.grant);
    let (logout_record, logout_status_jwt) = logout_status.map(|made| (made.record, made.jwt)).unzip();
    let used_up = flow.stored_as();
    let session = signed_in.trace(app);
    app.pace.at("submit").await;
    let work = app.submit(Lane::Issuing, move |door| {
        door.must_stand(&session)?;
        door.issue_code(&code, used_up.as_ref())?;
        logout_record.as_ref().map_or(Ok(()), |jwt| door.issue_logout_status(jwt))
    });
    work.await?;
    Ok(Issued { code: secret, logout_status_jwt })
}

/// The grant as it would be: dated from the authentication, not from now (DESIGN rule 1).
fn grant(app: &App, flow: &Flow, signed_in: &SignedIn) -> Grant {
    let (request, session, now) = (&flow.request, signed_in.record(), app.now());
    let authentication = &signed_in.authentication;
    let session_bound = match flow.client.refresh_binding {
        RefreshBinding::Always => true,
        RefreshBinding::Never => false,
        RefreshBinding::UnlessOffline => !request.is_offline(),
    };
    Grant {
        id: fresh_id("g_"),
        client: flow.client.id.clone(),
        user: Some(session.user.clone()),
        session: Some(session.id.clone()),
        session_bound,
        device: session.device.clone(),
        scope: request.scope.clone(),
        audiences: request.audiences.clone(),
        position: authentication.position,
        auth_time: Some(authentication.at),
        nonce: request.nonce.clone(),
        issued_at: now,
        expires_at: now.plus(life(app, flow)).min(authentication.at.plus(app.lifetimes().horizon())),
    }
}

fn life(app: &App, flow: &Flow) -> Duration {
    let lifetimes = app.lifetimes();
    if flow.client.grant_types.iter().any(|grant| grant == "refresh_token") {
        return lifetimes.refresh_token;
    }
    let own = flow.request.audiences.iter().filter_map(|audience| app.live.api(audience)?.access_token_secs).max();
    // The access token begins when the code is redeemed.
    lifetimes.code + lifetimes.access_token.max(Duration::from_secs(own.unwrap_or(0).into()))
}

/// Whether nothing has ended a grant, nor any of its audiences for it.
fn is_untouched(app: &App, grant: &Grant) -> bool {
    let (issuer, key) = (app.live.issuer(), app.live.key());
    let stands = |trace| app.live.verdict(&trace) == Verdict::NotRevoked;
    stands(grant.trace(issuer, key)) && grant.audiences.iter().all(|one| stands(grant.trace_for(one, issuer, key)))
}

/// First-party clients belong to whoever runs the server; for the others the user is asked once.
async fn is_agreed(app: &App, flow: &Flow, signed_in: &SignedIn) -> Result<bool, StoreError> {
    if flow.request.prompt.consent {
        return Ok(false);
    }
    Ok(flow.client.first_party || is_remembered(app, flow, &signed_in.user.id).await?)
}

fn is_too_old(app: &App, flow: &Flow, signed_in: &SignedIn) -> bool {
    let exceeds = |max_age: u32| exceeds(signed_in.authentication.at, max_age, app.now());
    flow.request.prompt.login || flow.request.max_age.is_some_and(exceeds)
}

/// `max_age=0` asks for a fresh proof whatever the clock says (OpenID Connect Core section 3.1.2.1).
fn exceeds(authenticated_at: Timestamp, max_age: u32, now: Timestamp) -> bool {
    max_age == 0 || now.since(authenticated_at) > Duration::from_secs(max_age.into())
}

fn must_prove_again(flow: &Flow, signed_in: SignedIn) -> Next {
    unless_silent(flow, "login_required", "the user has to sign in again", Next::Password(signed_in))
}

fn unless_silent(flow: &Flow, code: &'static str, description: &'static str, next: Next) -> Next {
    if flow.request.prompt.none { Next::Refuse(Refusal::new(code, description)) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_too_old_only_beyond_its_age() {
        let at = Timestamp(1_000_000);
        assert!(!exceeds(at, 10, Timestamp(1_010_000)));
        assert!(exceeds(at, 10, Timestamp(1_010_001)));
        assert!(exceeds(at, 0, at));
        assert!(!exceeds(at, u32::MAX, Timestamp(1_000_000_000_000)));
    }
}
