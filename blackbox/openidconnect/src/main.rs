//! Signs in, uses, refreshes, revokes and is refused over TLS, as an application built on the crate openidconnect would.

mod page;
mod person;
mod provider;

use openidconnect::core::{CoreRevocableToken, CoreTokenResponse};
use openidconnect::{AccessToken, OAuth2TokenResponse, RefreshToken, SubjectIdentifier};
use person::Person;
use provider::{Provider, SignedIn};
use std::process::ExitCode;

/// What went wrong, in words.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Which token is handed to the revocation endpoint (RFC 7009 2.1).
#[derive(Clone, Copy)]
enum Handle {
    Access,
    Refresh,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => {
            println!("openidconnect: all steps passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("FAIL  {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let provider = step("discovery over TLS", Provider::discover)?;
    for handle in [Handle::Access, Handle::Refresh] {
        grant_round(&provider, handle)?;
    }
    service(&provider)
}

/// A setting that must be there.
pub(crate) fn required(name: &str) -> Result<String, Failure> {
    optional(name).ok_or_else(|| format!("settings: the environment has no {name}").into())
}

/// A setting that may be missing; an empty one counts as missing.
pub(crate) fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Fails with `message` unless `condition` holds.
pub(crate) fn check(condition: bool, message: impl Into<String>) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(message.into().into()) }
}

/// Runs one step and prints its line; a failure gets the step's title and all its causes.
fn step<T>(title: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let result = work().map_err(|failure| {
        let mut text = format!("{title}: {failure}");
        let mut cause = failure.source();
        while let Some(inner) = cause {
            text = format!("{text}, because {inner}");
            cause = inner.source();
        }
        text
    })?;
    println!("ok    {title}");
    Ok(result)
}

fn sign_in(provider: &Provider) -> Result<SignedIn, Failure> {
    let person =
        Person { http: provider::http_client(true)?, username: required("USERNAME")?, password: required("PASSWORD")? };
    provider.sign_in(&person)
}

fn refreshed(
    provider: &Provider,
    first: &CoreTokenResponse,
    subject: &SubjectIdentifier,
) -> Result<CoreTokenResponse, Failure> {
    let refresh_token = first.refresh_token().ok_or("no refresh token was issued")?;
    let fresh = provider.refresh(refresh_token)?;
    let differs = fresh.access_token().secret() != first.access_token().secret();
    check(differs, "the access token is the same as before")?;
    provider.see_userinfo(fresh.access_token(), subject)?;
    Ok(fresh)
}

fn grant_round(provider: &Provider, handle: Handle) -> Result<(), Failure> {
    let word = match handle {
        Handle::Access => "access token",
        Handle::Refresh => "refresh token",
    };
    println!("--    revoking the {word}");
    let signed_in = step("sign in, consent, exchange the code, check the ID token", || sign_in(provider))?;
    let (first, subject) = (&signed_in.tokens, &signed_in.subject);
    step("userinfo answers", || provider.see_userinfo(first.access_token(), subject))?;
    step("introspection says active", || provider.see_active(first.access_token()))?;
    let fresh = step("refresh gives another access token", || refreshed(provider, first, subject))?;
    let refresh_token = fresh.refresh_token().or(first.refresh_token()).ok_or("no refresh token was issued")?;
    let revocable = || match handle {
        Handle::Access => CoreRevocableToken::from(fresh.access_token().clone()),
        Handle::Refresh => CoreRevocableToken::from(refresh_token.clone()),
    };
    step(&format!("revoke the {word}"), || provider.revoke(revocable()))?;
    see_refusal(provider, &[first.access_token(), fresh.access_token()], refresh_token)?;
    step("revoking again is no error", || provider.revoke(revocable()))
}

fn see_refusal(
    provider: &Provider,
    access_tokens: &[&AccessToken],
    refresh_token: &RefreshToken,
) -> Result<(), Failure> {
    for (token, number) in access_tokens.iter().zip(1..) {
        step(&format!("userinfo refuses access token {number}"), || provider.see_userinfo_refused(token))?;
        step(&format!("introspection says access token {number} is inactive"), || provider.see_inactive(token))?;
    }
    step("refresh is refused", || provider.see_refresh_refused(refresh_token))
}

fn service(provider: &Provider) -> Result<(), Failure> {
    println!("--    client credentials");
    let tokens = step("client_credentials gives a token", || provider.client_credentials())?;
    let token = tokens.access_token();
    step("introspection says active", || provider.see_active(token))?;
    step("revoke it", || provider.revoke(CoreRevocableToken::from(token.clone())))?;
    step("introspection says inactive", || provider.see_inactive(token))
}
