use proptest::prelude::*;

use super::*;
use crate::Reason;

fn by(name: &str) -> Initiator {
    Initiator::Administrator(name.to_owned())
}

fn pending(state: PendingState, at: Option<i64>) -> PendingOrder {
    let order =
        Order { idempotency_key: Some("k".to_owned()), ..Order::new(Target::Everything, Reason::Policy, by("one")) };
    PendingOrder {
        id: "p".to_owned(),
        order: order.with_note("a note"),
        ordered_at: Timestamp(0),
        at: at.map(Timestamp),
        break_glass: Some("why".to_owned()),
        approval: Some(Approval { by: by("other"), at: Timestamp(3) }),
        state,
    }
}

const UNTIL: Timestamp = Timestamp(100);

fn waiting(at: Option<i64>) -> PendingOrder {
    pending(PendingState::Waiting { until: UNTIL }, at)
}

fn refusal(pending: &PendingOrder, step: &PendingStep, now: i64) -> String {
    pending.after(step, Timestamp(now)).unwrap_err().to_string()
}

#[test]
fn an_order_is_approved_by_another_and_before_it_expires() {
    let (own, other) = (PendingStep::Approve(by("one")), PendingStep::Approve(by("other")));
    assert_eq!(refusal(&waiting(None), &own, 1), PendingOrder::OWN);
    assert_eq!(waiting(None).after(&other, Timestamp(99)).unwrap(), Next::CarryOut);
    assert_eq!(refusal(&waiting(None), &other, 100), PendingOrder::OVER);
    // The same id among clients or users is somebody else.
    let namesake = PendingStep::Approve(Initiator::User("one".to_owned()));
    assert_eq!(waiting(None).after(&namesake, Timestamp(1)).unwrap(), Next::CarryOut);
}

#[test]
fn an_approved_order_waits_for_its_time_unless_that_has_passed() {
    let other = PendingStep::Approve(by("other"));
    let scheduled = Next::Become(PendingState::Scheduled);
    assert_eq!(waiting(Some(50)).after(&other, Timestamp(49)).unwrap(), scheduled);
    assert_eq!(waiting(Some(50)).after(&other, Timestamp(50)).unwrap(), Next::CarryOut);
    let one = pending(PendingState::Scheduled, Some(50));
    assert_eq!(one.after(&PendingStep::Clock, Timestamp(49)).unwrap(), Next::Stay);
    assert_eq!(one.after(&PendingStep::Clock, Timestamp(50)).unwrap(), Next::CarryOut);
    assert_eq!(refusal(&one, &other, 1), PendingOrder::APPROVED);
    assert_eq!((one.due_at(), waiting(Some(50)).due_at()), (Some(Timestamp(50)), Some(UNTIL)));
}

#[test]
fn what_nobody_approves_expires_and_is_never_carried_out_by_the_clock() {
    for at in [None, Some(1), Some(100)] {
        let one = waiting(at);
        assert_eq!(one.after(&PendingStep::Clock, Timestamp(99)).unwrap(), Next::Stay);
        let expired = Next::Become(PendingState::Expired { at: UNTIL, remark: None });
        assert_eq!(one.after(&PendingStep::Clock, UNTIL).unwrap(), expired);
    }
}

#[test]
fn anybody_withdraws_what_still_waits_and_nobody_what_is_over() {
    for open in [waiting(None), waiting(Some(5)), pending(PendingState::Scheduled, Some(5))] {
        for name in ["one", "other"] {
            let withdrawn = PendingState::Withdrawn { at: Timestamp(7), by: by(name) };
            let next = open.after(&PendingStep::Withdraw(by(name)), Timestamp(7)).unwrap();
            assert_eq!(next, Next::Become(withdrawn));
        }
        assert_eq!(open.state.closed_at(), None);
    }
    let at = Timestamp(7);
    for over in [
        PendingState::CarriedOut { at, position: Position::START, remark: None },
        PendingState::Withdrawn { at, by: by("one") },
        PendingState::Expired { at, remark: None },
    ] {
        let one = pending(over, Some(5));
        assert_eq!((one.due_at(), one.state.closed_at()), (None, Some(at)));
        assert_eq!(one.after(&PendingStep::Clock, Timestamp(999)).unwrap(), Next::Stay);
        for step in [PendingStep::Approve(by("other")), PendingStep::Withdraw(by("one"))] {
            assert_eq!(refusal(&one, &step, 8), PendingOrder::OVER);
        }
    }
}

#[test]
fn a_pending_order_is_read_back_as_it_was_kept() {
    let at = Timestamp(7);
    for (state, word) in [
        (PendingState::Waiting { until: at }, "waiting"),
        (PendingState::Scheduled, "scheduled"),
        (
            PendingState::CarriedOut { at, position: Position { epoch: 3, seq: 9 }, remark: Some("r".into()) },
            "carried_out",
        ),
        (PendingState::Withdrawn { at, by: by("x") }, "withdrawn"),
        (PendingState::Expired { at, remark: None }, "expired"),
    ] {
        let one = pending(state, Some(5));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<PendingOrder>(&text).unwrap(), one);
        assert!(text.contains(word) && PendingState::WORDS.contains(&word) && one.state.word() == word);
    }
}

/// What happens to one order: what is done, by whom, and how much later.
fn happening() -> impl Strategy<Value = (u8, bool, i64)> {
    (0..3_u8, any::<bool>(), 0..40_i64)
}

proptest! {
    #[test]
    fn whatever_happens_an_order_is_carried_out_at_most_once_and_never_without_its_due(
        waits: bool, at in proptest::option::of(1..150_i64), happenings in proptest::collection::vec(happening(), 0..12),
    ) {
        let at = if waits { at } else { at.or(Some(50)) };
        let mut one = if waits { waiting(at) } else { pending(PendingState::Scheduled, at) };
        let (mut now, mut approved, mut carried_out) = (0, false, 0);
        for (what, by_author, later) in happenings {
            now += later;
            let who = by(if by_author { "one" } else { "other" });
            let step = match what {
                0 => PendingStep::Approve(who),
                1 => PendingStep::Withdraw(who),
                _ => PendingStep::Clock,
            };
            let was_closed = one.state.closed_at().is_some();
            let next = one.after(&step, Timestamp(now));
            if was_closed {
                prop_assert!(!matches!(next, Ok(Next::CarryOut | Next::Become(_))));
            }
            approved |= next.is_ok() && what == 0 && !by_author;
            match next {
                Ok(Next::CarryOut) => {
                    carried_out += 1;
                    prop_assert!(at.is_none_or(|at| at <= now));
                    prop_assert!(approved || !waits);
                    one.state =
                        PendingState::CarriedOut { at: Timestamp(now), position: Position::START, remark: None };
                }
                Ok(Next::Become(state)) => one.state = state,
                Ok(Next::Stay) | Err(_) => {}
            }
        }
        prop_assert!(carried_out <= 1);
        // What is open is looked at again, and what is over is not.
        prop_assert_eq!(one.due_at().is_some(), one.state.closed_at().is_none());
    }
}
