//! Black-box tests: the real program on a loopback port, met only over the wire, as clients and people meet it.

mod application;
mod clients;
mod console;
mod openapi;
mod others_access;
mod parts;
mod person;
mod registration;
mod revocation;
mod revocation_settings;
mod server;
mod tls;

#[path = "../../src/places/sample.rs"]
mod sample;

// The other clients' reader of sign-in pages: there should be one in the project.
#[path = "../../../../blackbox/openidconnect/src/page.rs"]
mod page;
