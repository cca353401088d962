//! The whole server from outside: the command line, and every command that the documents show.

mod cli;
mod readme;
