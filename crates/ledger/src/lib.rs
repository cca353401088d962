//! Decides and records what no longer holds: the only crate with rules.
//!
//! Tokens never change. A [`Writer`] owns the one transaction in which anything is written; inside it every
//! ending goes through [`Door::end`]. What is read back is an immutable record, and whether it still counts is
//! the verdict of the index in [`Live`] over the record's lineage.

mod alive;
mod audit;
mod bulk;
mod census;
mod change;
mod change_script;
mod configuration;
mod delivery;
mod door;
mod effect;
mod entry;
mod forget;
mod guard;
mod identity;
mod issue;
mod lifecycle;
mod listing;
mod live;
mod order;
mod origin;
mod pending;
mod port;
mod records;
mod redeem;
mod refresh;
mod role;
mod script;
mod secret;
mod session_validation;
mod session_view;
mod sessions;
mod settings;
mod status;
mod tally;
mod target;
mod time;
mod token_limit;
mod token_view;
mod trail;
mod writer;

pub use alive::{Inactive, SessionClock};
pub use audit::{Action, AuditBody, AuditEvent, AuditHead, AuditRecord, SignedHead};
pub use bulk::{BulkAction, BulkFailure, BulkJob, BulkState, NewBulkJob};
pub use census::{Aim, Census, CensusRow, CensusScan, CensusView, ClockOver, Counted, SessionClocks, SwitchedOff};
pub use change::{ClientChange, restricts_api, restricts_client};
pub use change_script::ScriptChange;
pub use configuration::{Configuration, ConfigurationChange};
pub use delivery::{Attempt, Delivery, DeliveryState, Expanded, Outcome, Standing, backoff};
pub use door::{Door, Ended};
pub use effect::{Done, Effect, effects_of};
pub use entry::Entry;
pub use forget::{COUNTED_WITHIN, HorizonFact, Sweep, horizon_in_force};
pub use guard::{Extent, Guard, Need, phrase};
pub use identity::Identity;
pub use issue::{Minted, SignIn, TimedOut};
pub use lifecycle::{LifecycleRule, OwnPassword, PasswordChanged, UserChange};
pub use listing::{Filter, Issuance, NameFilter, NameSort, Page, Totals};
pub use live::{Live, Startup};
pub use order::{Initiator, Order, Reason, UnknownReason, check_condition};
pub use origin::Origin;
pub use pending::{Approval, Next, PendingOrder, PendingState, PendingStep, Placed, Placement};
pub use port::{
    Countable, CredentialOwner, EntryFilter, ForgottenAudit, KeyedOrder, Mark, Marker, Piece, Reads, Snapshot, Store,
    StoreError, Swept, Tx, Use, UserOrder,
};
pub use records::{
    AccessToken, Api, Authentication, Client, ClientAuthMethod, Code, Consent, Device, Grant, PushedRequest,
    RefreshBinding, RefreshToken, Rotation, Sealed, Session, SigningAlgorithm, TokenFormat, User,
};
pub use redeem::{Redeemed, redeem};
pub use refresh::{Presented, Refreshed, refresh, successor};
pub use role::{Role, UnknownRole};
pub use script::{Script, ScriptVersion, Scripts};
pub use secret::{Hash, Kind, Malformed, Secret};
pub use session_validation::SessionValidation;
pub use session_view::SessionView;
pub use sessions::{EndedSession, EndingOfSessions, SessionLimit};
pub use settings::{Definition, Feature, Form, NewSetting, ScriptFailure, SettingChange, Settings, WrongSetting};
pub use status::{
    LogoutStatusJwt, Reach, StatusList, StatusNames, StatusReference, StatusScan, StatusSlot, StatusView,
};
pub use tally::{EndedBy, Tally};
pub use target::{Target, UnknownTarget};
pub use time::Timestamp;
pub use token_view::TokenView;
pub use trail::{EntrySet, TrailCheck, TrailFault, TrailReport};
pub use writer::{Lane, LedgerError, Queue, Step, Ticket, Turn, Writer};

pub use rescind_check::{Position, Verdict};
