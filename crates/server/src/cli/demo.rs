//! `rescind demo`: a small company whose access is taken back before your eyes.

use super::arguments::DemoArguments;

pub(super) fn run(arguments: &DemoArguments) -> anyhow::Result<()> {
    anyhow::bail!("this build has no demo (exit: {})", arguments.exit)
}
