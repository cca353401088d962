//! Commands for who and what there is: users, clients, APIs, devices.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{NamesArguments, PasswordArguments, SwitchArguments, SwitchedNamesArguments};
use crate::cli::confirm::ConfirmArguments;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// Adds a user; without a password option, asks for one on a terminal, or else makes one and prints it.
    Add {
        /// What the user types to sign in.
        name: String,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        display_name: Option<String>,
        /// What the user may do as an administrator: viewer, revoker or administrator.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// What a provisioning system calls the user.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Adds and changes users by a file; what it does not say stays as it is.
    Import(crate::cli::user_import::ImportArguments),
    /// Lets a user sign in again. What was ended stays ended.
    Enable {
        /// An id or user name.
        user: String,
    },
    /// Keeps a user from signing in, and ends everything the user holds.
    Disable {
        /// An id or user name.
        user: String,
    },
    /// Gives a user another user name, and ends everything the user holds.
    Rename {
        /// An id or user name.
        user: String,
        /// The new user name.
        name: String,
    },
    /// Gives a user a new password, and ends everything the user holds; without an option, asks for one on a terminal, or else makes one
    /// and prints it.
    Password {
        /// An id or user name.
        user: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Lists users.
    List {
        #[command(flatten)]
        names: SwitchedNamesArguments,
        /// Only those who administer: viewer, revoker, administrator or any.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
    },
    /// Shows a user.
    Show {
        /// An id or user name.
        user: String,
    },
    /// Changes a user. Disabling, renaming and a new password end everything the user holds.
    Set {
        /// An id or user name.
        user: String,
        #[command(flatten)]
        switch: SwitchArguments,
        /// A new user name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        display_name: Option<String>,
        /// What the user may do as an administrator: viewer, revoker, administrator or none.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// What a provisioning system calls the user.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Removes a user and ends everything they hold.
    Remove {
        /// An id or user name.
        user: String,
    },
}

/// What may be said of a client. A list that is given replaces the one before.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClientOptions {
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(in crate::cli) redirect_uris: Vec<String>,
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub(in crate::cli) post_logout_redirect_uris: Vec<String>,
    /// authorization_code, refresh_token or client_credentials.
    #[arg(long = "grant-type", value_name = "TYPE")]
    pub(in crate::cli) grant_types: Vec<String>,
    /// A scope it may ask for.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(in crate::cli) scopes: Vec<String>,
    /// An API it may ask for; without any, every registered one.
    #[arg(long = "api", value_name = "URI")]
    pub(in crate::cli) resources: Vec<String>,
    /// The API that this client is, when it introspects.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) serves: Option<String>,
    /// client_secret_basic (the default), client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth,
    /// self_signed_tls_client_auth or none.
    #[arg(long, value_name = "METHOD")]
    pub(in crate::cli) auth_method: Option<String>,
    /// A file with the client's public keys (a JWK set).
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) jwks_file: Option<PathBuf>,
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) jwks_uri: Option<String>,
    #[arg(long, value_name = "DN")]
    pub(in crate::cli) tls_subject_dn: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) tls_san_dns: Option<String>,
    /// Whether a used refresh token is replaced: each_use or never.
    #[arg(long, value_name = "POLICY")]
    pub(in crate::cli) rotation: Option<String>,
    /// How long a replaced refresh token still brings back the same successor; 0 is strict.
    #[arg(long, value_name = "SECS")]
    pub(in crate::cli) rotation_grace_secs: Option<u32>,
    /// Whether its refresh tokens die with the session they came from: always, never or unless_offline.
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) refresh_binding: Option<String>,
    /// Whether it may add sessions to the revocation list and ask for them.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) session_revocation_api: Option<bool>,
    /// Whether it may see, extend and end sessions by id and by user.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) session_management_api: Option<bool>,
    /// Whether users are spared the question for consent.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) first_party: Option<bool>,
    /// Whether it must push its authorization requests (RFC 9126).
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) require_par: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ClientCommand {
    /// Adds a client and prints its secret, this once.
    Add {
        /// Its name for people.
        name: String,
        /// Its id, if it is not to be made up.
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        options: Box<ClientOptions>,
    },
    /// Lists clients.
    List(SwitchedNamesArguments),
    /// Shows a client.
    Show { client: String },
    /// Changes a client. Taking something away ends everything the client holds.
    Set {
        client: String,
        #[command(flatten)]
        switch: SwitchArguments,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: Box<ClientOptions>,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
    /// Gives a client a new secret and prints it, this once.
    Secret { client: String },
    /// Removes a client and ends everything it holds.
    Remove {
        client: String,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}

/// What may be said of an API.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApiOptions {
    /// A scope of this API; a list that is given replaces the one before.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(in crate::cli) scopes: Vec<String>,
    /// What its access tokens look like: opaque or jwt.
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) token_format: Option<String>,
    /// How long its access tokens live.
    #[arg(long, value_name = "SECS")]
    pub(in crate::cli) access_token_secs: Option<u32>,
    /// Whether its access tokens say from which session they come.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) include_session_id: Option<bool>,
    /// Whether its access tokens need a session that is neither idle nor over-age.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) check_valid_authn_session: Option<bool>,
    /// Whether its access tokens die with the session they came from.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) check_session_revocation_status: Option<bool>,
    /// Whether each validation of its access tokens counts as activity in their session.
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) update_authn_session_activity: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApiCommand {
    /// Adds an API.
    Add {
        /// Its identifier, an absolute URI.
        audience: String,
        /// Its name for people.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: ApiOptions,
        /// Also makes a client by which the API introspects, and prints its secret.
        #[arg(long)]
        introspection_client: bool,
    },
    /// Lists APIs.
    List(NamesArguments),
    /// Shows an API.
    Show { audience: String },
    /// Changes an API. Fewer scopes, or a new demand on sessions, end the tokens for it.
    Set {
        audience: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        options: ApiOptions,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
    /// Removes an API and ends the tokens for it.
    Remove {
        audience: String,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeviceCommand {
    /// Adds a device.
    Add {
        name: String,
        /// A name by which others know it, as KIND=VALUE.
        #[arg(long = "external-id", value_name = "KIND=VALUE")]
        external_ids: Vec<String>,
    },
    /// Lists devices.
    List(SwitchedNamesArguments),
    /// Shows a device.
    Show {
        /// Its id, or an external id as KIND:VALUE.
        device: String,
    },
    /// Changes a device. Switching it off ends what was issued on it.
    Set {
        /// Its id, or an external id as KIND:VALUE.
        device: String,
        #[command(flatten)]
        switch: SwitchArguments,
        #[arg(long)]
        name: Option<String>,
        /// A name by which others know it, as KIND=VALUE; a list that is given replaces the one before.
        #[arg(long = "external-id", value_name = "KIND=VALUE")]
        external_ids: Vec<String>,
        #[command(flatten)]
        confirm: ConfirmArguments,
    },
}
