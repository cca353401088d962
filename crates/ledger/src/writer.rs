//! The writer: takes whatever waits, commits it in one transaction, applies it, and only then acknowledges.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{Done, Door, Effect, Live, Marker, Origin, Store, StoreError, Timestamp, door::Written};

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// What was asked for cannot be right.
    #[error("{0}")]
    Refused(&'static str),
    /// No more authorization requests are kept until some of those there are have had their answer or expired.
    #[error("too many authorization requests wait for their answer")]
    Full,
    /// The credential behind the request no longer counts.
    #[error("the credential was revoked")]
    Revoked,
    /// A one-time credential was used before.
    #[error("the credential was used before")]
    Replayed,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer is gone; the server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

impl LedgerError {
    /// Whether the same request may succeed later, unchanged.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Full | Self::Stopped | Self::Store(StoreError::Unavailable(_)))
    }
}

/// Endings go ahead of issuance (DESIGN rule 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Ending,
    Issuing,
}

/// The most jobs one transaction takes, so that a flood of issuance cannot make an ending wait long.
const BATCH_LIMIT: usize = 512;

trait Job: Send {
    fn run(&mut self, door: &mut Door<'_>) -> Result<(), StoreError>;
    fn acknowledge(self: Box<Self>, fate: Result<(), &str>);
}

struct Work<F, T> {
    origin: Origin,
    work: Option<F>,
    outcome: Option<Result<T, LedgerError>>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send,
    T: Send,
{
    fn run(&mut self, door: &mut Door<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let mut done = None;
        let kept = door.attempt(std::mem::take(&mut self.origin), |door| {
            done = Some(work(door)?);
            Ok(())
        });
        match (kept, done) {
            (Ok(()), Some(value)) => self.outcome = Some(Ok(value)),
            (Ok(()), None) => {}
            (Err(LedgerError::Store(StoreError::Unavailable(why))), _) => return Err(StoreError::Unavailable(why)),
            (Err(why), _) => self.outcome = Some(Err(why)),
        }
        Ok(())
    }

    fn acknowledge(self: Box<Self>, fate: Result<(), &str>) {
        let answer = match fate {
            Ok(()) => self.outcome.unwrap_or(Err(LedgerError::Stopped)),
            Err(why) => Err(LedgerError::Store(StoreError::Unavailable(why.to_owned()))),
        };
        // Nobody waits any more if the request was cancelled; what was committed stays.
        let _ = self.reply.send(answer);
    }
}

/// As many callers at once as make it worth waiting for the rest of them.
const CROWD: usize = 8;
/// How long, at a time, the writer waits for callers it has just answered. They come back within as much, one after the
/// other; a commit takes several times as long, and each one saved is two syncs of the disk.
const PAUSE: Duration = Duration::from_micros(50);
/// How many pauses there are at most: it goes on after the first in which nobody came.
const PAUSES: usize = 4;

/// How many of a crowd are waited for. The last ones come late: to wait for them too costs more than a commit of their own.
fn enough_of(crowd: usize) -> usize {
    crowd - crowd * 3 / 8
}

#[derive(Default)]
struct Lanes {
    endings: VecDeque<Box<dyn Job>>,
    issuing: VecDeque<Box<dyn Job>>,
    closed: bool,
    /// How many callers there were when the last batch was done: those about to be answered and those who waited.
    callers: usize,
    /// With fewer jobs the writer goes on sleeping.
    wanted: usize,
}

impl Lanes {
    fn waiting(&self) -> usize {
        self.endings.len() + self.issuing.len()
    }
}

/// Where requests leave their jobs.
#[derive(Default)]
pub struct Queue {
    lanes: Mutex<Lanes>,
    wake: Condvar,
}

impl Queue {
    /// Leaves a job for the writer. Await the ticket for its outcome; dropping the ticket does not take the job back.
    pub fn submit<T, F>(&self, lane: Lane, work: F) -> Ticket<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.submit_from(Origin::default(), lane, work)
    }

    /// As [`Queue::submit`], for a request of the outside world.
    pub fn submit_from<T, F>(&self, origin: Origin, lane: Lane, work: F) -> Ticket<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        let (reply, ticket) = oneshot::channel();
        let job = Box::new(Work { origin, work: Some(work), outcome: None, reply });
        let mut lanes = self.lanes.lock();
        if !lanes.closed {
            match lane {
                Lane::Ending => lanes.endings.push_back(job),
                Lane::Issuing => lanes.issuing.push_back(job),
            }
        }
        let enough = lanes.waiting() >= lanes.wanted;
        drop(lanes);
        if enough {
            self.wake.notify_one();
        }
        Ticket(ticket)
    }

    /// Waits until something is there to do; `false` once the queue is closed and empty.
    ///
    /// Where many callers were at work at once, it then waits a moment for the rest of them (a fraction of a millisecond), or
    /// they would go on in two halves, each waiting for the commit of the other. A caller who is alone is never made to wait.
    pub fn wait(&self) -> bool {
        self.wait_with(PAUSE)
    }

