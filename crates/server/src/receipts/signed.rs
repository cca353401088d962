//! The signed form of a receipt: a JWT that an auditor can keep, and check offline with the server's published keys.

use rescind_jose::{JoseError, KeySet, Kind};
use rescind_ledger::SigningAlgorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Receipt;
use crate::app::App;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub iss: String,
    pub iat: i64,
    /// The whole receipt, as the admin API shows it.
    pub receipt: Value,
}

/// Signs a receipt as it stands now.
///
/// # Errors
/// If the signature cannot be made.
pub fn sign(app: &App, receipt: &Receipt) -> Result<String, JoseError> {
    let claims = Claims { iss: app.config.issuer.clone(), iat: app.now().secs(), receipt: receipt.show() };
    app.keys.ring().signing(SigningAlgorithm::ES256).sign(Kind::Receipt, &claims)
}

/// Why a text is no receipt that these keys vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAReceipt {
    #[error("this is not a signed text at all: it was cut, or has something added to it")]
    Malformed,
    #[error("this is signed, but is not a receipt: it is a token of another type")]
    WrongType,
    #[error("it is signed by none of these keys: they may be those of another server, or its key was retired since")]
    UnknownKey,
    #[error("the signature is wrong: it was altered, or somebody else made it")]
    WrongSignature,
    #[error("the signature is good, but what is signed does not have the form of a receipt")]
    WrongForm,
}

/// Checks a signed receipt. Nothing but the keys is asked.
///
/// # Errors
/// [`NotAReceipt`].
pub fn check(keys: &KeySet, text: &str) -> Result<Claims, NotAReceipt> {
    let verified = keys.verify::<Claims>(text, Kind::Receipt).map_err(|why| match why {
        JoseError::WrongKind => NotAReceipt::WrongType,
        JoseError::UnknownKey => NotAReceipt::UnknownKey,
        JoseError::BadSignature | JoseError::WrongAlgorithm => NotAReceipt::WrongSignature,
        JoseError::Claims => NotAReceipt::WrongForm,
        _ => NotAReceipt::Malformed,
    })?;
    let claims = verified.claims;
    let is_receipt = claims.receipt.get("position").is_some_and(Value::is_string)
        && claims.receipt.get("finished").is_some_and(Value::is_boolean);
    if is_receipt { Ok(claims) } else { Err(NotAReceipt::WrongForm) }
}
