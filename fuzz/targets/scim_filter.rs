//! A filter of a SCIM request, and the path of a patch: what was read is written down, and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind::sources::scim::{
    filter::{Filter, LONGEST, Path},
    matching::{found, matches},
};
use serde_json::Map;

fuzz_target!(|text: &str| {
    let _ = Path::read(text);
    let Ok(filter) = Filter::read(text) else { return };
    let _ = (matches(&filter, &Map::new()), found(&filter));
    let written = filter.to_string();
    // A number may be written at greater length than it came.
    if written.len() <= LONGEST {
        assert_eq!(Filter::read(&written).map(|again| again.to_string()), Ok(written));
    }
});
