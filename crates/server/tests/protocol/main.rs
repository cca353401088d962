//! The protocol over the wire, clause by clause: the real program on a loopback port.

#[path = "../blackbox/application.rs"]
mod application;
#[path = "../blackbox/person.rs"]
mod person;
#[path = "../blackbox/server.rs"]
mod server;
#[path = "../blackbox/tls.rs"]
#[expect(dead_code, reason = "programs get the root as a file; here nobody needs it")]
mod tls;

#[path = "../../../../blackbox/openidconnect/src/page.rs"]
mod page;

mod account;
mod administering;
mod assertions;
mod auditing;
mod browsing;
mod certificates;
mod client_authentication;
mod codes;
mod console;
mod console_guards;
mod devices;
mod discovery;
mod endings;
mod entrust;
mod fetched_keys;
mod global_token_revocation;
mod guards;
mod introspection;
mod janssen_prefix;
mod keys;
mod limits;
mod logout;
mod operating;
mod own_password;
mod paths;
mod promises;
mod prompts;
mod pushed;
mod refresh_binding;
mod refreshing;
mod registering;
mod resources;
mod revoke_session;
mod revoking;
mod runtime_log;
mod session_api;
mod session_api_authentication;
mod session_api_requests;
mod session_management;
mod session_validation;
mod sign_in;
mod strangers;
mod tokens;
mod userinfo;
