//! The description of every endpoint (OpenAPI 3.1), generated from the tables that the routers are built from: what is
//! served is described, and what is described is served.

mod answers;
mod description;
mod document;
mod page;
mod security;
mod serve;
pub mod shape;
#[cfg(test)]
mod tests;
mod words;

pub use answers::Errors;
pub use description::Description;
pub use document::{Operation, document};
pub use security::Security;
pub use serve::{Cached, ENDPOINTS, operations};
