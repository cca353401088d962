//! What can be written on the command line.

mod directory;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use rescind_ledger::{PendingState, Reason};

use super::{
    audit::AuditCommand, bulk::BulkCommand, confirm::ConfirmArguments, receipt::ReceiptCommand, script::ScriptCommand,
    sessions::SessionsCommand, settings::SettingsCommand,
};

pub(super) use directory::{ApiCommand, ApiOptions, ClientCommand, ClientOptions, DeviceCommand, UserCommand};

/// Issues OAuth 2 and OpenID Connect tokens and sessions, and takes them back.
#[derive(Debug, Parser)]
#[command(name = "rescind", version, about, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Globals {
    /// How to answer: tables for people, or the admin API's JSON.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "RESCIND_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The data directory, instead of the configured one.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// A server elsewhere, by its issuer URL, instead of the one on this host.
    #[arg(long, global = true, value_name = "URL", env = "RESCIND_SERVER")]
    pub(super) server: Option<String>,
    /// The client to call it as; its scopes (rescind:read, rescind:revoke, rescind:write) decide what works.
    #[arg(long, global = true, value_name = "ID", env = "RESCIND_CLIENT_ID")]
    pub(super) client_id: Option<String>,
    /// The file with that client's secret.
    #[arg(long, global = true, value_name = "FILE", env = "RESCIND_CLIENT_SECRET_FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// PEM with further roots to trust for that server.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Json,
    Table,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the server.
    Serve,
    /// Shows on a throw-away server how access ends.
    Demo(DemoArguments),
    /// Users: the accounts people sign in with.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Clients: the applications that get tokens.
    Client {
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// APIs: the resource servers that tokens are for.
    Api {
        #[command(subcommand)]
        command: ApiCommand,
    },
    /// Managed devices.
    Device {
        #[command(subcommand)]
        command: DeviceCommand,
    },
    /// Ends access, at once and durably.
    Revoke(RevokeArguments),
    /// Says of a token whether it is alive, and if not, who ended it, when and why.
    Explain(TokenArguments),
    /// Says of a token what an API would hear.
    Introspect(TokenArguments),
    /// Sessions: sign-ins.
    Sessions {
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// Grants: what clients got.
    Grants {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// Access tokens.
    Tokens {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// One thing done to many users, as a job of the server.
    Bulk {
        #[command(subcommand)]
        command: BulkCommand,
    },
    /// Revocations that were made, and those that wait.
    #[command(name = "revocation", alias = "revocations")]
    Revocations {
        #[command(subcommand)]
        command: RevocationsCommand,
    },
    /// Who has stopped honouring what, and when.
    Receipt {
        #[command(subcommand)]
        command: ReceiptCommand,
    },
    /// Who must hear of revocations.
    Receivers {
        #[command(subcommand)]
        command: ReceiversCommand,
    },
    /// The audit trail: what was ordered, refused, set and seen, and by whom.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Signing keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Tokens with which clients may register themselves.
    RegistrationToken {
        #[command(subcommand)]
        command: RegistrationTokenCommand,
    },
    /// Tokens with which provisioning systems drive the accounts, by SCIM.
    ScimToken {
        #[command(subcommand)]
        command: ScimTokenCommand,
    },
    /// Scripts that are asked before a revocation is written.
    Script {
        #[command(subcommand)]
        command: ScriptCommand,
    },
    /// Settings that change while the server runs.
    Settings {
        #[command(subcommand)]
        command: SettingsCommand,
    },
    /// Says how much there is: live sessions and tokens, revocations over time, and how long they took.
    Overview,
    /// Says where the server stands.
    Status,
    /// Copies the database, beside a running server. The master key is not in the copy.
    Backup { file: PathBuf },
    /// Goes back to a backup. Everything issued so far is revoked, since revocations may be missing from it.
    Restore { file: PathBuf },
    /// The epochs of the ledger.
    Epoch {
        #[command(subcommand)]
        command: EpochCommand,
    },
    /// Checks a deployment end to end, and says what to do.
    Doctor,
}

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Ends after the tour.
    #[arg(long)]
    pub(super) exit: bool,
    /// How many people the company has.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(3..=200))]
    pub(super) users: u32,
    /// How many access tokens there are: 10000 if absent, 2000 in a debug build, and at least four for each person.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) tokens: Option<u32>,
}

/// A page of a list.
#[derive(Debug, Args)]
pub(super) struct PageArguments {
    /// How many to show.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(super) limit: u32,
    /// Where to go on: what the page before said.
    #[arg(long)]
    pub(super) cursor: Option<String>,
}

/// What is looked for among what has a name, and in which order it is shown.
#[derive(Debug, Args)]
pub(super) struct NamesArguments {
    /// Only those of whom a name begins like this, in letters of either case.
    #[arg(long, value_name = "TEXT")]
    pub(super) search: Option<String>,
    /// By name (users: user_name) or created_at; with `-` before it in the other direction.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    pub(super) sort: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

/// The same where they can be switched off.
#[derive(Debug, Args)]
pub(super) struct SwitchedNamesArguments {
    /// Only those that are switched on.
    #[arg(long, conflicts_with = "disabled")]
    pub(super) enabled: bool,
    /// Only those that are switched off.
    #[arg(long)]
    pub(super) disabled: bool,
    #[command(flatten)]
    pub(super) names: NamesArguments,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct PasswordArguments {
    /// Reads the password from standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Reads the password from a file.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct SwitchArguments {
    /// Switches it on.
    #[arg(long)]
    pub(super) enabled: bool,
    /// Switches it off, and ends what it holds.
    #[arg(long)]
    pub(super) disabled: bool,
}

/// What is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RevokeKind {
    Api,
    Client,
    Device,
    Everything,
    Grant,
    Key,
    Session,
    Token,
    User,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArguments {
    #[arg(value_enum)]
    pub(super) kind: RevokeKind,
    /// Which one. A token is named by its id (`jti`); without one, its text is read from standard input or --file.
    #[arg(allow_hyphen_values = true)]
    pub(super) id: Option<String>,
    /// Only what this client holds (with user or device).
    #[arg(long, value_name = "ID")]
    pub(super) client: Option<String>,
    /// Only what is for this API (with user or client).
    #[arg(long, value_name = "URI")]
    pub(super) api: Option<String>,
    /// A file with the text of the token.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Why.
    #[arg(long, default_value = "other", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    pub(super) reason: String,
    /// A note for people.
    #[arg(long)]
    pub(super) note: Option<String>,
    /// Only what was issued before this time, such as 2026-01-31T12:00:00Z: what descends from a later sign-in goes on.
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<String>,
    /// Only counts what would end.
    #[arg(long)]
    pub(super) preview: bool,
    /// Needed to revoke everything.
    #[arg(long)]
    pub(super) yes: bool,
    /// Makes a repeated order the same order.
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// When, if not now: RFC 3339, such as 2027-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    #[command(flatten)]
    pub(super) confirm: ConfirmArguments,
}

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The id (`jti`) of an access token; without it, the text of a token is read from standard input or --file.
    #[arg(allow_hyphen_values = true)]
    pub(super) id: Option<String>,
    /// A file with the text of the token.
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListCommand {
    /// Lists them with their present state.
    List(FilterArguments),
}

#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Of this user (id or user name).
    #[arg(long)]
    pub(super) user: Option<String>,
    #[arg(long)]
    pub(super) client: Option<String>,
    #[arg(long)]
    pub(super) api: Option<String>,
    #[arg(long)]
    pub(super) session: Option<String>,
    #[arg(long)]
    pub(super) grant: Option<String>,
    #[arg(long)]
    pub(super) device: Option<String>,
    /// Also what has expired.
    #[arg(long)]
    pub(super) all: bool,
    /// Only what counts now (active), or only what does not (ended).
    #[arg(long, value_parser = PossibleValuesParser::new(["active", "ended"]))]
    pub(super) state: Option<String>,
    /// Begins with the oldest.
    #[arg(long)]
    pub(super) oldest_first: bool,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum RevocationsCommand {
    /// Lists revocations, the newest first.
    List(RevocationsFilter),
    /// Shows the revocation at a position.
    Show { position: String },
    /// Lists revocations that wait, or have waited; shows the one that is named.
    Pending {
        #[arg(allow_hyphen_values = true)]
        id: Option<String>,
        /// Only those in this state.
        #[arg(long, value_parser = PossibleValuesParser::new(PendingState::WORDS))]
        state: Option<String>,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Approves a revocation that another administrator has ordered.
    Approve {
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// Takes back a revocation that still waits: `cancel` is the same.
    #[command(alias = "cancel")]
    Withdraw {
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct RevocationsFilter {
    /// Only of this kind of target: user, client, api, user_client …
    #[arg(long)]
    pub(super) kind: Option<String>,
    /// Only for this reason.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    pub(super) reason: Option<String>,
    /// Only on the word of the administrator, client, user or rule with this id.
    #[arg(long, value_name = "ID")]
    pub(super) initiator: Option<String>,
    /// Only from this time on, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only before this time.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReceiversCommand {
    /// Lists receivers, and how each does.
    List(PageArguments),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Lists signing keys.
    List,
    /// Signs with fresh keys from now on.
    Rotate,
}

#[derive(Debug, Subcommand)]
pub(super) enum RegistrationTokenCommand {
    /// Makes one and prints it, this once.
    New,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScimTokenCommand {
    /// Makes one for a provisioning system and prints it, this once.
    Issue {
        /// What the provisioning system is called in entries and audit records.
        name: String,
        /// For how many days it is good.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=730))]
        days: u32,
    },
    /// Lists them.
    List(PageArguments),
    /// Takes one back.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum EpochCommand {
    /// Opens a new epoch, after a database file was put in place by hand: everything issued so far is revoked.
    Open {
        /// Why, for people.
        #[arg(long, default_value = "")]
        note: String,
    },
}
