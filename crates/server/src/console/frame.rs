//! What is around every page: the navigation, who is signed in, and the headers that keep it from being framed, cached, sniffed
//! or made to run anything but the console's own two files.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{BASE, visit::Visit};
use crate::assets;

/// Where in the console a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    None,
    Overview,
    Users,
    Applications,
    Apis,
    Sessions,
    Revocations,
    Audit,
    Settings,
    Scripts,
    Administrators,
}

/// One line of the navigation.
pub(super) struct Place {
    pub(super) section: Section,
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    /// Outline on a grid of 24 by 24, as the `d` of an SVG path.
    pub(super) icon: &'static str,
}

const fn place(section: Section, path: &'static str, name: &'static str, icon: &'static str) -> Place {
    Place { section, path, name, icon }
}

static PLACES: [Place; 10] = [
    place(Section::Overview, "", "Overview", "M4 13h7V4H4zM13 20h7v-9h-7zM4 20h7v-4H4zM13 4v4h7V4z"),
    place(
        Section::Users,
        "/users",
        "Users",
        "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.9c1.9.8 3.1 2.5 3.5 5.1",
    ),
    place(Section::Applications, "/applications", "Applications", "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"),
    place(Section::Apis, "/apis", "APIs", "M8 6l-5 6 5 6M16 6l5 6-5 6M13.5 4l-3 16"),
    place(Section::Sessions, "/sessions", "Sessions", "M4 5h16v11H4zM2.5 19.5h19"),
    place(
        Section::Revocations,
        "/revocations",
        "Revocations",
        "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM6 6l12 12",
    ),
    place(Section::Audit, "/audit", "Audit", "M6 3.5h9l4 4v13H6zM9 11h7M9 14.5h7M9 18h4"),
    place(
        Section::Settings,
        "/settings",
        "Settings",
        "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
    ),
    place(Section::Scripts, "/scripts", "Scripts", "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15h4"),
    place(
        Section::Administrators,
        "/administrators",
        "Administrators",
        "M12 3.5l7.5 3v5c0 4.5-3 7.5-7.5 9-4.5-1.5-7.5-4.5-7.5-9v-5zM9 12l2.200 2.200L15.200 10",
    ),
];

/// What is around a page.
pub(super) struct Frame {
    base: String,
    pub(super) site: String,
    section: Section,
    /// Who is signed in, as people call them.
    pub(super) name: String,
    pub(super) role: Option<String>,
    pub(super) csrf: String,
    pub(super) may_revoke: bool,
    pub(super) may_write: bool,
    pub(super) said: Option<&'static str>,
    /// The revocation that came with what was done.
    pub(super) entry: Option<String>,
}

impl Frame {
    /// Around a page of this visit.
    pub(super) fn of(visit: &Visit, section: Section) -> Self {
        let who = &visit.pass.who;
        let entry = visit.query.find("entry").filter(|text| super::target::is_position(text));
        Self {
            base: visit.console.base().to_owned(),
            site: site(visit.console.issuer()),
            section,
            name: who.name().to_owned(),
            role: who.role.clone(),
            csrf: visit.csrf(),
            may_revoke: who.may_revoke(),
            may_write: who.may_write(),
            said: visit.query.find("done").and_then(done),
            entry: entry.map(str::to_owned),
        }
    }

    pub(super) fn places(&self) -> &'static [Place] {
        &PLACES
    }

    pub(super) fn is_here(&self, place: &Place) -> bool {
        place.section == self.section
    }

    /// A path of the console.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{BASE}{path}", self.base)
    }

    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}", self.base, assets::versioned(name))
    }

    pub(super) fn account(&self) -> String {
        format!("{}/account", self.base)
    }

    pub(super) fn initial(&self) -> String {
        let first = self.name.chars().find(|c| c.is_alphanumeric());
        first.map(|c| c.to_uppercase().collect()).unwrap_or_else(|| "·".to_owned())
    }
}

/// The host of the issuer.
fn site(issuer: &str) -> String {
    let url = url::Url::parse(issuer).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "rescind".to_owned())
}

/// What was just done, in words. The address of a page says it by a code, so that no link can put words into our mouth.
fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "added" => "Added.",
        "saved" => "Saved.",
        "enabled" => "Enabled. Nothing that was ended before comes back.",
        "disabled" => "Disabled. All access has ended.",
        "renamed" => "Saved. With the new user name, earlier access has ended.",
        "password" => "The password is set. Earlier access has ended.",
        "disabled-only" => {
            "Disabled. Nothing has ended for good: what the user holds works again once they are enabled."
        }
        "password-only" => "The password is set. Earlier access goes on.",
        "role" => "The role is set.",
        "removed" => "Removed. All access has ended.",
        "withdrawn" => "Withdrawn. Nothing was ended.",
        "stopped" => "Stopped. What was done stays done.",
        _ => return None,
    })
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page, or a part of one, as an answer.
pub(super) fn page<T: Template>(status: StatusCode, template: &T) -> Response {
    let (status, html) = match template.render() {
        Ok(html) => (status, html),
        Err(error) => {
            tracing::error!(%error, "a page of the console did not render");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // Within the console an address may say whom it is about; nobody else hears of it. Forms still say their origin.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, html).into_response()
}

/// A page that is as it should be.
pub(super) fn shown<T: Template>(template: &T) -> Response {
    page(StatusCode::OK, template)
}
