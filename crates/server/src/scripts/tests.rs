//! What scripts can do, what they cannot, and where they are stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use rescind_ledger::{Client, ClientAuthMethod, Initiator, Script, ScriptFailure, Scripts, Target, Timestamp};

use super::*;

mod decisions;
mod examples;
mod limits;
mod ruling;
mod sandbox;

/// Time enough: the watch of these tests stands still.
const TIME: Duration = Duration::from_secs(1);

fn still() -> Watch {
    Arc::new(|| Duration::ZERO)
}

fn event() -> Event {
    let client = Client::new("web".to_owned(), "Web".to_owned(), ClientAuthMethod::ClientSecretBasic, Timestamp(0));
    Event {
        target: Some(Target::Token { token: "t_1".to_owned() }),
        hint: Some("access_token"),
        grant: Some("g_1".to_owned()),
        user: Some("u_1".to_owned()),
        scope: "read write".to_owned(),
        ..Event::new(Endpoint::Revoke, &client)
    }
}

fn run(source: &str, event: Event) -> Result<Answer, Failure> {
    Interpreter::new(still()).run(&compile(source).unwrap(), &Arc::new(event), TIME)
}

/// The answer of a script whose function has this body.
fn asked(body: &str) -> Result<Answer, Failure> {
    run(&format!("fn revoke(event) {{ {body} }}"), event())
}

fn why_not(source: &str) -> NotAScript {
    compile(source).err().unwrap_or_else(|| panic!("compiles: {source}"))
}