    fn wait_with(&self, pause: Duration) -> bool {
        let mut lanes = self.lanes.lock();
        while lanes.waiting() == 0 {
            if lanes.closed {
                return false;
            }
            self.wake.wait(&mut lanes);
        }
        let crowd = lanes.callers.min(BATCH_LIMIT);
        let pauses = if crowd < CROWD { 0 } else { PAUSES };
        let enough = enough_of(crowd);
        for _ in 0..pauses {
            let before = lanes.waiting();
            if before >= enough || lanes.closed {
                break;
            }
            lanes.wanted = enough;
            self.wake.wait_for(&mut lanes, pause);
            lanes.wanted = 0;
            if lanes.waiting() == before {
                break;
            }
        }
        true
    }

    /// Notes how many callers there are, before `answered` of them are.
    fn note_callers(&self, answered: usize) {
        let mut lanes = self.lanes.lock();
        lanes.callers = answered + lanes.waiting();
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lanes.lock().waiting()
    }

    /// Takes no more jobs; those that wait are still done.
    pub fn close(&self) {
        self.lanes.lock().closed = true;
        self.wake.notify_all();
    }

    /// Closes it and drops what waits, whose callers are told: for when nobody is left to do it.
    pub fn abandon(&self) {
        let mut lanes = self.lanes.lock();
        lanes.closed = true;
        let left = (std::mem::take(&mut lanes.endings), std::mem::take(&mut lanes.issuing));
        drop(lanes);
        drop(left);
    }

    /// Whether it takes no more jobs.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lanes.lock().closed
    }

    /// Takes what waits, endings first.
    fn take(&self) -> Vec<Box<dyn Job>> {
        let mut lanes = self.lanes.lock();
        let mut jobs: Vec<_> = Vec::new();
        let endings = lanes.endings.len().min(BATCH_LIMIT);
        jobs.extend(lanes.endings.drain(..endings));
        let issuing = lanes.issuing.len().min(BATCH_LIMIT - endings);
        jobs.extend(lanes.issuing.drain(..issuing));
        jobs
    }
}

/// The outcome of a job, to be awaited: it arrives after the job is durable and in force.
pub struct Ticket<T>(oneshot::Receiver<Result<T, LedgerError>>);

impl<T> Future for Ticket<T> {
    type Output = Result<T, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(LedgerError::Stopped)))
    }
}

impl<T> Ticket<T> {
    /// Waits on a thread of one's own; never inside an asynchronous runtime.
    pub fn wait(self) -> Result<T, LedgerError> {
        self.0.blocking_recv().unwrap_or(Err(LedgerError::Stopped))
    }
}

/// What the writer does with the jobs of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs the jobs in one transaction and commits it.
    Commit,
    /// Puts what was committed in force.
    Apply,
    /// Tells the callers.
    Acknowledge,
}

impl Step {
    /// The one place that says in which order they are taken (DESIGN rule 7): nobody is told of what is not in force yet.
    pub const ORDER: [Self; 3] = [Self::Commit, Self::Apply, Self::Acknowledge];
}

/// One round of the writer's work, and how far it has come.
pub struct Turn {
    steps: std::array::IntoIter<Step, 3>,
    jobs: Vec<Box<dyn Job>>,
    written: Written,
    fate: Result<(), String>,
    /// When it was begun and when it was durable.
    moments: (Timestamp, Timestamp),
}

impl Turn {
    /// The step that comes next; `None` once it is over.
    #[must_use]
    pub fn next_step(&self) -> Option<Step> {
        self.steps.as_slice().first().copied()
    }
}

/// The one writer. [`Writer::turn`] is its whole life; a test takes the same steps one by one, to interleave them.
pub struct Writer {
    store: Box<dyn Store>,
    marker: Box<dyn Marker>,
    live: Arc<Live>,
    queue: Arc<Queue>,
    /// Set while the fate of a transaction is unknown.
    broken: bool,
}

impl Writer {
    #[must_use]
    pub fn new(store: Box<dyn Store>, marker: Box<dyn Marker>, live: Arc<Live>, queue: Arc<Queue>) -> Self {
        Self { store, marker, live, queue, broken: false }
    }

    /// Does one round of work, and notes when each step of it was done.
    pub fn turn(&mut self, clock: &dyn Fn() -> Timestamp) {
        let mut turn = self.begin(Step::ORDER);
        while turn.next_step().is_some() {
            self.step(&mut turn, clock);
        }
    }

    /// Begins a turn with what waits, endings first. Any order but [`Step::ORDER`] is wrong, for a test to notice.
    #[must_use]
    pub fn begin(&self, order: [Step; 3]) -> Turn {
        let fate = Err("nothing was committed yet".to_owned());
        let (jobs, moments) = (self.queue.take(), (Timestamp::default(), Timestamp::default()));
        Turn { steps: order.into_iter(), jobs, written: Written::default(), fate, moments }
    }

