//! Each limit stops what would go on for ever or grow without bound.

use super::*;

const ANSWER: &str = "allow()";

fn stopped(body: &str) -> Failure {
    asked(&format!("{body} {ANSWER}")).expect_err("it is stopped")
}

#[test]
fn a_script_without_end_is_stopped_by_the_number_of_its_operations() {
    for body in [
        "loop {}",
        "while true {}",
        "let x = 0; loop { x += 1; }",
        "let i = 0; while i < 1000000000 { i += 1; }",
        "do {} while true;",
    ] {
        assert_eq!(stopped(body), Failure::Limit("operations"), "{body}");
    }
}

#[test]
fn what_stops_a_script_cannot_be_caught_by_it() {
    assert_eq!(stopped("loop { try { loop {} } catch {} }"), Failure::Limit("operations"));
    let recursing = "fn revoke(event) { try { revoke(event) } catch { allow() } }";
    assert_eq!(run(recursing, event()), Err(Failure::Limit("depth of calls")));
    assert_eq!(stopped("try { let s = \"x\"; loop { s += s; } } catch {}"), Failure::Limit("memory"));
}

#[test]
fn recursion_is_stopped_however_it_is_done() {
    let straight = "fn revoke(event) { revoke(event) }";
    let in_a_circle = "fn revoke(event) { other(event) } fn other(event) { revoke(event) }";
    let by_doubling = "fn revoke(event) { twice(event); allow() } fn twice(e) { twice(e); twice(e); }";
    for source in [straight, in_a_circle, by_doubling] {
        assert_eq!(run(source, event()), Err(Failure::Limit("depth of calls")), "{source}");
    }
}

/// Both limits at once, on a thread with the least stack that runs scripts: tokio's, and that of these tests, of 2 MiB.
#[test]
fn the_deepest_recursion_through_the_deepest_expressions_does_not_exhaust_the_stack() {
    let mut deepest = None;
    for nesting in 1..64 {
        let (open, close) = ("(1 + ".repeat(nesting), ")".repeat(nesting));
        let source = format!("fn revoke(event) {{ {open} revoke(event) {close} }}");
        if let Ok(script) = compile(&source) {
            deepest = Some((nesting, script));
        }
    }
    let (nesting, script) = deepest.unwrap();
    assert!(nesting > 5, "a limit too low to be of use: {nesting}");
    let asked = Interpreter::new(still()).run(&script, &Arc::new(event()), TIME);
    assert_eq!(asked, Err(Failure::Limit("depth of calls")));
    for (open, close) in
        [("if true { ", " } else { 1 }"), ("f(", ")"), ("-", ""), ("`${", "}`"), ("1 == ", ""), ("true && ", "")]
    {
        let nested = (1..64).rev().find_map(|nesting| {
            let (open, close) = (open.repeat(nesting), close.repeat(nesting));
            compile(&format!("fn revoke(event) {{ {open}revoke(event){close} }}")).ok()
        });
        let asked = Interpreter::new(still()).run(&nested.unwrap(), &Arc::new(event()), TIME);
        assert_eq!(asked, Err(Failure::Limit("depth of calls")), "{open}");
    }
}

#[test]
fn a_source_nested_beyond_measure_is_refused_and_not_followed() {
    let deep = |open: &str, close: &str| {
        let times = (Scripts::SOURCE_LIMIT - 200) / (open.len() + close.len());
        format!("fn revoke(event) {{ {}1{} }}", open.repeat(times), close.repeat(times))
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("#{a:", "}"),
        ("!", ""),
        ("-", ""),
        ("1+", ""),
        ("1**", ""),
        ("true&&", ""),
        ("a.", ""),
        ("a[", "]"),
        ("f(", ")"),
        ("if true {", "}"),
        ("if true {} else ", ""),
        ("let x = ", ""),
        ("|x| ", ""),
        ("`${", "}`"),
        ("return ", ""),
        ("while true {", "}"),
        ("switch 1 { 1 => ", "}"),
        ("try {", "} catch {}"),
        ("a ?? ", ""),
        ("/*", "*/"),
    ] {
        // Whether it compiles does not matter: it must not bring down whoever compiles and runs it.
        if let Ok(script) = compile(&deep(open, close)) {
            let _ = Interpreter::new(still()).run(&script, &Arc::new(event()), TIME);
        }
    }
}

#[test]
fn memory_bombs_are_defused() {
    for body in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = s + s; }",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
        "let s = \"x\"; loop { s = `${s} and ${s}`; }",
        "let s = \"x\"; loop { s = s.to_debug(); }",
        "let s = \"ﬃ\"; loop { s += s; s = s.to_upper(); }",
        "let s = \"x\"; loop { s += 'x'; s += s; }",
    ] {
        assert_eq!(stopped(body), Failure::Limit("memory"), "{body}");
    }
}

