//! The references that rescind is measured against.

pub mod reference;