    /// Takes the next step of a turn, if there is one.
    pub fn step(&mut self, turn: &mut Turn, clock: &dyn Fn() -> Timestamp) {
        match turn.steps.next() {
            Some(Step::Commit) => {
                let begun_at = clock();
                self.commit(turn, begun_at);
                turn.moments = (begun_at, clock());
            }
            Some(Step::Apply) => {
                // Held over both: who sees the entries in force finds the moment as well.
                let live = self.live.clone();
                let mut effects = live.effects();
                self.apply(turn);
                effects.extend(effect_of(turn, clock));
            }
            Some(Step::Acknowledge) => self.acknowledge(turn),
            None => {}
        }
    }

    fn commit(&mut self, turn: &mut Turn, now: Timestamp) {
        let fate = self.recover().and_then(|()| self.transact(&mut turn.jobs, &mut turn.written, now));
        turn.fate = fate.map_err(|why| {
            self.broken = true;
            turn.written = Written::default();
            why.to_string()
        });
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>], out: &mut Written, now: Timestamp) -> Result<(), StoreError> {
        let live = &self.live;
        let mark = self.store.transact(&mut |tx| {
            let mut door = Door::open(tx, live, now);
            for job in jobs.iter_mut() {
                job.run(&mut door)?;
            }
            *out = door.close();
            Ok(())
        })?;
        self.marker.advance(mark, !out.entries.is_empty())
    }

    fn apply(&mut self, turn: &mut Turn) {
        if turn.fate.is_ok() {
            let written = &turn.written;
            if let Some(pending) = written.pending {
                self.live.note_pending(pending);
            }
            if let Err(why) = self.live.apply(&written.changes, &written.entries) {
                self.broken = true;
                turn.fate = Err(why.to_string());
            } else if let Some(floor) = written.floor {
                self.live.forget_below(floor);
            }
        }
        if turn.fate.is_err() && self.broken {
            // A failure here leaves it broken; the next turn tries again before it does anything else.
            let _ = self.recover();
        }
    }

    fn acknowledge(&self, turn: &mut Turn) {
        self.queue.note_callers(turn.jobs.len());
        for job in turn.jobs.drain(..) {
            job.acknowledge(turn.fate.as_ref().copied().map_err(String::as_str));
        }
    }

    /// After a commit whose fate is unknown: opens the store again and takes over whatever it turns out to hold.
    fn recover(&mut self) -> Result<(), StoreError> {
        if !self.broken {
            return Ok(());
        }
        self.store.reopen()?;
        let mut tail = Vec::new();
        self.store.entries_after(self.live.head(), &mut |entry| tail.push(entry))?;
        let configuration = self.store.configuration()?;
        let pending = self.store.pending_requests()?;
        // The configuration first: until the entries are in, stamps stay below them (DESIGN rule 4).
        self.live.replace_configuration(configuration);
        self.live.apply(&[], &tail)?;
        self.live.note_pending(pending);
        let mark = self.store.mark()?;
        self.marker.advance(mark, true)?;
        self.broken = false;
        Ok(())
    }
}

/// What a recovery has put in force instead is not noted: nobody knows since when it is durable.
fn effect_of(turn: &Turn, clock: &dyn Fn() -> Timestamp) -> Option<Done> {
    let entries = turn.fate.is_ok().then_some(&turn.written.entries)?;
    let (first, last) = (entries.first()?.position, entries.last()?.position);
    let (begun_at, durable_at) = turn.moments;
    Some(Done { effect: Effect { first, last, durable_at, applied_at: clock(), at_latest: false }, begun_at })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Longer than a test may take: whoever waits for it to pass has failed.
    const FOR_EVER: Duration = Duration::from_secs(3600);

    fn submit(queue: &Queue) {
        drop(queue.submit(Lane::Ending, |_| Ok(())));
    }

    #[test]
    fn a_caller_who_is_alone_or_nearly_so_is_not_made_to_wait_for_others() {
        let queue = Queue::default();
        for callers in 0..CROWD {
            queue.note_callers(callers);
            submit(&queue);
            assert!(queue.wait_with(FOR_EVER));
            drop(queue.take());
        }
    }

    #[test]
    fn enough_of_a_crowd_ends_the_pause_and_is_taken_together() {
        let queue = Queue::default();
        submit(&queue);
        queue.note_callers(CROWD - 1);
        thread::scope(|scope| {
            scope.spawn(|| (1..CROWD).for_each(|_| submit(&queue)));
            assert!(queue.wait_with(FOR_EVER));
        });
        assert!((enough_of(CROWD)..=CROWD).contains(&queue.take().len()));
    }

    #[test]
    fn a_crowd_that_does_not_come_back_is_not_waited_for_long() {
        let queue = Queue::default();
        queue.note_callers(BATCH_LIMIT * 2);
        submit(&queue);
        assert!(queue.wait());
        assert_eq!(queue.take().len(), 1);
    }

    #[test]
    fn closing_ends_the_pause() {
        let queue = Queue::default();
        submit(&queue);
        queue.note_callers(CROWD);
        thread::scope(|scope| {
            scope.spawn(|| queue.close());
            assert!(queue.wait_with(FOR_EVER));
        });
        drop(queue.take());
        assert!(!queue.wait());
    }
}