/// Found by the property below: between two operations nothing stops a script.
#[test]
fn no_function_that_could_go_on_for_ever_is_there() {
    for call in
        ["s.pad(9, \"\")", "s.replace(\"\", s)", "range(0, 9, 1)", "s.split(\"\")", "s.chars()", "for i in 0..9 {}"]
    {
        assert!(matches!(asked(&format!("let s = \"x\"; {call}; allow()")), Err(Failure::Raised(_))), "{call}");
    }
}

#[test]
fn variables_are_limited_too() {
    let many: String = (0..200).map(|n| format!("let v{n} = 1; ")).collect();
    assert_eq!(stopped(&many), Failure::Limit("variables"));
}

#[test]
fn a_script_that_takes_too_long_is_stopped_by_the_watch() {
    let passed = Arc::new(AtomicU64::new(0));
    let watch: Watch = {
        let passed = passed.clone();
        Arc::new(move || Duration::from_millis(passed.fetch_add(1, Ordering::Relaxed)))
    };
    let interpreter = Interpreter::new(watch);
    let script = compile("fn revoke(event) { let i = 0; while i < 10000 { i += 1; } allow() }").unwrap();
    let (event, time) = (Arc::new(event()), Duration::from_millis(100));
    assert_eq!(interpreter.run(&script, &event, time), Err(Failure::Limit("time")));
    let looked = passed.load(Ordering::Relaxed);
    assert!(looked < 110, "it goes on no longer than until the next look: {looked}");
    assert!(interpreter.run(&script, &event, Duration::from_secs(1000)).is_ok(), "each run has its own time");
}

#[test]
fn a_source_that_is_too_long_is_refused() {
    let long = format!("fn revoke(event) {{ allow() }}\n//{}", "x".repeat(Scripts::SOURCE_LIMIT));
    assert_eq!(why_not(&long), NotAScript::TooLong);
    assert!(compile(&long[..Scripts::SOURCE_LIMIT]).is_ok());
}

#[test]
fn whatever_a_script_raises_is_told_in_one_short_line() {
    let Err(Failure::Raised(why)) = asked("let s = \"é\\n\"; while s.len < 2000 { s += s; } throw s;") else {
        panic!("it raises")
    };
    assert!(why.len() < 400 && !why.contains(char::is_control), "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever is put together of pieces of the language comes to an end, and nobody is harmed.
    #[test]
    fn every_source_comes_to_an_end(pieces in prop::collection::vec(piece(), 0..40)) {
        let source = format!("fn revoke(event) {{ let s = \"xy\"; let n = 2; {} }}", pieces.concat());
        if let Ok(script) = compile(&source) {
            let _ = Interpreter::new(still()).run(&script, &Arc::new(event()), TIME);
        }
    }

    /// Not even what is no script at all.
    #[test]
    fn every_text_is_compiled_or_refused(text in "[ -~\n]{0,200}") {
        let _ = compile(&text);
        let _ = compile(&format!("fn revoke(event) {{ {text} }}"));
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "s += s; ",
        "s = `${s}${n}`; ",
        "s += n; ",
        "s -= \"x\"; ",
        "n += 1; ",
        "n *= n; ",
        "n = -n - 1; ",
        "n = n << 60; ",
        "n = n ** n; ",
        "n = n % 0; ",
        "loop { ",
        "while n < 99 { ",
        "do { ",
        "} while n < 9; ",
        "for i in 0..n { ",
        "for c in s { ",
        "} ",
        "{ ",
        "if s == \"\" { ",
        "break; ",
        "continue; ",
        "return allow(); ",
        "revoke(event); ",
        "s = event.client + s; ",
        "s = s.sub_string(n, n); ",
        "s = s.sub_string(-1, n); ",
        "s = s.to_upper(); ",
        "s = s.trim(); ",
        "s = s.to_debug(); ",
        "s = n.to_hex(); ",
        "n = s.index_of(\"\"); ",
        "n = s.index_of(s); ",
        "n = s.len; ",
        "throw s; ",
        "try { ",
        "} catch (e) { s = `${e}`; ",
        "deny(s); ",
        "deny(s, s); ",
        "allow().note(s); ",
        "allow().widen(s); ",
        "let t = s; ",
        "switch s { \"x\" => 1, _ => 2 }; ",
        "s = event.header(\"origin\") ?? s; ",
        "event.has_scope(s); ",
        "if s in s { ",
        "allow() ",
    ])
}
