//! Which addresses are not a public host's: the special-use registries of RFC 6890, and forms that hide an IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is anything but a public unicast address, in itself or in the IPv4 address it carries.
pub(super) fn is_special_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => is_special_v6(v6),
    }
}

/// Each range as first address and prefix.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers (RFC 6598)
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, where clouds keep their metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays (RFC 7526)
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

fn is_special_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    SPECIAL_V4.iter().any(|(first, prefix)| (bits ^ u32::from_be_bytes(*first)).leading_zeros() >= *prefix)
}

/// Inside the global unicast range 2000::/3; everything outside that is special (RFC 4291 section 2.4).
const SPECIAL_V6: [([u16; 3], u32); 4] = [
    ([0x2001, 0, 0], 23),         // protocol assignments, Teredo among them
    ([0x2001, 0xdb8, 0], 32),     // documentation
    ([0x3fff, 0, 0], 20),         // documentation (RFC 9637)
    ([0x2620, 0x4f, 0x8000], 48), // AS112 (RFC 7534)
];

fn is_special_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [a, .., g, h] = segments;
    let low_v4 = Ipv4Addr::from(u32::from(g) << 16 | u32::from(h));
    match segments {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) reach the IPv4 address they carry.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => return is_special_v4(low_v4),
        [0x2002, high, low, ..] => return is_special_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // ISATAP (RFC 5214) under any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] if is_special_v4(low_v4) => return true,
        _ => {}
    }
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_special_v4(mapped);
    }
    let global = a & 0xe000 == 0x2000;
    let bits = address.to_bits();
    !global
        || SPECIAL_V6.iter().any(|([a, b, c], prefix)| {
            let first = u128::from(*a) << 112 | u128::from(*b) << 96 | u128::from(*c) << 80;
            (bits ^ first).leading_zeros() >= *prefix
        })
}
