//! The example scripts as they are shipped.

use super::*;

const LEAKED_TOKEN: &str = include_str!("../../../../../docs/examples/scripts/leaked-token.rhai");
const ONLY_THESE_CLIENTS: &str = include_str!("../../../../../docs/examples/scripts/only-these-clients.rhai");
const BREAK_GLASS: &str = include_str!("../../../../../docs/examples/scripts/break-glass.rhai");

fn by(client: &str) -> Event {
    Event { client: client.to_owned(), ..event() }
}

fn with_reason(reason: &'static str) -> Event {
    let pairs = [("x-revocation-reason".parse().unwrap(), HeaderValue::from_static(reason))];
    Event { headers: Headers::of(&HeaderMap::from_iter(pairs)), ..event() }
}

#[test]
fn a_token_reported_as_leaked_ends_everything_of_its_user() {
    for report in [with_reason("leaked"), with_reason("compromised"), by("secret-scanner")] {
        let answer = run(LEAKED_TOKEN, report).unwrap();
        assert_eq!((answer.decision, answer.breadth), (Decision::Allow, Some(Breadth::User)));
        assert_eq!(answer.note.as_deref(), Some("reported as leaked"));
    }
    for other in [event(), with_reason("tidying up"), by("portal")] {
        assert_eq!(run(LEAKED_TOKEN, other).unwrap(), asked("allow()").unwrap());
    }
    let nobodys = run(LEAKED_TOKEN, Event { user: None, ..with_reason("leaked") }).unwrap();
    assert_eq!((nobodys.decision, nobodys.breadth), (Decision::Allow, None));
    let unknown = Event { target: None, user: None, grant: None, ..with_reason("leaked") };
    assert_eq!(run(LEAKED_TOKEN, unknown).unwrap(), asked("allow()").unwrap());
}

#[test]
fn only_the_clients_that_are_named_may_revoke() {
    for named in ["portal", "mobile-app", "secret-scanner"] {
        assert_eq!(run(ONLY_THESE_CLIENTS, by(named)).unwrap().decision, Decision::Allow);
    }
    for other in ["web", "Portal", "portal2", ""] {
        let decision = run(ONLY_THESE_CLIENTS, by(other)).unwrap().decision;
        assert!(matches!(&decision, Decision::DenyWith { code, .. } if code == "unauthorized_client"), "{decision:?}");
    }
}

#[test]
fn what_is_protected_goes_on_and_it_is_noted_who_asked() {
    for (user, grant) in [
        (Some("u_break-glass"), "g_1"),
        (Some("u_backup"), "g_1"),
        (Some("u_1"), "g_backup-robot"),
        (None, "g_backup-robot"),
    ] {
        let asked = Event { user: user.map(str::to_owned), grant: Some(grant.to_owned()), ..event() };
        let answer = run(BREAK_GLASS, asked).unwrap();
        assert_eq!(answer.decision, Decision::DenySilently);
        assert!(answer.note.unwrap().contains("web asked"));
    }
    for asked in [event(), Event { user: None, ..event() }, Event { target: None, user: None, grant: None, ..event() }]
    {
        assert_eq!(run(BREAK_GLASS, asked).unwrap().decision, Decision::Allow);
    }
}

#[test]
fn every_example_has_an_answer_to_every_sample() {
    for source in [LEAKED_TOKEN, ONLY_THESE_CLIENTS, BREAK_GLASS] {
        let runs = try_out(source, "web", still(), TIME).unwrap();
        assert!(runs.len() >= 15);
        for (words, run) in runs {
            assert!(run.outcome.is_ok(), "{words}: {:?}", run.outcome);
        }
    }
    let careless = try_out("fn revoke(event) { allow().widen(\"user\") }", "web", still(), TIME).unwrap();
    let failed: Vec<_> = careless.iter().filter(|(_, run)| run.outcome.is_err()).map(|(words, _)| *words).collect();
    assert_eq!(failed, ["token of a client without user", "all tokens of the client"]);
}
