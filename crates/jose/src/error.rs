//! Why a token or a key was refused. No variant carries any part of the token.

/// Why a token or a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoseError {
    #[error("the token is longer than {} bytes", crate::MAX_TOKEN_BYTES)]
    TooLong,
    #[error("not a compact signed JWT")]
    Malformed,
    /// RFC 7515 section 4.1.11: an extension that is not understood makes the token invalid; we understand none.
    #[error("the header demands an extension (crit) that is not understood")]
    CriticalExtension,
    #[error("the token is of another kind")]
    WrongKind,
    #[error("the algorithm is not the one this key is for")]
    WrongAlgorithm,
    #[error("no key with this kid")]
    UnknownKey,
    #[error("the signature does not match")]
    BadSignature,
    #[error("the claims are not of the expected shape")]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("not a usable key of the stated algorithm")]
    BadKey,
    #[error("the key could not be generated")]
    Generate,
    #[error("the token could not be signed")]
    Sign,
}
