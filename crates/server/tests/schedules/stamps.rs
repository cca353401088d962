//! The stamp comes before everything that is read (DESIGN rule 1), in each operation of the server as it is.

use futures_util::FutureExt;
use rescind_ledger::{Hash, Initiator, Order, Position, Reads, Reason, Target};

use crate::{
    operations::{Held, Operation},
    scheduler::{Actor, alone},
    stage::{Scene, Stage},
};

#[test]
fn the_stamp_is_the_first_step_of_every_operation_that_takes_one_and_comes_once() {
    let mut stage = Stage::open();
    for operation in Operation::ALL {
        let scene = stage.scene();
        let steps = alone(&mut stage, &scene, operation, |_, _| {}).steps;
        let stamps: Vec<_> = (0..steps.len()).filter(|at| steps[*at] == "stamp").collect();
        let reads = steps.iter().any(|step| step.starts_with("read "));
        // What a consent is worth rests on the sign-in that it is given in, and has its stamp.
        let needs_one = reads && operation != Operation::Consent;
        assert!(stamps == [0] || (stamps.is_empty() && !needs_one), "{operation:?}: {steps:?}");
    }
}

#[test]
fn what_an_operation_makes_is_as_old_as_its_first_move() {
    let mut stage = Stage::open();
    for operation in [Operation::Issue, Operation::SignIn, Operation::Reauthenticate] {
        let (age, head) = age_and_first_head(&mut stage, operation);
        assert_eq!(age, head, "{operation:?} is stamped in its first move");
    }
    let (age, head) = age_and_first_head(&mut stage, Operation::SignInStampedLate);
    assert!(age > head, "a stamp behind the user read is younger");
}

/// The position of what an operation makes, and the head of the ledger when it made its first move. Before each of its moves
/// something else is ended.
fn age_and_first_head(stage: &mut Stage, operation: Operation) -> (Position, Position) {
    let scene = stage.scene();
    let mut heads = Vec::new();
    let actor = alone(stage, &scene, operation, |stage, number| {
        let target = Target::Session { session: format!("of somebody else, {operation:?} {number}") };
        let order = Order::new(target, Reason::Policy, Initiator::System("the test".to_owned()));
        stage.at_once(move |door| door.end(&order));
        heads.push(stage.app.live.stamp());
    });
    assert!(heads.is_sorted_by(|one, next| one < next) && heads.len() == operation.moves(), "{heads:?}");
    (age(stage, &scene, &actor), heads[0])
}

fn age(stage: &Stage, scene: &Scene, actor: &Actor) -> Position {
    let store = &stage.app.records.store;
    match &actor.answer.as_ref().unwrap().holds[..] {
        [Held::Access(text)] => {
            store.find_access_token(&Hash::of(text)).now_or_never().unwrap().unwrap().unwrap().position
        }
        [Held::Session(session)] => session.position,
        [Held::Proof] => {
            let proofs = store.authentications(&scene.session.id).now_or_never().unwrap().unwrap();
            proofs.iter().map(|proof| proof.position).max().unwrap()
        }
        other => panic!("{:?} made {other:?}", actor.operation),
    }
}
