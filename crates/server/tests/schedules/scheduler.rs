//! The scheduler: runs two operations and the writer in every order there is, one schedule after the other.
//!
//! A schedule is a list of choices. Each run begins from a new scene, follows the choices of the last run up to the one that
//! is to differ, and from there on takes the first there is: depth first, until no choice is left untried.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use rescind_ledger::{Position, Step, Turn};

use crate::{
    operations::{Answer, Ends, Operation, Running},
    oracle::{self, Violation},
    stage::{Scene, Stage},
};

/// Set when an operation can go on.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One of the two operations, as far as it has come.
pub(crate) struct Actor {
    pub(crate) operation: Operation,
    running: Option<Running>,
    flag: Arc<Flag>,
    at_step: bool,
    /// Its next move leaves the step `stamp`.
    at_stamp: bool,
    /// The move with which it left the step `stamp`: from then on it may have read something.
    pub(crate) begun: Option<usize>,
    pub(crate) answer: Option<Answer>,
    pub(crate) steps: Vec<&'static str>,
    pub(crate) moves: usize,
}

impl Actor {
    fn new(operation: Operation, stage: &Stage, scene: &Scene) -> Self {
        let mut actor = Self {
            operation,
            running: Some(operation.prepare(stage, scene)),
            flag: Arc::default(),
            at_step: true,
            at_stamp: false,
            begun: None,
            answer: None,
            steps: Vec::new(),
            moves: 0,
        };
        if operation.is_stamped() {
            actor.poll(stage);
            assert_eq!(actor.steps, ["stamp"], "{operation:?} reads nothing before it is stamped");
        }
        actor
    }

    fn can_move(&self) -> bool {
        self.running.is_some() && self.at_step
    }

    fn is_waiting(&self) -> bool {
        self.running.is_some() && !self.at_step
    }

    fn advance(&mut self, stage: &Stage, tick: usize) {
        self.moves += 1;
        if self.at_stamp && self.begun.is_none() {
            self.begun = Some(tick);
        }
        self.poll(stage);
    }

    /// Polls it once. It then stands at a step, waits for the writer, or has answered.
    fn poll(&mut self, stage: &Stage) {
        let Some(running) = self.running.as_mut() else { return };
        self.flag.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(self.flag.clone());
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        let steps = stage.script.take();
        self.at_step = polled.is_pending() && !steps.is_empty();
        self.at_stamp = steps.last() == Some(&"stamp");
        self.steps.extend(steps);
        if let Poll::Ready(answer) = polled {
            self.answer = Some(answer);
            self.running = None;
        }
    }

    /// The writer has told it, or somebody it waited for is done. What it does before its next step reads nothing that a
    /// revocation could change, so it need not be a move of its own.
    fn go_on_if_told(&mut self, stage: &Stage) -> bool {
        let told = self.is_waiting() && self.flag.0.load(Ordering::SeqCst);
        if told {
            self.poll(stage);
        }
        told
    }
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Move(usize),
    Cancel(usize),
    Write,
}

/// The choices of a run: which of how many was taken at each point.
#[derive(Default)]
struct Choices {
    taken: Vec<(usize, usize)>,
    depth: usize,
}

impl Choices {
    fn take(&mut self, of: usize) -> usize {
        if self.depth == self.taken.len() {
            self.taken.push((0, of));
        }
        let (choice, known) = self.taken[self.depth];
        assert_eq!(known, of, "a schedule runs the same way when it is run again");
        self.depth += 1;
        choice
    }

