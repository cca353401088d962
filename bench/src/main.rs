//! Benchmarks, each against a reference measured in the same run.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rescind_bench::measure::{Bench, NAMES, reach};
use rescind_bench::{report, served};

/// As in the server; the references have it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a release build against its references.
#[derive(Parser)]
struct Arguments {
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Measure this one alone.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(NAMES))]
    only: Option<String>,
    #[command(subcommand)]
    serve: Option<Serve>,
}

/// What this program is when it is the server of a measurement.
#[derive(Subcommand)]
enum Serve {
    /// Serves a data directory until its input ends.
    #[command(name = "serve-rescind", hide = true)]
    Rescind { folder: PathBuf },
    /// Serves the reference with so many known tokens until its input ends.
    #[command(name = "serve-reference", hide = true)]
    Reference { tokens: u64 },
    /// Serves the reference with so many live and revoked sessions until its input ends.
    #[command(name = "serve-reference-of-sessions", hide = true)]
    ReferenceOfSessions { live: u64, revoked: u64 },
    /// Takes one sample of how long it takes to revoke users, and leaves without closing the database.
    #[command(name = "sample-reach", hide = true)]
    SampleReach { folder: PathBuf },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.serve {
        Some(Serve::Rescind { folder }) => return served::rescind(&folder),
        Some(Serve::Reference { tokens }) => return served::reference(tokens),
        Some(Serve::ReferenceOfSessions { live, revoked }) => return served::reference_of_sessions(live, revoked),
        Some(Serve::SampleReach { folder }) => return reach::sample(&folder),
        None => {}
    }
    let mut bench = Bench::new()?;
    let wanted = |name: &&str| arguments.only.as_ref().is_none_or(|only| only == name);
    if !arguments.json {
        println!("{}", report::HEAD);
    }
    for name in NAMES.iter().filter(|name| wanted(name)) {
        let line = bench.measure(name)?;
        println!("{}", if arguments.json { line.json() } else { line.row() });
    }
    Ok(())
}
