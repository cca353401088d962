//! Several scripts together, and where they are run.

use super::*;

const ISSUER: &str = "https://id.example";
const REFUSE: Terms = Terms { time: TIME, on_failure: ScriptFailure::Refuse };
const GO_ON: Terms = Terms { time: TIME, on_failure: ScriptFailure::Allow };

fn script(name: &str, body: &str) -> Arc<Script> {
    let source = format!("fn revoke(event) {{ {body} }}").into();
    let stored_by = Initiator::Administrator("local".to_owned());
    let (name, stored_at) = (name.to_owned(), Timestamp(0));
    Arc::new(Script { name, version: 1, source, order: 0, enabled: true, stored_at, stored_by })
}

fn ruled(scripts: &[(&str, &str)], event: Event, terms: Terms) -> Ruling {
    let prepared: Vec<_> = scripts.iter().map(|(name, body)| Arc::new(Prepared::new(script(name, body)))).collect();
    ask(&Interpreter::new(still()), &prepared, &Arc::new(event), ISSUER, terms)
}

fn words(ruling: &Ruling) -> Vec<&'static str> {
    ruling.runs.iter().map(Run::word).collect()
}

#[test]
fn notes_add_up_and_the_widest_target_wins() {
    let scripts =
        [("a", "allow().widen(\"user\").note(\"1\")"), ("b", "allow()"), ("c", "allow().widen(\"grant\").note(\"2\")")];
    let ruling = ruled(&scripts, event(), REFUSE);
    let user = Target::Subject { issuer: ISSUER.to_owned(), subject: "u_1".to_owned() };
    assert_eq!(ruling.fate, Fate::Allowed(Some(user)));
    assert_eq!(ruling.note().as_deref(), Some("a: 1; c: 2"));
    assert_eq!(words(&ruling), ["widened", "allowed", "widened"]);
    assert_eq!(ruled(&[], event(), REFUSE).fate, Fate::Allowed(event().target), "nobody objects");
}

#[test]
fn the_first_denial_stops() {
    let scripts = [("a", "allow().note(\"1\")"), ("b", "deny().note(\"2\")"), ("c", "deny(\"never_asked\")")];
    let ruling = ruled(&scripts, event(), REFUSE);
    assert_eq!((ruling.fate.clone(), ruling.note().as_deref()), (Fate::DeniedSilently, Some("a: 1; b: 2")));
    assert_eq!(words(&ruling), ["allowed", "denied_silently"]);
    let with = ruled(&[("a", "deny(\"access_denied\", \"no\")"), ("b", "loop {}")], event(), REFUSE);
    let error = Fate::DeniedWith { code: "access_denied".to_owned(), description: "no".to_owned() };
    assert_eq!((with.fate.clone(), words(&with)), (error, vec!["denied"]));
    assert_eq!(with.runs[0].detail().as_deref(), Some("access_denied: no"));
}

#[test]
fn a_failure_stops_as_well_unless_it_is_to_be_passed_over() {
    for (body, word) in [("loop {}", "limit"), ("throw 1", "failed"), ("()", "failed"), ("syntax error", "failed")] {
        let scripts = [("first", "allow().note(\"1\")"), ("bad", body), ("last", "allow().note(\"2\")")];
        let refused = ruled(&scripts, event(), REFUSE);
        assert_eq!((refused.fate.clone(), words(&refused)), (Fate::Failed, vec!["allowed", word]), "{body}");
        let passed = ruled(&scripts, event(), GO_ON);
        assert_eq!(passed.fate, Fate::Allowed(event().target), "{body}");
        assert_eq!(words(&passed), ["allowed", word, "allowed"]);
        let denied = ruled(&[("bad", body), ("guard", "deny()")], event(), GO_ON);
        assert_eq!(denied.fate, Fate::DeniedSilently, "the others are asked all the same");
    }
}

#[test]
fn to_widen_what_cannot_be_widened_is_a_failure_with_a_reason() {
    let nobodys = || Event { user: None, ..event() };
    let widening = [("w", "allow().widen(\"user\")")];
    let refused = ruled(&widening, nobodys(), REFUSE);
    assert_eq!(refused.fate, Fate::Failed);
    assert!(refused.runs[0].detail().unwrap().contains("no user is behind this"));
    assert_eq!(ruled(&widening, nobodys(), GO_ON).fate, Fate::Allowed(event().target), "not wider than asked for");
    let unknown = Event { target: None, grant: None, ..nobodys() };
    assert_eq!(ruled(&widening, unknown, REFUSE).fate, Fate::Allowed(None), "a stranger must not see a difference");
}

#[test]
fn the_notes_of_many_fit_into_an_order() {
    let body = "let s = \"é\"; while s.len < 160 { s += \"é\"; } allow().note(s)";
    let scripts: Vec<_> = (0..20).map(|_| ("a-name", body)).collect();
    let note = ruled(&scripts, event(), REFUSE).note().unwrap();
    assert!(note.len() <= rescind_ledger::Order::NOTE_LIMIT && note.ends_with('…'), "{}", note.len());
}

fn shelf(scripts: Vec<Arc<Script>>) -> Arc<[Arc<Script>]> {
    scripts.into()
}

fn alone(rulings: Vec<Ruling>) -> Ruling {
    let [ruling] = <[Ruling; 1]>::try_from(rulings).unwrap();
    ruling
}

