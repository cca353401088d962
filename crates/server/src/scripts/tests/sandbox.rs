//! What is not there cannot be reached.

use super::*;

#[test]
fn there_is_no_way_to_the_world() {
    for word in [
        "eval(\"1\")",
        "print(\"x\")",
        "debug(\"x\")",
        "import \"x\" as x",
        "export x",
        "[1]",
        "event[0]",
        "\"x\"[0]",
        "#{a: 1}",
        "Fn(\"revoke\")",
        "|x| x",
    ] {
        let body = format!("fn revoke(event) {{ {word}; allow() }}");
        assert!(matches!(why_not(&body), NotAScript::Syntax(_)), "{word}");
    }
    for call in [
        "sleep(1)",
        "timestamp()",
        "exit(allow())",
        "exit()",
        "open_file(\"/etc/passwd\")",
        "parse_json(\"{}\")",
        "rand()",
        "get_fn_metadata_list()",
        "blob(1000000)",
    ] {
        let Err(Failure::Raised(why)) = asked(&format!("{call}; allow()")) else { panic!("{call} is there") };
        assert!(why.contains("Function not found"), "{call}: {why}");
    }
}

#[test]
fn an_event_cannot_be_changed() {
    for change in [
        "event.client = \"other\"; allow()",
        "event.user = (); allow()",
        "event.scope += \" admin\"; allow()",
        "event.known = false; allow()",
    ] {
        assert!(matches!(asked(change), Err(Failure::Raised(_))), "{change}");
    }
    let of_its_own =
        asked("let s = event.scope; s += \" admin\"; if event.has_scope(\"admin\") { deny() } else { allow() }");
    assert_eq!(of_its_own.unwrap().decision, Decision::Allow, "what a getter gives is a copy");
}

#[test]
fn an_event_has_no_member_of_another_name() {
    for member in ["token", "secret", "authorization", "headers", "client_id", "cookie"] {
        assert!(matches!(asked(&format!("event.{member}")), Err(Failure::Raised(_))), "{member}");
    }
}

#[test]
fn a_token_in_the_place_of_the_hint_is_not_shown() {
    for (given, seen) in [("rt_SECRET", "other"), ("Refresh_Token", "refresh_token"), ("", "other"), ("all", "all")] {
        let shown = run("fn revoke(event) { allow().note(event.hint) }", event().with_hint(Some(given)));
        assert_eq!(shown.unwrap().note.as_deref(), Some(seen));
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
    let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    Headers::of(&HeaderMap::from_iter(pairs))
}

fn sees(name: &str, headers: Headers) -> Result<Option<String>, Failure> {
    let source = format!(
        "fn revoke(event) {{ let v = event.header(\"{name}\"); if v == () {{ allow() }} else {{ allow().note(v) }} }}"
    );
    run(&source, Event { headers, ..event() }).map(|answer| answer.note)
}

#[test]
fn of_the_headers_a_script_sees_those_that_authorize_nothing() {
    const SECRET: &str = "Basic c2VjcmV0";
    for name in ["authorization", "cookie", "proxy-authorization", "referer", "x-forwarded-for", "x-api-key", "dpop"] {
        let given =
            headers(&[("authorization", SECRET), ("cookie", SECRET), ("referer", SECRET), ("user-agent", "curl")]);
        assert!(!format!("{given:?}").contains(SECRET));
        let Err(Failure::Raised(why)) = sees(name, given) else { panic!("{name} is seen") };
        assert!(why.contains("may not see") && why.contains("user-agent"), "{why}");
    }
    for name in Headers::NAMES {
        assert_eq!(sees(name, headers(&[(name, "value")])).unwrap().as_deref(), Some("value"));
        assert_eq!(sees(&name.to_uppercase(), headers(&[(name, "value")])).unwrap().as_deref(), Some("value"));
        assert_eq!(sees(name, Headers::default()).unwrap(), None);
    }
}

#[test]
fn a_header_that_is_ambiguous_unreadable_or_long_does_no_harm() {
    let twice = HeaderMap::from_iter([]);
    let mut twice = twice;
    twice.append("user-agent", HeaderValue::from_static("a"));
    twice.append("user-agent", HeaderValue::from_static("b"));
    assert_eq!(sees("user-agent", Headers::of(&twice)).unwrap(), None);
    let odd = HeaderMap::from_iter([("user-agent".parse().unwrap(), HeaderValue::from_bytes(b"\xff").unwrap())]);
    assert_eq!(sees("user-agent", Headers::of(&odd)).unwrap(), None);
    let long = HeaderValue::from_str(&"x".repeat(10_000)).unwrap();
    let cut = Headers::of(&HeaderMap::from_iter([("user-agent".parse().unwrap(), long)]));
    let event = Event { headers: cut, ..event() };
    let measured = run("fn revoke(event) { allow().note(event.header(\"user-agent\").len().to_string()) }", event);
    assert_eq!(measured.unwrap().note.as_deref(), Some("512"));
}
