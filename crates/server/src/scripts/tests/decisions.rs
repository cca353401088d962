//! What a script sees, and what its answer comes to.

use super::*;

const ISSUER: &str = "https://id.example";

#[test]
fn a_script_sees_what_the_event_says() {
    let all = "let e = event; allow().note(`${e.endpoint} ${e.client} ${e.client_is_public} ${e.target} ${e.hint} ${e.known} ${e.grant} \
               ${e.user} ${e.scope} ${e.has_scope(\"read\")} ${e.has_scope(\"rea\")} ${e.address} ${e.header(\"origin\")}`)";
    let seen = asked(all).unwrap().note.unwrap();
    assert_eq!(seen, "revoke web false token access_token true g_1 u_1 read write true false  ");
    let client = Client::new("spa".to_owned(), String::new(), ClientAuthMethod::None, Timestamp(0));
    let unknown = Event { address: Some([192, 0, 2, 1].into()), ..Event::new(Endpoint::RevokeSession, &client) };
    let seen = run(&format!("fn revoke(event) {{ {all} }}"), unknown).unwrap().note.unwrap();
    assert_eq!(seen, "revoke_session spa true none  false    false false 192.0.2.1 ");
    let nothing =
        "if event.hint == () && event.user == () && event.header(\"origin\") == () { allow() } else { deny() }";
    let nobodys = Event { hint: None, user: None, ..event() };
    assert_eq!(run(&format!("fn revoke(event) {{ {nothing} }}"), nobodys).unwrap().decision, Decision::Allow);
}

#[test]
fn a_script_allows_denies_silently_or_denies_with_an_error() {
    assert_eq!(asked("allow()"), Ok(Answer { decision: Decision::Allow, note: None, breadth: None }));
    assert_eq!(asked("return deny().note(\"no\");").unwrap().note.as_deref(), Some("no"));
    assert_eq!(asked("deny()").unwrap().decision, Decision::DenySilently);
    let with = |code: &str, description: &str| Decision::DenyWith {
        code: code.to_owned(),
        description: description.to_owned(),
    };
    assert_eq!(asked("deny(\"access_denied\", \"not you\")").unwrap().decision, with("access_denied", "not you"));
    assert_eq!(asked("deny(\"access_denied\")").unwrap().decision, with("access_denied", ""));
    let both = asked("allow().note(\"a\").widen(\"grant\").note(\"b\").widen(\"user\").widen(\"grant\")").unwrap();
    assert_eq!((both.note.as_deref(), both.breadth), (Some("a; b"), Some(Breadth::User)));
}

#[test]
fn texts_are_looked_at_and_put_together() {
    let all = "let s = \" Aé \"; allow().note(`${s.len} ${s.len()} ${s.trim()} ${s.to_lower().trim()} ${s.to_upper().trim()} \
               ${s.index_of(\"é\")} ${s.index_of(\"x\")} ${s.sub_string(1, 2)} ${s.contains(\"é\")} ${\"x\" in s} ${s.starts_with(\" A\")} \
               ${s.ends_with(\"é\")} ${s.sub_string(-5, 1)}|${s.sub_string(9, 9)}|`)";
    assert_eq!(asked(all).unwrap().note.as_deref(), Some("4 4 Aé aé AÉ 2 -1 Aé true false true false  ||"));
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for (body, kind) in [("", "()"), ("true", "bool"), ("\"allow\"", "string"), ("event", "Event")] {
        let Err(Failure::NoAnswer(found)) = asked(body) else { panic!("{body} is an answer") };
        assert!(found.contains(kind), "{body}: {found}");
    }
}

