//! Look-ups in the standard library's `HashMap`, in an order that no cache foresees.

use std::collections::HashMap;
use std::hash::Hash;
use std::hint::black_box;
use std::time::Instant;

/// `count` keys, all different, the same in every run.
#[must_use]
pub fn keys(count: u64) -> Vec<u64> {
    (0..count).map(scatter).collect()
}

/// `looks` places below `among`, in an order without pattern, the same in every run. Both sides of
/// a comparison take the same list, so that both miss the caches alike.
///
/// # Panics
/// When `among` is zero: there is no place to look at.
#[must_use]
pub fn order(looks: usize, among: usize) -> Vec<usize> {
    let among = among as u128;
    assert!(among > 0, "nothing to look at");
    // Another stretch of the sequence than the keys', or the order would follow from them.
    let draws = (1_u64 << 40..).take(looks).map(scatter);
    draws.map(|draw| ((u128::from(draw) * among) >> 64) as usize).collect()
}

/// The step function of `SplitMix64`: a bijection, so different numbers give different keys.
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Looks up `keys[place]` for every place of `order` and returns nanoseconds per look-up.
///
/// The map may hold all of the keys or none: present and absent keys cost differently, and the
/// side that is compared must be asked for the same.
#[must_use]
pub fn lookup_nanos<K: Hash + Eq, V: Copy>(map: &HashMap<K, V>, keys: &[K], order: &[usize]) -> f64 {
    nanos_each(order, |place| {
        black_box(map.get(&keys[place]).copied());
    })
}

/// Calls `look` with every place of `order` and returns nanoseconds per call: both sides are timed by this.
pub fn nanos_each(order: &[usize], mut look: impl FnMut(usize)) -> f64 {
    let started = Instant::now();
    for place in order {
        look(*place);
    }
    started.elapsed().as_secs_f64() * 1e9 / order.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_all_different_and_the_same_each_time() {
        let first = keys(10_000);
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), 10_000);
        assert_eq!(first, keys(10_000));
    }

    #[test]
    fn the_order_reaches_everything_and_has_no_pattern() {
        let order = order(10_000, 100);
        let reached: HashSet<_> = order.iter().collect();
        assert_eq!(reached.len(), 100);
        assert!(order.iter().all(|place| *place < 100));
        let steps: HashSet<_> = order.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        assert!(steps.len() > 100, "{}", steps.len());
    }

    #[test]
    fn every_place_is_looked_at_once_and_in_order() {
        let mut seen = Vec::new();
        nanos_each(&[2, 0, 2], |place| seen.push(place));
        assert_eq!(seen, [2, 0, 2]);
    }

    #[test]
    fn a_measurement_is_a_positive_number() {
        let keys = keys(1000);
        let map: HashMap<u64, u64> = keys.iter().map(|key| (*key, key ^ 1)).collect();
        let nanos = lookup_nanos(&map, &keys, &order(5000, keys.len()));
        assert!(nanos > 0.0 && nanos.is_finite(), "{nanos}");
    }
}
