//! The benchmarks: rescind's own server beside the fastest plain code for what cannot be avoided.

pub mod child;
pub mod credentials;
pub mod measure;
pub mod reference;
pub mod report;
pub mod seed;
pub mod served;
