//! Named steps in the requests that race with revocations, so that a test can run every schedule of them.
//!
//! In the running server a step is nothing. Under a test's [`Script`] each step hands control back to the scheduler, which
//! then decides who goes on: the server's own functions are interleaved, not a model of them.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;

/// Whether requests stop at their steps.
#[derive(Clone, Default)]
pub enum Pace {
    #[default]
    Free,
    Stepped(Script),
}

/// The steps that were reached, in order.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Vec<&'static str>>>);

impl Script {
    /// Takes the steps noted so far.
    #[must_use]
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Pace {
    /// Says that a step is about to be taken.
    pub async fn at(&self, step: &'static str) {
        if let Self::Stepped(script) = self {
            script.0.lock().push(step);
            Stop { passed: false }.await;
        }
    }
}

/// Pending once.
struct Stop {
    passed: bool,
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
