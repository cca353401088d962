//! Interception scripts: what an administrator wrote is asked before a revocation is written.
//!
//! A script is Rhai source with a function `revoke(event)`. It sees an [`Event`] and gives an [`Answer`]: the revocation
//! goes ahead, perhaps wider, or it does not. It has no way to the world beside that, and limits of its own.

mod answer;
mod decide;
mod event;
mod failure;
mod interpreter;
mod ruling;
mod samples;
mod text;
mod workshop;

pub use answer::{Answer, Breadth, CannotWiden, Decision};
pub use decide::{Permission, Refusal, decide, decide_all};
pub use event::{Endpoint, Event, Headers};
pub use failure::{Failure, NotAScript};
pub use interpreter::{Compiled, Interpreter, Watch, compile};
pub use ruling::{Fate, Prepared, Ruling, Run, Terms, ask};
pub use samples::try_out;
pub use workshop::Workshop;

#[cfg(test)]
mod tests;
