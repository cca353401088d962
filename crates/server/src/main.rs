//! The rescind server and its command line.
fn main() {}
