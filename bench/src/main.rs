//! Benchmarks, each against a reference measured in the same run.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rescind_bench::measure::{Bench, NAMES};
use rescind_bench::{report, served};

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
    #[command(hide = true)]
    ServeRescind { folder: PathBuf },
    /// Serves the reference with so many known tokens until its input ends.
    #[command(hide = true)]
    ServeReference { tokens: u64 },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.serve {
        Some(Serve::ServeRescind { folder }) => return served::rescind(&folder),
        Some(Serve::ServeReference { tokens }) => return served::reference(tokens),
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
