//! The runtime API log: one line for each call of the session endpoints.

/// Who made a call, as the log names them. Handlers put it among a response's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCaller {
    /// The client's id.
    pub name: String,
    /// The registered name of the method by which it authenticated.
    pub method: &'static str,
}
