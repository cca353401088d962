//! The fastest plain code for what cannot be avoided, so that a benchmark is a ratio and not a boast.

pub mod append;
pub mod count;
pub mod http;
pub mod load;
pub mod map;
pub mod rows;
pub mod sessions;
