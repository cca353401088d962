//! Consent: what a user lets a client have, asked once and remembered (OpenID Connect Core section 3.1.2.4).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use rescind_check::Verdict;
use rescind_ledger::{Consent, Lane, LedgerError, Reads, StoreError};
use url::Url;

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{object, one_of, text},
    },
    protocol::{
        authorization_request::Refusal,
        authorize::{self, Visit},
        browser::{FormKind, Posted},
        flow::{self, Flow},
        issue::Progress,
        pages::{self, ApiAccess, Site},
        signed_in::{SignedIn, find_signed_in},
        trouble::Trouble,
    },
};

/// `POST /consent`: the answer to the consent page.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(response) => response,
        Err(trouble) => trouble.page(&app),
    }
}

async fn answer(app: &App, request: Request) -> Result<Response, Trouble> {
    let posted = Posted::read(app, request, &[FormKind::Consent]).await?;
    let flow = flow::load(app, &posted.flow).await?;
    let visit = Visit { browser: posted.browser, flow };
    match posted.form.find("decision") {
        Some("allow") => {}
        Some("deny") => return visit.refuse(app, &Refusal::new("access_denied", "the user did not agree")),
        _ => return Err(Trouble::BadRequest("The form was sent without an answer.")),
    }
    let signed_in = find_signed_in(app, visit.browser.session()).await?;
    if let Some(signed_in) = signed_in {
        match give_consent(app, &visit.flow, &signed_in).await {
            // What was revoked meanwhile is found again, and said, on the way to the code.
            Ok(()) | Err(LedgerError::Revoked) => {}
            Err(why) => return Err(why.into()),
        }
    }
    authorize::go_on(app, visit, Progress::Consented).await
}

/// Remembers that the user lets the client have what it asks for. The consent is as old as the sign-in it was given in.
///
/// # Errors
/// [`LedgerError::Revoked`] if a cut-off is newer than that sign-in, or the session has ended.
pub async fn give_consent(app: &App, flow: &Flow, signed_in: &SignedIn) -> Result<(), LedgerError> {
    let now = app.now();
    let authentication = &signed_in.authentication;
    let lifetimes = app.lifetimes();
    let consent = Consent {
        user: signed_in.user.id.clone(),
        client: flow.client.id.clone(),
        scopes: scopes(flow).map(str::to_owned).collect(),
        audiences: flow.request.audiences.clone(),
        position: authentication.position,
        auth_time: authentication.at,
        at: now,
        expires_at: now.plus(lifetimes.consent).min(authentication.at.plus(lifetimes.horizon())),
    };
    let session = signed_in.trace(app);
    app.pace.at("submit").await;
    let work = app.submit(Lane::Issuing, move |door| {
        door.must_stand(&session)?;
        door.remember_consent(&consent)
    });
    work.await
}

/// Whether the user has let the client have all this before, and nothing has taken it back since.
///
/// # Errors
/// If the store cannot be read.
pub async fn is_remembered(app: &App, flow: &Flow, user: &str) -> Result<bool, StoreError> {
    app.pace.at("read consent").await;
    let consents = app.records.store.consents(user, &flow.client.id).await?;
    let (issuer, key, now) = (app.live.issuer(), app.live.key(), app.now());
    let counts = |consent: &Consent| {
        consent.expires_at > now && app.live.verdict(&consent.trace(issuer, key)) == Verdict::NotRevoked
    };
    Ok(consents.iter().any(|consent| covers(consent, flow) && counts(consent)))
}

fn covers(consent: &Consent, flow: &Flow) -> bool {
    scopes(flow).all(|scope| consent.scopes.iter().any(|given| given == scope))
        && flow.request.audiences.iter().all(|audience| consent.audiences.contains(audience))
}

fn scopes(flow: &Flow) -> impl Iterator<Item = &str> {
    flow.request.scope.split(' ').filter(|scope| !scope.is_empty())
}

/// The page that asks.
pub async fn ask(app: &App, visit: &mut Visit, signed_in: &SignedIn) -> Result<Response, Trouble> {
    let handle = visit.flow.keep(app).await?;
    let csrf = visit.browser.seal(&app.keys.csrf, FormKind::Consent, &handle);
    let site = Site::of(&app.config.issuer);
    let flow = &visit.flow;
    // The issuer is the audience of a token for userinfo: the scopes of OpenID Connect say it better.
    let apis: Vec<_> = flow.request.audiences.iter().filter_map(|audience| app.live.api(audience)).collect();
    let of_apis: Vec<Vec<&str>> = apis
        .iter()
        .map(|api| scopes(flow).filter(|scope| api.scopes.iter().any(|one| one == scope)).collect())
        .collect();
    let others: Vec<&str> = scopes(flow).filter(|scope| !of_apis.iter().any(|known| known.contains(scope))).collect();
    let accesses: Vec<_> = apis
        .iter()
        .zip(&of_apis)
        .map(|(api, scopes)| ApiAccess { name: &api.name, identifier: &api.audience, scopes })
        .collect();
    let page = pages::Consent {
        site,
        action: &site.path("/consent"),
        csrf: &csrf,
        flow: &handle,
        application: &flow.client.name,
        returns_to: &destination(&flow.request.redirect_uri),
        user: signed_in.person(),
        scopes: &others,
        apis: &accesses,
    };
    Ok(visit.browser.remember(pages::page(StatusCode::OK, &page, &[&flow.request.redirect_uri])))
}

/// Where an answer goes, as far as it says something: the host, or the scheme of a native application.
fn destination(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) => url.host_str().map_or_else(|| url.scheme().to_owned(), str::to_owned),
        Err(_) => String::new(),
    }
}

/// The form of the page.
pub(super) fn describe(it: Description) -> Description {
    let form = object().with("flow", text()).with("csrf", text()).with("decision", one_of(&["allow", "deny"]));
    it.form(form.open()).gives_page(200).redirects("Back to the application.").refuses(&[400, 429])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_is_the_host_or_the_scheme() {
        assert_eq!(destination("https://app.test:8443/cb?x=1"), "app.test");
        assert_eq!(destination("com.example.app:/cb"), "com.example.app");
        assert_eq!(destination("http://127.0.0.1:7777/cb"), "127.0.0.1");
    }
}
