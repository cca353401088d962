//! Passwords: argon2id at rest (RFC 9106), and a check that takes as long for a user who does not exist.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version, password_hash::Error,
};
use tokio::{sync::Semaphore, task};

use crate::{clock::random, pace::Pace};

/// The fewest bytes of a new password.
pub const SHORTEST: usize = 8;
/// The most bytes of any password: more cannot add strength, but could add work.
pub const LONGEST: usize = 1024;

/// Memory in KiB, passes, lanes: the least that the OWASP password storage recommendation allows.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// How many passwords are hashed at once: each holds 19 MiB and a core, and the rest of the server goes on beside them.
static GATE: Semaphore = Semaphore::const_new(2);

/// Compared with when there is no password to compare with. Its cost is that of [`hash`]; no password is known to match.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cmVzY2luZCBub2JvZHkhIQ$bm9ib2R5IGtub3dzIGEgcGFzc3dvcmQgZm9yIHRoaXM";

/// Why a new password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("a password has at least {SHORTEST} bytes")]
    TooShort,
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    #[error("the password could not be hashed")]
    Failed,
}

/// The form in which a new password is kept: argon2id in PHC form.
///
/// # Errors
/// If the password is too short or too long.
pub fn hash(password: &str) -> Result<String, Unusable> {
    if password.len() < SHORTEST {
        return Err(Unusable::TooShort);
    }
    if password.len() > LONGEST {
        return Err(Unusable::TooLong);
    }
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| Unusable::Failed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hashed = argon2.hash_password_with_salt(password.as_bytes(), &random::<16>()).map_err(|_| Unusable::Failed)?;
    Ok(hashed.to_string())
}

/// The same as [`hash`], where the work holds nobody up, and with no more of it at once than the machine can bear.
///
/// # Errors
/// If the password is too short or too long.
pub async fn make(password: zeroize::Zeroizing<String>) -> Result<String, Unusable> {
    let Ok(permit) = GATE.acquire().await else { return Err(Unusable::Failed) };
    let work = task::spawn_blocking(move || {
        let _permit = permit;
        hash(&password)
    });
    work.await.unwrap_or(Err(Unusable::Failed))
}

/// Whether a password is the one behind `phc`, at the cost that `phc` states.
#[must_use]
pub fn verify(phc: &str, password: &str) -> bool {
    let verified = PasswordHash::new(phc)
        .map_err(Error::from)
        .and_then(|stored| Argon2::default().verify_password(password.as_bytes(), &stored));
    if let Err(why) = &verified
        && *why != Error::PasswordInvalid
    {
        tracing::error!(error = %why, "a stored password hash cannot be used");
    }
    verified.is_ok()
}

/// Whether a password is the one behind `phc`, on a thread where the work holds nobody up. Without a `phc` it is not, and
/// finding that out takes as long.
///
/// A stepped server does it on the spot, since a scheduler of requests cannot wait for another thread.
pub async fn check(pace: &Pace, phc: Option<String>, password: &str) -> bool {
    check_by(verify, pace, phc, password).await
}

async fn check_by<V>(verify: V, pace: &Pace, phc: Option<String>, password: &str) -> bool
where
    V: Fn(&str, &str) -> bool + Send + 'static,
{
    if password.len() > LONGEST {
        return false;
    }
    let known = phc.is_some();
    let phc = phc.unwrap_or_else(|| NOBODY.to_owned());
    if let Pace::Stepped(_) = pace {
        return verify(&phc, password) && known;
    }
    let Ok(permit) = GATE.acquire().await else { return false };
    let password = zeroize::Zeroizing::new(password.to_owned());
    // The permit goes with the work: a request that was given up does not stop it.
    let work = task::spawn_blocking(move || {
        let _permit = permit;
        verify(&phc, &password)
    });
    matches!(work.await, Ok(true)) && known
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_no_other_is() {
        let phc = hash("correct horse").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&phc, "correct horse"));
        assert!(!verify(&phc, "correct horsf"));
        assert!(!verify("not a hash", "correct horse"));
        assert_ne!(phc, hash("correct horse").unwrap(), "each hash has a salt of its own");
    }

    #[test]
    fn a_new_password_is_neither_short_nor_endless() {
        assert_eq!(hash("1234567"), Err(Unusable::TooShort));
        assert_eq!(hash(&"x".repeat(1025)), Err(Unusable::TooLong));
        assert!(hash("12345678").is_ok());
    }

    #[tokio::test]
    async fn a_user_who_does_not_exist_costs_as_much_as_a_wrong_password() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash("12345678").unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.algorithm, somebody.algorithm);
        assert_eq!(nobody.params.to_string(), somebody.params.to_string());
        let length = |phc: &PasswordHash| phc.hash.as_ref().map(|hash| hash.as_bytes().len());
        assert_eq!(length(&nobody), length(&somebody));
        assert!(!check(&Pace::Free, None, "12345678").await);
    }

    #[tokio::test]
    async fn a_check_verifies_exactly_once_whether_there_is_a_user_or_not() {
        let phc = hash("12345678").unwrap();
        for known in [None, Some(phc)] {
            for password in ["12345678", "wrong password"] {
                let verified = Arc::new(AtomicUsize::new(0));
                let counted = verified.clone();
                let counting = move |phc: &str, password: &str| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    verify(phc, password)
                };
                let right = known.is_some() && password == "12345678";
                assert_eq!(check_by(counting, &Pace::Free, known.clone(), password).await, right);
                assert_eq!(verified.load(Ordering::SeqCst), 1);
            }
        }
    }

    #[tokio::test]
    async fn an_endless_password_is_refused_before_any_work() {
        assert!(!check(&Pace::Free, None, &"x".repeat(LONGEST + 1)).await);
        let phc = hash("12345678").unwrap();
        assert!(check(&Pace::Free, Some(phc.clone()), "12345678").await);
        assert!(!check(&Pace::Free, Some(phc), "12345679").await);
    }
}
