//! ASK: the protocol endpoints, one file for each noun or verb of the standards.

pub mod account;
pub mod authorization_request;
pub mod authorize;
pub mod browser;
pub mod certificate;
pub mod client_auth;
pub mod consent;
pub mod cors;
pub mod device;
pub mod discovery;
pub mod end_session;
pub mod error;
pub mod feature;
pub mod flow;
pub mod form;
pub mod health;
pub mod introspect;
pub mod issue;
pub mod mint;
pub mod pages;
pub mod par;
pub mod password;
pub mod register;
pub mod revoke;
mod routes;
pub mod session_api;
pub mod session_limit;
pub mod sign_in;
pub mod signed_in;
pub mod throttle;
pub mod token;
pub mod trouble;
pub mod userinfo;

pub(crate) use routes::issuer_path;
pub use routes::{ENDPOINTS, router};
