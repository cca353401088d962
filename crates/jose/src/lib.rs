//! Signs and verifies the few JWT kinds rescind speaks, and encrypts what must be read back.
//!
//! * [`SigningKey`] signs, [`KeySet`] holds the published halves and verifies. Every token has a [`Kind`], written
//!   in its `typ`, so that one kind can never pass for another.
//! * [`assertion`] verifies what clients sign to authenticate (RFC 7523).
//! * [`seal`] encrypts secrets at rest.
//!
//! Nothing here reads a clock, a file or the environment. Randomness is an argument, with two exceptions: generating a
//! key and the ECDSA signature itself draw on the generator inside AWS-LC, because no interface exists to replace it.

pub mod assertion;
mod base64url;
mod compact;
mod error;
mod key_set;
mod kind;
mod public_key;
pub mod seal;
mod signing_key;
mod thumbprint;
mod times;

pub use compact::{MAX_TOKEN_BYTES, UnverifiedHeader, unverified_header, unverified_kid};
pub use error::JoseError;
pub use key_set::{Claims, KeySet, Verified};
pub use kind::Kind;
pub use signing_key::{Algorithm, SigningKey};
pub use thumbprint::{certificate_thumbprint, jwk_thumbprint};
pub use times::check_times;
