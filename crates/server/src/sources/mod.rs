//! IN: where word of people comes from. Today one kind of source, a directory that drives accounts by SCIM.

pub mod scim;

pub use scim::{ENDPOINTS, router};
