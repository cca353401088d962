//! Address ranges as an operator writes them: `10.0.0.0/8`, `::1/128`, or one bare address.

use std::{net::IpAddr, str::FromStr};

use super::Network;

/// The text is not an address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let widest = width(address);
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|p| *p <= widest).ok_or(NotANetwork)?,
            None => widest,
        };
        Ok(Self { address, prefix })
    }
}

impl Network {
    /// Whether `address` lies in this range. An IPv4 address in its IPv6-mapped form counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs) = (self.address.to_canonical(), address.to_canonical());
        if width(ours) != width(theirs) {
            return false;
        }
        // A mapped range (`::ffff:10.0.0.0/104`) has lost its first 96 bits with the canonical form.
        let lost = width(self.address) - width(ours);
        let kept = u32::from(self.prefix.saturating_sub(lost));
        let outside = 128_u32.saturating_sub(kept);
        bits(ours).checked_shr(outside).unwrap_or(0) == bits(theirs).checked_shr(outside).unwrap_or(0)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with its first bit as the highest of 128.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let table = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("::ffff:127.0.0.0/104", "127.1.2.3", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
            ("::/0", "2001:db8::1", true),
        ];
        for (range, address, inside) in table {
            let network: Network = range.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{address} in {range}");
        }
    }

    #[test]
    fn a_prefix_longer_than_the_address_is_refused() {
        for text in ["10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0/8", "example.org/8", "", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
