//! The clients and tokens of a measurement, the same in every run and on both sides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rescind::protocol::session_api::REVOKED_SRIS;
use rescind_ledger::{Hash, Kind, Secret};

use crate::reference::load::{get, post};

/// The application that the tokens were issued to; it revokes them.
pub const APPLICATION: &str = "measured-application";
/// The API that introspects them, and asks whether sessions were revoked.
pub const RESOURCE_SERVER: &str = "measured-resource-server";
/// The API's identifier.
pub const AUDIENCE: &str = "https://api.example/orders";
/// What the tokens are good for.
pub const SCOPE: &str = "orders:read orders:write";
/// The user whom the million tokens are about.
pub const CROWDED: &str = "usr_000000000000000crowd";

/// The clients' secret.
#[must_use]
pub fn client_secret() -> Secret {
    Secret::form(Kind::ClientSecret, &[0x5a; 32])
}

/// Opaque access token `number`.
#[must_use]
pub fn token(number: u64) -> Secret {
    // The hash of a number stands for random bits: the same in both processes, and without any pattern.
    Secret::form(Kind::AccessToken, &Hash::of(&number.to_string()).0)
}

/// The `sid` of session `number`, as long as one that rescind makes.
#[must_use]
pub fn session_id(number: u64) -> String {
    format!("s_{number:022}")
}

/// The value of a client's `Authorization` header.
#[must_use]
pub fn basic(client: &str) -> String {
    let pair = format!("{client}:{}", client_secret().reveal());
    format!("Basic {}", STANDARD.encode(pair))
}

/// The introspection of a token by the API, as a whole request.
#[must_use]
pub fn introspection(number: u64) -> Vec<u8> {
    post("/introspect", &basic(RESOURCE_SERVER), &format!("token={}", token(number).reveal()))
}

/// The revocation of a token by its application, as a whole request.
#[must_use]
pub fn revocation(number: u64) -> Vec<u8> {
    post("/revoke", &basic(APPLICATION), &format!("token={}", token(number).reveal()))
}

/// The question of the API whether session `number` was revoked, as a whole request.
#[must_use]
pub fn status_query(number: u64) -> Vec<u8> {
    get(&format!("{REVOKED_SRIS}/{}", session_id(number)), &basic(RESOURCE_SERVER), "x-xsrf-header: x")
}

/// The issue of a token to the application, as a whole request.
#[must_use]
pub fn issuance() -> Vec<u8> {
    let form = format!("grant_type=client_credentials&scope=orders:read&resource={AUDIENCE}");
    post("/token", &basic(APPLICATION), &form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_well_formed_all_different_and_the_same_each_time() {
        assert_eq!(Kind::recognise(token(7).reveal()), Ok(Kind::AccessToken));
        assert_eq!(token(7), token(7));
        assert_ne!(token(7), token(8));
    }
}
