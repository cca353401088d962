//! The account page, the page that asks before something ends, and the one that says what has ended.

use askama::Template;

use super::{Person, Site, Wording};

/// A moment for people and for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339, for `datetime`.
    pub machine: String,
    /// Such as "14 Nov 2023, 22:13", in UTC.
    pub date: String,
    /// Such as "5 minutes ago".
    pub ago: String,
}

/// A session, as shown to its user.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The page that asks before it ends.
    pub end: String,
    /// Whether it is the one that looks.
    pub is_this: bool,
    pub is_handheld: bool,
    /// The device, or else the browser.
    pub name: String,
    /// The browser, where the name is the device's.
    pub browser: Option<String>,
    pub address: Option<String>,
    pub place: Option<String>,
    pub started: Moment,
    pub active: Moment,
    /// Names of the applications it was used for.
    pub applications: Vec<String>,
}

/// What an application may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// In plain words, as on the consent page.
    Plain(&'static str),
    /// Act for the user at an API.
    Act { api: String },
    /// A scope that has no plain words, at an API if it is one's.
    Named { scope: String, api: Option<String> },
}

impl Permission {
    /// A scope that belongs to no API.
    #[must_use]
    pub fn of(scope: &str) -> Self {
        match Wording::of(scope).plain {
            Some(plain) => Self::Plain(plain),
            None => Self::Named { scope: scope.to_owned(), api: None },
        }
    }

    /// A scope of an API.
    #[must_use]
    pub fn at(scope: &str, api: &str) -> Self {
        Self::Named { scope: scope.to_owned(), api: Some(api.to_owned()) }
    }

    /// An API without any scope of its own.
    #[must_use]
    pub fn act(api: &str) -> Self {
        Self::Act { api: api.to_owned() }
    }
}

/// An application with access to the user's account, as shown to the user.
#[derive(Clone, Debug)]
pub struct OwnApplication {
    /// The page that asks before it ends.
    pub end: String,
    pub name: String,
    pub permissions: Vec<Permission>,
    pub since: Moment,
    pub used: Option<Moment>,
    /// Whether it goes on when the user signs out.
    pub works_offline: bool,
    /// Without, only the consent is remembered.
    pub has_access: bool,
}

/// The account page.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Who is signed in.
    pub user: Person<'a>,
    /// The page with the form for a new password.
    pub change_password: &'a str,
    /// The page that asks before this session ends.
    pub sign_out: &'a str,
    /// How many sessions there are besides this one.
    pub others: usize,
    /// The page that asks before they end.
    pub end_others: &'a str,
    pub sessions: &'a [OwnSession],
    pub applications: &'a [OwnApplication],
}

impl Account<'_> {
    fn has_others(&self) -> bool {
        self.others > 0
    }
}

/// What is to end, or has ended.
#[derive(Clone, Debug)]
pub enum Closing {
    /// One session.
    Session(Box<OwnSession>),
    /// So many sessions: all but the one that asks.
    Others(usize),
    /// The application of that name.
    Application(String),
    /// What was asked for was not there any more.
    Nothing,
}

impl Closing {
    fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }

    /// The same with the number of sessions that really ended.
    #[must_use]
    pub fn with_count(self, ended: usize) -> Self {
        match self {
            Self::Others(_) => Self::Others(ended),
            other => other,
        }
    }
}

/// Confirmation before something ends. The form has one button; the way back is a link.
#[derive(Template)]
#[template(path = "account_end.html")]
pub struct AccountEnd<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Field `csrf`: shows that the form came from a page of ours.
    pub csrf: &'a str,
    /// Field `flow`: says what is to end.
    pub flow: &'a str,
    /// The account page.
    pub account: &'a str,
    pub closing: &'a Closing,
}

/// What has ended.
#[derive(Template)]
#[template(path = "account_ended.html")]
pub struct AccountEnded<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// The account page.
    pub account: &'a str,
    pub closing: &'a Closing,
}

/// The form for a new password.
#[derive(Template)]
#[template(path = "account_password.html")]
pub struct NewPassword<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Field `csrf`: shows that the form came from a page of ours.
    pub csrf: &'a str,
    /// Field `flow`.
    pub flow: &'a str,
    /// The account page.
    pub account: &'a str,
    pub user: Person<'a>,
    pub keeps_session: bool,
    pub ends_others: bool,
    /// What was wrong with the last attempt.
    pub error: Option<&'a str>,
}

/// The password is another now.
#[derive(Template)]
#[template(path = "account_password_set.html")]
pub struct PasswordSet<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// The account page.
    pub account: &'a str,
    /// Whether the browser is still signed in.
    pub signed_in: bool,
    /// Whether everything else has ended.
    pub ended: bool,
}

/// "1 session", "2 sessions".
fn sessions(count: &usize) -> String {
    format!("{count} other session{}", if *count == 1 { "" } else { "s" })
}