#[test]
fn an_error_of_a_scripts_choice_is_one_that_oauth_allows() {
    for body in [
        "deny(\"\")",
        "deny(\"a\\\"b\")",
        "deny(\"a\\\\b\")",
        "deny(\"a\\nb\")",
        "deny(\"é\")",
        "deny(\"ok\", \"a\\r\\nSet-Cookie: x\")",
        "let s = \"x\"; while s.len < 65 { s += \"x\"; } deny(s)",
        "let s = \"x\"; while s.len < 501 { s += \"x\"; } deny(\"ok\", s)",
        "allow().note(\"\")",
        "allow().note(\"a\\nb\")",
        "let s = \"x\"; while s.len < 501 { s += \"x\"; } allow().note(s)",
        "allow().widen(\"world\")",
        "deny().widen(\"user\")",
    ] {
        assert!(matches!(asked(body), Err(Failure::Raised(_))), "{body}");
    }
}

#[test]
fn a_text_that_is_no_script_is_told_what_it_lacks() {
    assert!(matches!(why_not("fn revoke(event) { "), NotAScript::Syntax(why) if why.contains("line 1")));
    assert!(matches!(why_not("fn revoke(event) { unknown }"), NotAScript::Syntax(why) if why.contains("unknown")));
    for source in ["", "fn other(event) { allow() }", "fn revoke() { allow() }", "fn revoke(a, b) { allow() }"] {
        assert_eq!(why_not(source), NotAScript::NoFunction, "{source}");
    }
    for statement in ["allow();", "let x = 1;", "const X = 1;", "42", "\"x\"", "if true { allow() }", "revoke(1)"] {
        let source = format!("fn revoke(event) {{ allow() }}\n{statement}");
        assert_eq!(why_not(&source), NotAScript::Statement(Some(2)), "{statement}");
    }
}

fn widened(breadth: Breadth, target: Target) -> Result<Option<Target>, CannotWiden> {
    breadth.widened(&Event { target: Some(target), ..event() }, ISSUER)
}

#[test]
fn a_target_gets_wider_and_never_narrower() {
    let text = str::to_owned;
    let (token, grant) = (Target::Token { token: text("t_1") }, Target::Grant { grant: text("g_1") });
    let user = Target::Subject { issuer: text(ISSUER), subject: text("u_1") };
    let session = Target::Session { session: text("s_1") };
    let at_client = Target::SubjectClient { issuer: text(ISSUER), subject: text("u_1"), client: text("web") };
    assert_eq!(widened(Breadth::Grant, token.clone()), Ok(Some(grant.clone())));
    for kept in [&grant, &session, &user, &at_client, &Target::Everything, &Target::Client { client: text("web") }] {
        assert_eq!(widened(Breadth::Grant, kept.clone()), Ok(Some(kept.clone())));
    }
    for narrower in [token, grant, session, at_client, user.clone()] {
        assert_eq!(widened(Breadth::User, narrower), Ok(Some(user.clone())));
    }
    let sessions = |breadth: Breadth| {
        let event = Event { target: Some(user.clone()), only_sessions: true, ..event() };
        (event.target_kind(), breadth.widened(&event, ISSUER))
    };
    assert_eq!(sessions(Breadth::User), ("session", Ok(Some(user.clone()))));
    assert_eq!(sessions(Breadth::Grant), ("session", Ok(Some(user.clone()))));
    assert_eq!(widened(Breadth::User, Target::Everything), Ok(Some(Target::Everything)));
    let other = widened(Breadth::User, Target::Client { client: text("web") });
    assert_eq!(other, Err(CannotWiden::OtherKind("client")), "neither is in the other");
}

#[test]
fn what_has_no_user_cannot_be_widened_to_one_and_what_is_unknown_stays_so() {
    let nobodys = Event { user: None, ..event() };
    assert_eq!(Breadth::User.widened(&nobodys, ISSUER), Err(CannotWiden::NoSuch(Breadth::User)));
    let ungranted = Event { grant: None, ..event() };
    assert_eq!(Breadth::Grant.widened(&ungranted, ISSUER), Err(CannotWiden::NoSuch(Breadth::Grant)));
    let unknown = Event { target: None, user: None, grant: None, ..event() };
    assert_eq!(Breadth::User.widened(&unknown, ISSUER), Ok(None));
}
