//! The command line: `rescind serve`, and everything an administrator does.

mod arguments;
mod audit;
mod bulk;
mod configure;
mod confirm;
mod connection;
mod demo;
mod doctor;
mod failure;
mod input;
mod issued;
mod local;
mod output;
mod receipt;
mod revoke;
mod script;
pub mod serve;
mod sessions;
mod settings;
mod user_import;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use arguments::{Arguments, Command, Globals, ListCommand, ReceiversCommand};
use connection::Connection;
use failure::Failure;
use receipt::ReceiptCommand;
use script::ScriptCommand;

/// Runs one command. 0 is success, 1 a failure, 2 a command that was written wrongly.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(why) => {
            // Nothing is left to do if even this cannot be written.
            let _ = why.print();
            return if why.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(&arguments.globals, arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}", why.show(arguments.globals.output));
            why.exit_code()
        }
    }
}

fn run(globals: &Globals, command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve => serve::run(globals),
        Command::Demo(arguments) => Ok(demo::run(&arguments)?),
        Command::Backup { file } => local::backup(globals, &file),
        Command::Restore { file } => local::restore(globals, &file),
        Command::Epoch { command } => local::epoch(globals, command),
        Command::Audit { command } => on_a_runtime(audit::run(globals, command)),
        Command::Receipt { command: ReceiptCommand::Verify(arguments) } => {
            on_a_runtime(receipt::verify(globals, &arguments))
        }
        Command::Doctor => on_a_runtime(doctor::run(globals)),
        Command::Script { command: ScriptCommand::Check { file, client } } => script::check(globals, &file, &client),
        other => on_a_runtime(remote(globals, other)),
    }
}

/// The commands that ask a running server.
async fn remote(globals: &Globals, command: Command) -> Result<(), Failure> {
    // What is wrong with the command itself is said before anybody is called.
    let order = match &command {
        Command::Revoke(order) => Some(revoke::Prepared::read(order)?),
        _ => None,
    };
    let server = Connection::open(globals).await?;
    match command {
        Command::User { command } => configure::user(globals, &server, command).await,
        Command::Client { command } => configure::client(globals, &server, command).await,
        Command::Api { command } => configure::api(globals, &server, command).await,
        Command::Device { command } => configure::device(globals, &server, command).await,
        Command::Revoke(_) => match order {
            Some(order) => order.carry_out(globals, &server).await,
            None => Ok(()),
        },
        Command::Explain(token) => issued::explain(globals, &server, &token).await,
        Command::Introspect(token) => issued::introspect(globals, &server, &token).await,
        Command::Sessions { command } => sessions::run(globals, &server, command).await,
        Command::Grants { command: ListCommand::List(filter) } => {
            issued::list(globals, &server, issued::Kind::Grants, &filter).await
        }
        Command::Tokens { command: ListCommand::List(filter) } => {
            issued::list(globals, &server, issued::Kind::Tokens, &filter).await
        }
        Command::Revocations { command } => issued::revocations(globals, &server, command).await,
        Command::Bulk { command } => bulk::run(globals, &server, command).await,
        Command::Receipt { command } => receipt::run(globals, &server, command).await,
        Command::Receivers { command: ReceiversCommand::List(page) } => {
            issued::receivers(globals, &server, &page).await
        }
        Command::Keys { command } => issued::keys(globals, &server, command).await,
        Command::RegistrationToken { command } => configure::registration_token(globals, &server, command).await,
        Command::ScimToken { command } => configure::scim_token(globals, &server, command).await,
        Command::Script { command } => script::run(globals, &server, command).await,
        Command::Settings { command } => settings::run(globals, &server, command).await,
        Command::Overview => issued::overview(globals, &server).await,
        Command::Status => issued::status(globals, &server).await,
        Command::Serve
        | Command::Demo(_)
        | Command::Audit { .. }
        | Command::Backup { .. }
        | Command::Restore { .. }
        | Command::Epoch { .. }
        | Command::Doctor => Ok(()),
    }
}

fn on_a_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(anyhow::Error::from)?.block_on(work)
}

#[cfg(test)]
mod tests;
