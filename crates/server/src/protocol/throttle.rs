//! Slows down the guessing of passwords: so many wrong ones a minute for a user name, and as many for an address.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicI64, Ordering},
};

use rescind_ledger::Timestamp;

/// Counts attempts in a table of fixed size. Two names may share a place and then slow each other down; the key of the hash
/// is drawn at start, so that nobody can aim at such a neighbour.
pub struct Throttle {
    /// For each place, when its attempts so far will have been paid off, in milliseconds since 1970.
    places: Box<[AtomicI64]>,
    hasher: RandomState,
    rate: Rate,
}

const PLACES: usize = 1 << 16;
const MINUTE: i64 = 60_000;

/// An attempt that was let through. It counts as a wrong password unless it is given back.
#[derive(Debug)]
#[must_use = "an attempt with the right password is given back"]
pub struct Attempt {
    places: Vec<usize>,
    price: i64,
}

/// What is let through in a minute, at once if need be.
#[derive(Clone, Copy)]
struct Rate {
    /// What one attempt costs, in milliseconds.
    price: i64,
    /// How far ahead of now a place may be.
    credit: i64,
}

impl Rate {
    fn per_minute(attempts: u32) -> Self {
        let attempts = i64::from(attempts.max(1));
        let price = (MINUTE / attempts).max(1);
        // Of what costs less than a millisecond, a minute's worth may come at once.
        Self { price, credit: price * attempts }
    }
}

/// Too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// When the next one may be made, in seconds from now.
    pub retry_after_secs: u32,
}

impl Throttle {
    /// Lets through that many wrong passwords a minute, at once if need be.
    #[must_use]
    pub fn new(attempts_per_minute: u32) -> Self {
        let places = (0..PLACES).map(|_| AtomicI64::new(0)).collect();
        Self { places, hasher: RandomState::new(), rate: Rate::per_minute(attempts_per_minute) }
    }

    /// Asks for an attempt, before any password is looked at. Many at once cannot get more than one after the other would.
    pub fn attempt(&self, user_name: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Attempt, TooMany> {
        let name = self.place(&("name", user_name.to_lowercase()));
        let address = self.place(&("address", address.map(neighbourhood)));
        self.take(name, self.rate, now)?;
        if let Err(too_many) = self.take(address, self.rate, now) {
            self.put_back(name, self.rate.price);
            return Err(too_many);
        }
        Ok(Attempt { places: vec![name, address], price: self.rate.price })
    }

    /// Asks for something that only the address is held to account for.
    pub fn admit(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), TooMany> {
        self.take(self.place(&("address", address.map(neighbourhood))), self.rate, now)
    }

    /// Asks for so many attempts of a caller together, of which there may be `per_minute`: for limits that change. More than
    /// a minute's worth takes a whole minute.
    pub fn ask(
        &self,
        (client, address): &(&String, Option<IpAddr>),
        attempts: usize,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<Attempt, TooMany> {
        let (place, each) = (self.place(&("client", client, address.map(neighbourhood))), Rate::per_minute(per_minute));
        let together = i64::try_from(attempts).unwrap_or(i64::MAX).saturating_mul(each.price).min(each.credit);
        self.take(place, Rate { price: together, ..each }, now)?;
        Ok(Attempt { places: vec![place], price: each.price })
    }

    /// So many of the attempts that were asked for together do not count.
    pub fn give_back_some(&self, attempt: &Attempt, attempts: usize) {
        let price = i64::try_from(attempts).unwrap_or(0).saturating_mul(attempt.price);
        attempt.places.iter().for_each(|place| self.put_back(*place, price));
    }

    /// The password was right: the attempt does not count.
    pub fn give_back(&self, attempt: &Attempt) {
        attempt.places.iter().for_each(|place| self.put_back(*place, attempt.price));
    }

    fn place(&self, key: &impl std::hash::Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) % PLACES as u64).unwrap_or(0)
    }

    fn take(&self, place: usize, rate: Rate, now: Timestamp) -> Result<(), TooMany> {
        let Some(place) = self.places.get(place) else { return Ok(()) };
        let paid = place.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |paid_off| {
            let next = paid_off.max(now.0) + rate.price;
            (next - now.0 <= rate.credit).then_some(next)
        });
        paid.map(|_| ()).map_err(|paid_off| {
            let wait = paid_off + rate.price - rate.credit - now.0;
            TooMany { retry_after_secs: u32::try_from((wait + 999) / 1000).unwrap_or(1).max(1) }
        })
    }

    fn put_back(&self, place: usize, price: i64) {
        if let Some(place) = self.places.get(place) {
            place.fetch_sub(price, Ordering::SeqCst);
        }
    }
}

/// Whoever has one address of an IPv6 network has the 2^64 of its last half.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_attempts_of_a_minute_are_let_through_and_then_one_by_one() {
        let throttle = Throttle::new(3);
        for nth in 0..3 {
            assert!(throttle.attempt("ada", address(&format!("192.0.2.{nth}")), NOW).is_ok());
        }
        let refused = throttle.attempt("ADA", address("192.0.2.9"), NOW).unwrap_err();
        assert_eq!(refused.retry_after_secs, 20);
        let later = Timestamp(NOW.0 + 20_000);
        assert!(throttle.attempt("ada", address("192.0.2.9"), later).is_ok());
        assert!(throttle.attempt("ada", address("192.0.2.9"), later).is_err());
    }

    #[test]
    fn one_address_cannot_go_through_many_names() {
        let throttle = Throttle::new(3);
        let tried = |last: &str, name: &str| throttle.attempt(name, address(last), NOW).is_ok();
        assert!(tried("2001:db8::1", "a") && tried("2001:db8::2", "b") && tried("2001:db8::3", "c"));
        assert!(!tried("2001:db8::4", "d"), "the same network");
        assert!(tried("2001:db8:0:1::4", "d"), "another network, and the refused attempt cost the name nothing");
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let throttle = Throttle::new(2);
        for _ in 0..50 {
            let attempt = throttle.attempt("ada", address("192.0.2.1"), NOW).unwrap();
            throttle.give_back(&attempt);
        }
    }

    #[test]
    fn attempts_made_at_once_get_no_more_than_one_after_the_other() {
        let throttle = Throttle::new(10);
        let through: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..10).filter(|_| throttle.attempt("ada", None, NOW).is_ok()).count()))
                .collect();
            tries.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(through, 10);
    }
}
