//! Plain files: what is recorded is what happened, and only what was synced survives.

use std::fs::{self, File};
use std::io::{IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crashtest::{Replay, replay};

use crate::process::{Place, say, sync_all};
use crate::{assert_all_hold, shim};

pub(crate) fn use_every_call(folder: &Path) {
    fs::write(folder.join("kept"), b"from before").unwrap();
    let mut mixed =
        File::options().create_new(true).read(true).write(true).mode(0o600).open(folder.join("mixed")).unwrap();
    mixed.write_all(b"0123456789").unwrap();
    mixed.write_at(b"at", 4000).unwrap();
    mixed.seek(SeekFrom::Start(3)).unwrap();
    let _ = mixed.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]).unwrap();
    let mut twin = mixed.try_clone().unwrap();
    twin.write_all(b"by the twin").unwrap();
    drop(mixed);
    twin.set_len(4001).unwrap();
    twin.set_len(6000).unwrap();

    let mut log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    log.write_all(b"one").unwrap();
    log.write_all(b"two").unwrap();
    fs::write(folder.join("log-other"), b"overwritten by a rename").unwrap();
    fs::rename(folder.join("log"), folder.join("log-other")).unwrap();
    log.write_all(b"three, under the new name").unwrap();

    fs::write(folder.join("emptied"), b"long text").unwrap();
    fs::write(folder.join("emptied"), b"short").unwrap();
    fs::copy(folder.join("mixed"), folder.join("copied")).unwrap();
    fs::hard_link(folder.join("copied"), folder.join("linked")).unwrap();
    fs::remove_file(folder.join("copied")).unwrap();
    let mut gone = File::create(folder.join("gone")).unwrap();
    fs::remove_file(folder.join("gone")).unwrap();
    gone.write_all(b"without a name").unwrap();

    let outside = folder.with_file_name("outside");
    fs::write(&outside, b"not watched").unwrap();
    fs::rename(folder.join("emptied"), outside.with_extension("moved")).unwrap();
    assert!(fs::rename(&outside, folder.join("outside")).is_err(), "its bytes were never recorded");
    sync_all(folder);
    say("ack done");
}

#[test]
fn after_syncing_everything_the_last_cut_is_the_folder_itself() {
    let place = Place::new();
    place.run(shim(), "every-call");
    let summary =
        replay(&place.log, |cut, acked| if acked.is_empty() { Ok(()) } else { same_files(cut, &place.folder) })
            .unwrap();
    assert_all_hold(&summary);
}

#[test]
fn a_second_run_goes_on_from_a_copy_of_the_folder() {
    let place = Place::new();
    place.run(shim(), "marker");
    let before = place.folder.with_file_name("before");
    fs::create_dir(&before).unwrap();
    fs::copy(place.folder.join("head"), before.join("head")).unwrap();
    fs::remove_file(&place.log).unwrap();
    place.run(shim(), "marker");
    let marker_is_there = |cut: &Path, _: &[String]| marker_is_at_least(cut, 0);
    assert_all_hold(&Replay::new(&place.log).starting_from(&before).seeds([1]).run(marker_is_there).unwrap());
    let from_nothing = replay(&place.log, marker_is_there).unwrap();
    assert!(!from_nothing.failures.is_empty(), "{from_nothing}");
}

fn same_files(cut: &Path, folder: &Path) -> Result<(), String> {
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    if names(cut) != names(folder) {
        return Err(format!("{:?} instead of {:?}", names(cut), names(folder)));
    }
    for name in names(folder) {
        let (ours, theirs) = (cut.join(&name), folder.join(&name));
        if fs::read(&ours).unwrap() != fs::read(&theirs).unwrap() {
            return Err(format!("{name:?} differs"));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        if mode(&ours) != mode(&theirs) {
            return Err(format!("{name:?} has another mode"));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FolderSync {
    Done,
    Forgotten,
}

pub(crate) fn move_a_marker(folder: &Path, folder_sync: FolderSync) {
    for number in 0..10 {
        let mut fresh = File::create(folder.join("head.fresh")).unwrap();
        write!(fresh, "{number}").unwrap();
        fresh.sync_data().unwrap();
        fs::rename(folder.join("head.fresh"), folder.join("head")).unwrap();
        if folder_sync == FolderSync::Done {
            File::open(folder).unwrap().sync_all().unwrap();
        }
        say(&format!("ack {number}"));
    }
}

fn marker_is_at_least(cut: &Path, least: u32) -> Result<(), String> {
    let text = fs::read_to_string(cut.join("head")).map_err(|error| format!("head: {error}"))?;
    let number: u32 = text.parse().map_err(|_| format!("head says `{text}`"))?;
    if number >= least { Ok(()) } else { Err(format!("head is {number}, acknowledged was {least}")) }
}

fn newest_marker_is_there(cut: &Path, acked: &[String]) -> Result<(), String> {
    acked.last().map_or(Ok(()), |newest| marker_is_at_least(cut, newest.parse().unwrap()))
}

#[test]
fn a_marker_moved_into_place_and_synced_with_its_folder_survives_every_cut() {
    let place = Place::new();
    place.run(shim(), "marker");
    assert_all_hold(&Replay::new(&place.log).seeds(1..=5).run(newest_marker_is_there).unwrap());
}

#[test]
fn a_marker_whose_folder_is_not_synced_is_found_lost() {
    let place = Place::new();
    place.run(shim(), "marker-without-folder-sync");
    let summary = replay(&place.log, newest_marker_is_there).unwrap();
    assert!(!summary.failures.is_empty(), "{summary}");
}

#[test]
fn a_log_without_a_write_is_refused() {
    let place = Place::new();
    fs::write(&place.log, b"").unwrap();
    assert!(replay(&place.log, |_, _| Ok(())).is_err());
}