#[tokio::test]
async fn the_workshop_asks_each_version_as_it_is() {
    let workshop = Arc::new(Workshop::new(still(), 2, TIME));
    let first = shelf(vec![script("a", "deny()")]);
    assert_eq!(alone(workshop.ask(&first, vec![event()], ISSUER, REFUSE).await).fate, Fate::DeniedSilently);
    let second = Script { version: 2, ..(*script("a", "allow()")).clone() };
    let second = shelf(vec![Arc::new(second)]);
    assert_eq!(alone(workshop.ask(&second, vec![event()], ISSUER, REFUSE).await).fate, Fate::Allowed(event().target));
    assert_eq!(alone(workshop.ask(&first, vec![event()], ISSUER, REFUSE).await).fate, Fate::DeniedSilently);
}

#[tokio::test]
async fn whoever_finds_no_place_in_the_workshop_is_told_so() {
    let held = Arc::new(std::sync::Barrier::new(2));
    let watch: Watch = {
        let held = held.clone();
        // The first look is at the beginning of the run: there it waits until the other caller has had their answer.
        let first = std::sync::Once::new();
        Arc::new(move || {
            first.call_once(|| {
                held.wait();
            });
            Duration::ZERO
        })
    };
    let workshop = Arc::new(Workshop::new(watch, 1, Duration::from_millis(1)));
    let scripts = shelf(vec![script("a", "allow()")]);
    let slow = tokio::spawn({
        let (workshop, scripts) = (workshop.clone(), scripts.clone());
        // So many that they are not run on the spot.
        async move { workshop.ask(&scripts, vec![event(); 9], ISSUER, REFUSE).await }
    });
    tokio::task::yield_now().await;
    let crowded = alone(workshop.ask(&scripts, vec![event()], ISSUER, REFUSE).await);
    assert_eq!((crowded.fate, &crowded.runs[0].outcome), (Fate::Failed, &Err(Failure::Busy)));
    let all_the_same = alone(workshop.ask(&scripts, vec![event()], ISSUER, GO_ON).await);
    assert_eq!(all_the_same.fate, Fate::Failed, "whoever makes the server busy does not get past a script");
    tokio::task::spawn_blocking(move || held.wait()).await.unwrap();
    assert!(slow.await.unwrap().iter().all(|ruling| ruling.fate == Fate::Allowed(event().target)));
}

#[tokio::test]
async fn a_script_that_takes_more_than_a_moment_is_asked_anew_where_it_may() {
    let workshop = Arc::new(Workshop::new(still(), 1, TIME));
    let long = shelf(vec![script("long", "let n = 0; while n < 5000 { n += 1; } deny()")]);
    assert_eq!(alone(workshop.ask(&long, vec![event()], ISSUER, REFUSE).await).fate, Fate::DeniedSilently);
    let deep = "fn f(n) { if n == 0 { deny() } else { f(n - 1) } } fn revoke(event) { f(6) }";
    let deep = shelf(vec![Arc::new(Script { source: deep.into(), ..(*script("deep", "allow()")).clone() })]);
    assert_eq!(alone(workshop.ask(&deep, vec![event()], ISSUER, REFUSE).await).fate, Fate::DeniedSilently);
}

proptest! {
    /// Whatever the scripts say, what ends is never less than what was asked for, and a denial ends nothing.
    #[test]
    fn no_ruling_narrows(answers in prop::collection::vec(0usize..6, 0..5), user in any::<bool>(), grant in any::<bool>()) {
        let bodies = ["allow()", "allow().widen(\"grant\")", "allow().widen(\"user\")", "deny()", "deny(\"x\")", "throw 1"];
        let scripts: Vec<_> = answers.iter().map(|at| ("s", bodies[*at])).collect();
        let of_token = event();
        let asked = Event {
            user: of_token.user.clone().filter(|_| user),
            target: Some(if grant { Target::Grant { grant: "g_1".to_owned() } } else { Target::Token { token: "t_1".to_owned() } }),
            ..of_token
        };
        let rank = |target: &Target| match target {
            Target::Token { .. } => 0,
            Target::Grant { .. } => 1,
            Target::Subject { .. } => 2,
            _ => 9,
        };
        let least = rank(asked.target.as_ref().unwrap());
        let widest = answers.iter().map(|at| if (1..=2).contains(at) { *at } else { 0 }).max().unwrap_or(0);
        let fails = |at: &usize| *at == 5 || (*at == 2 && !user);
        let first_stop = answers.iter().position(|at| (3..=4).contains(at) || fails(at));
        match (ruled(&scripts, asked.clone(), REFUSE).fate, first_stop) {
            (Fate::Allowed(Some(target)), None) => prop_assert_eq!(rank(&target), least.max(widest)),
            (Fate::DeniedSilently, Some(at)) => prop_assert_eq!(answers[at], 3),
            (Fate::DeniedWith { .. }, Some(at)) => prop_assert_eq!(answers[at], 4),
            (Fate::Failed, Some(at)) => prop_assert!(fails(&answers[at])),
            (fate, stop) => prop_assert!(false, "{fate:?} {stop:?}"),
        }
        if let Fate::Allowed(target) = ruled(&scripts, asked, GO_ON).fate {
            prop_assert!(rank(&target.unwrap()) >= least);
        }
    }
}
