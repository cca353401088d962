//! The rescind server.
