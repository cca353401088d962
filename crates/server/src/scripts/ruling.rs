//! Several scripts asked one after the other, and what comes of it.

use std::{sync::Arc, time::Duration};

use rescind_ledger::{Order, Script, ScriptFailure, Target};

use super::{Answer, Breadth, Compiled, Decision, Event, Failure, Interpreter, NotAScript, compile, failure::brief};

/// A script with its compiled form.
pub struct Prepared {
    pub(super) script: Arc<Script>,
    compiled: Result<Compiled, NotAScript>,
}

/// How scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long each may take.
    pub time: Duration,
    /// What becomes of the revocation if one fails or runs out of its limit. If it is allowed then, it is as if that script
    /// had not been asked.
    pub on_failure: ScriptFailure,
}

/// One script that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub name: String,
    pub version: u32,
    pub outcome: Result<Answer, Failure>,
}

/// What all of them together come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// In the order in which they were asked; after a denial nobody is.
    pub runs: Vec<Run>,
    pub fate: Fate,
    /// How wide the scripts want it at least.
    pub breadth: Option<Breadth>,
}

/// What becomes of the revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes ahead, for this target: that of the event, or a wider one.
    Allowed(Option<Target>),
    DeniedSilently,
    DeniedWith {
        code: String,
        description: String,
    },
    /// A script failed, and that is not to be passed over.
    Failed,
}

impl Prepared {
    #[must_use]
    pub fn new(script: Arc<Script>) -> Self {
        Self { compiled: compile(&script.source), script }
    }

    fn run(&self, interpreter: &Interpreter, event: &Arc<Event>, issuer: &str, time: Duration) -> Run {
        let answer = match &self.compiled {
            Ok(compiled) => interpreter.run(compiled, event, time),
            Err(why) => Err(Failure::Broken(brief(&why.to_string()))),
        };
        let outcome = answer.and_then(|answer| match answer.breadth.map(|breadth| breadth.widened(event, issuer)) {
            Some(Err(why)) => Err(Failure::Widening(why)),
            Some(Ok(_)) | None => Ok(answer),
        });
        Run { name: self.script.name.clone(), version: self.script.version, outcome }
    }
}

/// Asks the scripts in their order. The first denial stops, notes add up, the widest target wins.
#[must_use]
pub fn ask(
    interpreter: &Interpreter,
    scripts: &[Arc<Prepared>],
    event: &Arc<Event>,
    issuer: &str,
    terms: Terms,
) -> Ruling {
    let mut runs = Vec::with_capacity(scripts.len());
    let mut breadth: Option<Breadth> = None;
    for script in scripts {
        let run = script.run(interpreter, event, issuer, terms.time);
        let stop = match &run.outcome {
            Ok(Answer { decision: Decision::Allow, breadth: wanted, .. }) => {
                breadth = breadth.max(*wanted);
                None
            }
            Ok(Answer { decision: Decision::DenySilently, .. }) => Some(Fate::DeniedSilently),
            Ok(Answer { decision: Decision::DenyWith { code, description }, .. }) => {
                Some(Fate::DeniedWith { code: code.clone(), description: description.clone() })
            }
            Err(_) => (terms.on_failure == ScriptFailure::Refuse).then_some(Fate::Failed),
        };
        runs.push(run);
        if let Some(fate) = stop {
            return Ruling { runs, fate, breadth };
        }
    }
    // What each run found possible is possible.
    let widened = breadth.and_then(|breadth| breadth.widened(event, issuer).ok());
    let fate = Fate::Allowed(widened.unwrap_or_else(|| event.target.clone()));
    Ruling { runs, fate, breadth }
}

impl Ruling {
    /// What the scripts noted, each note with the name of its script.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let noted = |run: &Run| Some(format!("{}: {}", run.name, run.outcome.as_ref().ok()?.note.as_ref()?));
        let mut notes = self.runs.iter().filter_map(noted).collect::<Vec<_>>().join("; ");
        if notes.len() > Order::NOTE_LIMIT {
            const CUT: &str = " …";
            let most = Order::NOTE_LIMIT - CUT.len();
            let end = (0..=most).rev().find(|at| notes.is_char_boundary(*at)).unwrap_or(0);
            notes.truncate(end);
            notes.push_str(CUT);
        }
        (!notes.is_empty()).then_some(notes)
    }
}

impl Run {
    /// One word for the audit trail.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Ok(Answer { decision: Decision::Allow, breadth: Some(_), .. }) => "widened",
            Ok(Answer { decision: Decision::Allow, breadth: None, .. }) => "allowed",
            Ok(Answer { decision: Decision::DenySilently, .. }) => "denied_silently",
            Ok(Answer { decision: Decision::DenyWith { .. }, .. }) => "denied",
            Err(why) if why.is_limit() => "limit",
            Err(_) => "failed",
        }
    }

    /// The rest of it, for people.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        let answer = match &self.outcome {
            Ok(answer) => answer,
            Err(why) => return Some(why.to_string()),
        };
        let breadth = answer.breadth.map(|breadth| format!("to the {}", breadth.name()));
        let error = match &answer.decision {
            Decision::DenyWith { code, description } if description.is_empty() => Some(code.clone()),
            Decision::DenyWith { code, description } => Some(format!("{code}: {description}")),
            Decision::Allow | Decision::DenySilently => None,
        };
        let parts: Vec<String> = [breadth, error, answer.note.clone()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
