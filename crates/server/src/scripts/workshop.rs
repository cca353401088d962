//! Where scripts are run: beside the workers that serve requests, a bounded number at once, each compiled once.

use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rescind_ledger::Script;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{Event, Failure, Fate, Interpreter, Prepared, Ruling, Run, Terms, Watch, ruling::ask};

/// The most interpreters; more than the cores of a small machine gains nothing, and each may use its share of memory.
const MOST_AT_ONCE: usize = 8;

/// How long a request waits for a place. Only scripts that run to their limit let it come to that.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most runs of a request that are done where it is served, and how long one of them may take there.
const AT_HAND: usize = 8;
const MOMENT: Duration = Duration::from_millis(1);

/// Interpreters that wait for work, and the scripts that were compiled.
pub struct Workshop {
    watch: Watch,
    idle: Mutex<Vec<Interpreter>>,
    /// The same for what is run where the request is served.
    at_hand: Mutex<Vec<Interpreter>>,
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
    slots: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Workshop {
    fn default() -> Self {
        let begun = Instant::now();
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self::new(Arc::new(move || begun.elapsed()), cores, PATIENCE)
    }
}

impl Workshop {
    /// One whose scripts are timed by this watch, of which so many run at once, and the rest wait for so long.
    #[must_use]
    pub fn new(watch: Watch, at_once: usize, patience: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(at_once.clamp(1, MOST_AT_ONCE)));
        Self { watch, idle: Mutex::default(), at_hand: Mutex::default(), prepared: Mutex::default(), slots, patience }
    }

    /// Asks the scripts about each event of a request, until something is not allowed.
    pub async fn ask(
        self: &Arc<Self>,
        scripts: &Arc<[Arc<Script>]>,
        events: Vec<Event>,
        issuer: &str,
        terms: Terms,
    ) -> Vec<Ruling> {
        let count = events.len();
        if count * scripts.len() <= AT_HAND
            && let Some(rulings) = self.ask_at_hand(scripts, &events, issuer, terms)
        {
            return rulings;
        }
        let Ok(Ok(slot)) = timeout(self.patience, self.slots.clone().acquire_owned()).await else {
            return unanswered(scripts, count, &Failure::Busy);
        };
        let (workshop, asked, issuer) = (self.clone(), scripts.clone(), issuer.to_owned());
        let asking = spawn_blocking(move || {
            let _slot = slot;
            workshop.ask_here(&asked, events, &issuer, terms)
        });
        match asking.await {
            Ok(rulings) => rulings,
            // The runtime is being shut down.
            Err(_) => unanswered(scripts, count, &Failure::Panicked),
        }
    }

    /// Asks them on the spot. Most scripts are done in microseconds, and to hand them to another thread would take several times
    /// as long. `None` if one of them was not: it has had no effect, and is asked anew where it may take its time.
    fn ask_at_hand(
        &self,
        scripts: &[Arc<Script>],
        events: &[Event],
        issuer: &str,
        terms: Terms,
    ) -> Option<Vec<Ruling>> {
        let _slot = self.slots.try_acquire().ok()?;
        let waiting = self.at_hand.lock().pop();
        let interpreter = waiting.unwrap_or_else(|| Interpreter::brief(self.watch.clone()));
        let brief = Terms { time: terms.time.min(MOMENT), ..terms };
        let rulings = self.ask_with(&interpreter, scripts, events.to_vec(), issuer, brief);
        self.at_hand.lock().push(interpreter);
        let gave_up = |run: &Run| run.outcome.as_ref().is_err_and(Failure::is_limit);
        let done = !rulings.iter().any(|ruling| ruling.runs.iter().any(gave_up));
        done.then_some(rulings)
    }

    fn ask_here(&self, scripts: &[Arc<Script>], events: Vec<Event>, issuer: &str, terms: Terms) -> Vec<Ruling> {
        let waiting = self.idle.lock().pop();
        let interpreter = waiting.unwrap_or_else(|| Interpreter::new(self.watch.clone()));
        let rulings = self.ask_with(&interpreter, scripts, events, issuer, terms);
        self.idle.lock().push(interpreter);
        rulings
    }

    fn ask_with(
        &self,
        interpreter: &Interpreter,
        scripts: &[Arc<Script>],
        events: Vec<Event>,
        issuer: &str,
        terms: Terms,
    ) -> Vec<Ruling> {
        let prepared: Vec<_> = scripts.iter().map(|script| self.prepare(script)).collect();
        let mut rulings = Vec::with_capacity(events.len());
        for event in events {
            let ruling = ask(interpreter, &prepared, &Arc::new(event), issuer, terms);
            let goes_on = matches!(ruling.fate, Fate::Allowed(_));
            rulings.push(ruling);
            if !goes_on {
                break;
            }
        }
        rulings
    }

    /// The compiled form of a script, made now if it is not there.
    fn prepare(&self, script: &Arc<Script>) -> Arc<Prepared> {
        let is_same =
            |known: &&Arc<Prepared>| known.script.version == script.version && known.script.source == script.source;
        if let Some(known) = self.prepared.lock().get(&script.name).filter(is_same) {
            return known.clone();
        }
        let fresh = Arc::new(Prepared::new(script.clone()));
        self.prepared.lock().insert(script.name.clone(), fresh.clone());
        fresh
    }
}

/// Nobody was asked, which counts as a failure of the first of them. `scriptFailure` is not for this: whoever makes the server
/// busy must not get past a script that says no.
fn unanswered(scripts: &[Arc<Script>], count: usize, why: &Failure) -> Vec<Ruling> {
    let run = |script: &Arc<Script>| {
        let (name, version) = (script.name.clone(), script.version);
        Run { name, version, outcome: Err(why.clone()) }
    };
    let runs: Vec<Run> = scripts.first().map(run).into_iter().collect();
    vec![Ruling { runs, fate: Fate::Failed, breadth: None }; count]
}
