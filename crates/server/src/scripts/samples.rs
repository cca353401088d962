//! Events to try a script with before it is stored.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rescind_ledger::{Client, ClientAuthMethod, Initiator, Script, ScriptFailure, Target, Timestamp};

use super::{Endpoint, Event, Headers, Interpreter, NotAScript, Prepared, Run, Terms, Watch, ask, compile};

/// Tries a source on every sample.
///
/// # Errors
/// [`NotAScript`] if it does not compile.
pub fn try_out(
    source: &str,
    client: &str,
    watch: Watch,
    time: Duration,
) -> Result<Vec<(&'static str, Run)>, NotAScript> {
    const ISSUER: &str = "https://issuer.example";
    compile(source)?;
    let script = Prepared::new(Arc::new(Script {
        name: "sample".to_owned(),
        version: 0,
        source: source.into(),
        order: 0,
        enabled: true,
        stored_at: Timestamp(0),
        stored_by: Initiator::System("check".to_owned()),
    }));
    let (scripts, interpreter) = ([Arc::new(script)], Interpreter::new(watch));
    let terms = Terms { time, on_failure: ScriptFailure::Refuse };
    let asked = samples(client, ISSUER).into_iter().flat_map(|(words, event)| {
        let ruling = ask(&interpreter, &scripts, &Arc::new(event), ISSUER, terms);
        ruling.runs.into_iter().map(move |run| (words, run))
    });
    Ok(asked.collect())
}

/// One event of each kind that there is, with a few words for what it is. `client` is who asks.
fn samples(client: &str, issuer: &str) -> Vec<(&'static str, Event)> {
    let by = |method, endpoint| {
        let client = Client::new(client.to_owned(), client.to_owned(), method, Timestamp(0));
        Event { headers: headers(&[]), address: Some([192, 0, 2, 1].into()), ..Event::new(endpoint, &client) }
    };
    let confidential = |endpoint| by(ClientAuthMethod::ClientSecretBasic, endpoint);
    let public = || by(ClientAuthMethod::None, Endpoint::Revoke);
    let (user, grant) = (|| Some("u_sample".to_owned()), || Some("g_sample".to_owned()));
    let known = |event| Event { grant: grant(), user: user(), scope: "openid read".to_owned(), ..event };
    let at_revoke = |hint: Option<&str>, target| Event {
        target: Some(target),
        ..known(confidential(Endpoint::Revoke)).with_hint(hint)
    };
    let of_grant = || Target::Grant { grant: "g_sample".to_owned() };
    let subject = || Target::Subject { issuer: issuer.to_owned(), subject: "u_sample".to_owned() };
    let at_client =
        Target::SubjectClient { issuer: issuer.to_owned(), subject: "u_sample".to_owned(), client: client.to_owned() };
    vec![
        ("access token of a user", at_revoke(Some("access_token"), of_grant())),
        ("refresh token of a user, no hint", at_revoke(None, of_grant())),
        ("one token, not its grant", at_revoke(Some("access_token"), Target::Token { token: "t_sample".to_owned() })),
        ("token of a client without user", Event { user: None, ..at_revoke(None, of_grant()) }),
        (
            "token reported as leaked",
            Event { headers: headers(&[("x-revocation-reason", "leaked")]), ..at_revoke(None, of_grant()) },
        ),
        ("public client's token", Event { target: Some(of_grant()), ..known(public()) }),
        ("public client, unknown token", public()),
        ("unknown token", confidential(Endpoint::Revoke).with_hint(Some("refresh_token"))),
        ("unknown hint", at_revoke(Some("no_such_hint"), of_grant())),
        (
            "all tokens of the client",
            Event {
                target: Some(Target::Client { client: client.to_owned() }),
                hint: Some("all"),
                ..confidential(Endpoint::Revoke)
            },
        ),
        ("what a client holds of a user", Event { grant: None, ..at_revoke(None, at_client) }),
        (
            "sessions of a user",
            Event {
                target: Some(subject()),
                only_sessions: true,
                user: user(),
                ..confidential(Endpoint::RevokeSession)
            },
        ),
        ("sessions of an unknown user", confidential(Endpoint::RevokeSession)),
        (
            "everything of a user",
            Event { target: Some(subject()), user: user(), ..confidential(Endpoint::GlobalTokenRevocation) },
        ),
        ("everything of an unknown user", confidential(Endpoint::GlobalTokenRevocation)),
    ]
}

fn headers(more: &[(&'static str, &'static str)]) -> Headers {
    let own = [("user-agent", "rescind script check"), ("x-correlation-id", "sample")];
    let pairs = own.iter().chain(more);
    let pairs = pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    Headers::of(&HeaderMap::from_iter(pairs))
}
