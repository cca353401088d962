//! Nothing in flight survives a revocation: every schedule of the named steps of any two operations, driven through the
//! server's own functions on a real SQLite file, a request given up at each step included.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod operations;
mod oracle;
mod scheduler;
mod stage;
mod stamps;

use std::{io::Write, sync::Mutex, thread};

use operations::Operation;
use rescind_ledger::Step;
use scheduler::{alone, explore};
use stage::Stage;

/// The interleavings of two sequences of moves.
fn interleavings(a: usize, b: usize) -> u64 {
    let (a, b) = (a as u64, b as u64);
    (1..=a).fold(1, |count, one| count * (b + one) / one)
}

/// How many schedules two operations have at least, by the moves each takes when nobody disturbs it ([`Operation::moves`]): every interleaving of
/// both, and every interleaving with one of them given up after each of its moves, or before the first. Where the writer
/// stands in between comes on top.
fn fewest(a: usize, b: usize) -> u64 {
    let first_given_up: u64 = (0..=a).map(|moves| interleavings(moves, b)).sum();
    let second_given_up: u64 = (0..=b).map(|moves| interleavings(a, moves)).sum();
    interleavings(a, b) + first_given_up + second_given_up
}

fn pairs() -> Vec<[Operation; 2]> {
    let all = Operation::ALL;
    all.into_iter().enumerate().flat_map(|(at, a)| all[at..].iter().map(move |b| [a, *b])).collect()
}

/// What became of a pair: how many schedules it ran, and how many it had to run.
struct Ran {
    schedules: u64,
    fewest: u64,
}

/// Explores pairs, on a stage of its own, until none waits.
fn explore_what_waits(waiting: &Mutex<Vec<[Operation; 2]>>, ran: &Mutex<Vec<Ran>>) {
    let mut stage = Stage::open();
    loop {
        let Some(pair) = waiting.lock().unwrap().pop() else { return };
        let [a, b] = pair.map(Operation::moves);
        let fewest = fewest(a, b);
        let explored = explore(&mut stage, pair, Step::ORDER);
        let schedules = explored.schedules;
        if let Some(violation) = explored.violation {
            panic!("after {schedules} schedules: {violation}");
        }
        println!("{pair:?}: {schedules} schedules, at least {fewest} by their steps");
        assert!(schedules >= fewest, "{pair:?}: only {schedules} schedules, {fewest} expected");
        ran.lock().unwrap().push(Ran { schedules, fewest });
    }
}

#[test]
fn nothing_in_flight_survives_a_revocation() {
    let (waiting, ran) = (Mutex::new(pairs()), Mutex::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| explore_what_waits(&waiting, &ran));
        }
    });
    let ran = ran.into_inner().unwrap();
    assert_eq!(ran.len(), pairs().len());
    let schedules: u64 = ran.iter().map(|one| one.schedules).sum();
    let fewest: u64 = ran.iter().map(|one| one.fewest).sum();
    // Not by `println!`, which the harness keeps to itself when all is well.
    let mut seen = std::io::stderr();
    let _ = writeln!(seen, "{schedules} schedules of {} pairs, at least {fewest} by their steps", ran.len());
}

#[test]
fn each_operation_takes_all_the_steps_it_is_known_by() {
    let mut stage = Stage::open();
    for operation in Operation::ALL {
        let scene = stage.scene();
        let actor = alone(&mut stage, &scene, operation, |_, _| {});
        assert_eq!(actor.steps, operation.steps(), "{operation:?}");
        assert_eq!(actor.moves, operation.moves(), "{operation:?}");
    }
}

#[test]
fn acknowledging_before_the_index_is_applied_is_caught() {
    let mut stage = Stage::open();
    let [commit, apply, acknowledge] = Step::ORDER;
    let caught = explore(&mut stage, [Operation::Refresh, Operation::RevokeGrant], [commit, acknowledge, apply]);
    let violation = caught.violation.unwrap();
    assert!(violation.contains("after its end was acknowledged"), "{violation}");
}

#[test]
fn a_stamp_behind_the_user_read_is_caught() {
    let mut stage = Stage::open();
    let caught = explore(&mut stage, [Operation::SignInStampedLate, Operation::RevokeUser], Step::ORDER);
    let violation = caught.violation.unwrap();
    assert!(violation.contains("outlived the end of what it rests on"), "{violation}");
}

#[test]
fn the_fewest_schedules_are_counted_right() {
    assert_eq!([interleavings(0, 3), interleavings(1, 1), interleavings(2, 2), interleavings(4, 4)], [1, 2, 6, 70]);
    // Both whole: 2. The first given up at once or after its one move: 1 + 2; the second likewise.
    assert_eq!(fewest(1, 1), 8);
}
