//! Forgetting: eight weeks of constant load need no more room at their end than after their second week, and nothing that
//! was revoked comes back for having been forgotten.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod load;
mod witnesses;
mod world;

use std::{io::Write, time::Duration};

use load::{Load, everything};
use witnesses::{Revoked, Steady};
use world::{DAY, World};

const WEEKS: u32 = 8;
const STEPS_A_DAY: u32 = 8;
/// When, in each week, everything is revoked: on its third day.
const EVERYTHING_ON: u32 = 3;

/// What is kept at the end of a week.
struct Size {
    store: u64,
    index: u64,
}

#[test]
fn forgetting_keeps_pace_when_a_grant_lives_three_days() {
    eight_weeks(3 * DAY);
}

#[test]
fn forgetting_keeps_pace_when_a_grant_lives_seven_days() {
    eight_weeks(7 * DAY);
}

fn eight_weeks(grant_life: Duration) {
    let world = World::begin(grant_life);
    assert!(world.app.config.lifetimes.horizon() < 14 * DAY);
    let revoked = Revoked::one_of_each_kind(&world);
    let (mut load, mut steady) = (Load::begin(&world), Steady::begin(&world));
    let mut sizes = Vec::new();
    let setting = format!("a grant lives {} days", grant_life.as_secs() / 86_400);
    println!("{setting}");
    println!("week      store      index  entries  floor");
    for day in 1..=WEEKS * 7 {
        one_day(&world, &mut load, &mut steady, day % 7 == EVERYTHING_ON);
        revoked.iter().for_each(|one| one.is_not_honoured(&world));
        assert!(day > 1 || revoked.iter().all(|one| one.is_remembered(&world)), "forgotten before its time");
        if day % 7 == 0 {
            sizes.push(measure(&world, day / 7));
        }
    }
    assert!(revoked.iter().all(|one| !one.is_remembered(&world)), "something of the first day is never forgotten");
    println!("{} refreshes of grants that nobody revoked", steady.answered);
    assert!(steady.answered > 1000);
    varies_little(&format!("{setting}: the store"), sizes.iter().map(|size| size.store));
    varies_little(&format!("{setting}: the index"), sizes.iter().map(|size| size.index));
}

fn one_day(world: &World, load: &mut Load, steady: &mut Steady, everything_ends: bool) {
    for step in 0..STEPS_A_DAY {
        load.step(world);
        if step == 0 && everything_ends {
            world.submit(|door| door.end(&everything())).wait().unwrap();
            steady.is_refused(world);
        }
        if step == 0 {
            steady.sign_in(world);
        }
        world.wait(DAY / STEPS_A_DAY);
        world.sweep();
        steady.is_honoured(world);
    }
}

fn measure(world: &World, week: u32) -> Size {
    let (index, entries, floor) = world.app.live.look(|index, _| (index.bytes(), index.len(), index.floor()));
    let size = Size { store: world.store_bytes(), index: index as u64 };
    println!("{week:>4} {:>10} {:>10} {entries:>8}  {floor}", size.store, size.index);
    size
}

fn varies_little(what: &str, weekly: impl Iterator<Item = u64>) {
    let settled: Vec<u64> = weekly.skip(2).collect();
    let (least, most) = (*settled.iter().min().unwrap(), *settled.iter().max().unwrap());
    let share = (most - least) as f64 / least as f64 * 100.0;
    // Not by `println!`, which the harness keeps to itself when all is well.
    let _ = writeln!(std::io::stderr(), "{what} varies by {share:.1} % in weeks 3 to {WEEKS}");
    assert!(share <= 5.0, "{what} varies by {share:.1} %: {settled:?}");
}