    /// Goes on to the next schedule; `false` if that was the last.
    fn next(&mut self) -> bool {
        self.taken.truncate(self.depth);
        self.depth = 0;
        while let Some((choice, of)) = self.taken.pop() {
            if choice + 1 < of {
                self.taken.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

/// One schedule as it runs.
pub(crate) struct Run<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) scene: &'a Scene,
    pub(crate) actors: [Actor; 2],
    /// What was ended, and with which move of the schedule that came into force last.
    pub(crate) ended: Vec<(Ends, usize)>,
    /// What somebody was told has ended.
    pub(crate) told: Vec<Ends>,
    /// In which order the writer takes its steps.
    order: [Step; 3],
    turn: Option<Turn>,
    tick: usize,
    last: Option<Choice>,
    cancelled: bool,
    positions: [Option<Position>; 5],
    history: Vec<String>,
}

/// What became of all schedules of two operations.
pub(crate) struct Explored {
    pub(crate) schedules: u64,
    /// The first violation, with the schedule that led to it.
    pub(crate) violation: Option<String>,
}

/// Runs every schedule of two operations, up to the first violation.
pub(crate) fn explore(stage: &mut Stage, operations: [Operation; 2], order: [Step; 3]) -> Explored {
    let mut choices = Choices::default();
    let mut schedules = 0;
    loop {
        let scene = stage.scene();
        let mut run = Run::new(stage, &scene, operations, order);
        let outcome = run.finish(&mut choices).and_then(|()| oracle::judge(&mut run));
        schedules += 1;
        if let Err(Violation(why)) = outcome {
            let violation = format!("{operations:?}: {why}\n  {}", run.history.join("\n  "));
            return Explored { schedules, violation: Some(violation) };
        }
        drop(run);
        if !choices.next() {
            return Explored { schedules, violation: None };
        }
    }
}

/// An operation that nobody disturbs, to its end. `meanwhile` happens before each of its moves, by their number.
pub(crate) fn alone(
    stage: &mut Stage,
    scene: &Scene,
    operation: Operation,
    mut meanwhile: impl FnMut(&mut Stage, usize),
) -> Actor {
    let mut actor = Actor::new(operation, stage, scene);
    while actor.running.is_some() {
        if actor.can_move() {
            meanwhile(stage, actor.moves);
            actor.advance(stage, 0);
        } else {
            stage.writer.turn(&|| stage.app.now());
            assert!(actor.go_on_if_told(stage), "{operation:?} waits for nothing");
        }
    }
    assert!(actor.answer.as_ref().is_some_and(|answer| answer.succeeded), "{operation:?}: {:?}", actor.answer);
    actor
}

impl<'a> Run<'a> {
    fn new(stage: &'a mut Stage, scene: &'a Scene, operations: [Operation; 2], order: [Step; 3]) -> Self {
        let actors = operations.map(|operation| Actor::new(operation, stage, scene));
        let positions = oracle::positions(&stage.app, scene);
        Self {
            stage,
            scene,
            actors,
            ended: Vec::new(),
            told: Vec::new(),
            order,
            turn: None,
            tick: 0,
            last: None,
            cancelled: false,
            positions,
            history: Vec::new(),
        }
    }

    /// Takes choices until nothing is left to do.
    fn finish(&mut self, choices: &mut Choices) -> Result<(), Violation> {
        loop {
            let possible = self.possible();
            if possible.is_empty() {
                let stuck = self.actors.iter().any(|actor| actor.running.is_some());
                return if stuck { Err(Violation("an operation never ends".to_owned())) } else { Ok(()) };
            }
            let choice = possible[choices.take(possible.len())];
            self.tick += 1;
            self.take(choice)?;
            self.last = Some(choice);
        }
    }

    fn possible(&self) -> Vec<Choice> {
        let mut possible: Vec<_> = (0..2).filter(|one| self.actors[*one].can_move()).map(Choice::Move).collect();
        if self.turn.is_some() || self.stage.app.queue.waiting() > 0 {
            possible.push(Choice::Write);
        }
        // Giving up commutes with everything the others do: it is tried right after each of the operation's own moves.
        let given_up = (0..2).filter(|one| {
            let fresh = self.last.is_none() || self.last == Some(Choice::Move(*one));
            !self.cancelled && fresh && self.actors[*one].running.is_some()
        });
        possible.extend(given_up.map(Choice::Cancel));
        possible
    }

    fn take(&mut self, choice: Choice) -> Result<(), Violation> {
        match choice {
            Choice::Move(one) => {
                self.actors[one].advance(self.stage, self.tick);
                let actor = &self.actors[one];
                let to = if actor.at_step { actor.steps.last().copied().unwrap_or("?") } else { "waits or is done" };
                self.history.push(format!("{:?} goes on: {to} {}", actor.operation, said(actor)));
                self.others_go_on();
            }
            Choice::Cancel(one) => {
                self.cancelled = true;
                self.actors[one].running = None;
                self.history.push(format!("{:?} is given up", self.actors[one].operation));
                self.others_go_on();
            }
            Choice::Write => self.write(),
        }
        self.note_what_is_told()
    }

    /// One step of the writer.
    fn write(&mut self) {
        let mut turn = self.turn.take().unwrap_or_else(|| self.stage.writer.begin(self.order));
        let first = turn.next_step() == self.order.first().copied();
        self.step(&mut turn);
        // Where nothing is ended, nothing is applied: then its last two steps are one to everybody.
        if !first && Operation::end_nothing(self.actors.each_ref().map(|actor| actor.operation)) {
            self.step(&mut turn);
        }
        if turn.next_step().is_some() {
            self.turn = Some(turn);
        }
    }

    fn step(&mut self, turn: &mut Turn) {
        let step = turn.next_step();
        self.stage.writer.step(turn, &|| self.stage.app.now());
        self.history.extend(step.map(|step| format!("the writer's step: {step:?}")));
        self.note_what_is_ended();
        self.others_go_on();
    }

    /// Whoever was told something goes on, and may thereby let the other go on too.
    fn others_go_on(&mut self) {
        while let Some(told) = (0..2).find(|one| self.actors[*one].go_on_if_told(self.stage)) {
            let actor = &self.actors[told];
            self.history.push(format!("{:?} is told {}", actor.operation, said(actor)));
        }
    }

    fn note_what_is_ended(&mut self) {
        let positions = oracle::positions(&self.stage.app, self.scene);
        for (ends, (before, after)) in Ends::ALL.into_iter().zip(self.positions.iter().zip(&positions)) {
            if before != after {
                self.ended.retain(|(known, _)| *known != ends);
                self.ended.push((ends, self.tick));
            }
        }
        self.positions = positions;
    }

    /// Whoever was told that something has ended must find it ended from this very moment.
    fn note_what_is_told(&mut self) -> Result<(), Violation> {
        for actor in &self.actors {
            let Some(ends) = actor.operation.ends() else { continue };
            let told = actor.answer.as_ref().is_some_and(|answer| answer.succeeded);
            if told && !self.told.contains(&ends) {
                self.told.push(ends);
                oracle::nothing_old_lives(&self.stage.app, self.scene, ends)?;
            }
        }
        Ok(())
    }
}

fn said(actor: &Actor) -> String {
    actor.answer.as_ref().map(|answer| format!("=> {} {}", answer.succeeded, answer.says)).unwrap_or_default()
}
