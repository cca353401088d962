//! A GeoIP database small enough to be written here (MaxMind DB file format 2.0), for tests.

/// One field of the data section: its type and size, then its bytes (MaxMind DB 2.0, "Data Field Format").
fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29, "longer texts are written in another way");
    [&[0x40 | size(text.len())], text.as_bytes()].concat()
}

fn size(size: usize) -> u8 {
    u8::try_from(size).unwrap_or(u8::MAX)
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let head = vec![0xe0 | size(members.len())];
    members.iter().fold(head, |map, (name, value)| [map, text(name), value.clone()].concat())
}

fn number(kind: u8, value: u8) -> Vec<u8> {
    vec![kind | 1, value]
}

fn named(name: &str) -> Vec<u8> {
    map(&[("names", map(&[("en", text(name))]))])
}

/// A database of one node: everything below 128.0.0.0 is at that place, the rest is nowhere. Without a city it is one of
/// countries.
pub(crate) fn database(city: &str, country: &str) -> Vec<u8> {
    let record = match city {
        "" => map(&[("country", named(country))]),
        city => map(&[("city", named(city)), ("country", named(country))]),
    };
    let (nodes, to_the_record) = (1, [0, 0, 1 + 16]);
    let tree = [to_the_record, [0, 0, nodes]].concat();
    let metadata = map(&[
        ("node_count", number(0xc0, nodes)),
        ("record_size", number(0xa0, 24)),
        ("ip_version", number(0xa0, 4)),
        ("binary_format_major_version", number(0xa0, 2)),
        ("binary_format_minor_version", vec![0xa0]),
        ("build_epoch", vec![1, 2, 1]),
        ("database_type", text("Test-City")),
        ("description", map(&[])),
        ("languages", vec![0, 4]),
    ]);
    [&tree, &[0; 16][..], &record, b"\xab\xcd\xefMaxMind.com", &metadata].concat()
}
