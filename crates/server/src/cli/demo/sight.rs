//! What a client sees of a token: the same question before and after.

use comfy_table::Table;

use super::{
    browser::Browser,
    issuing::Held,
    show::table,
    web::{Api, Application, Web},
};

/// A question to a public endpoint.
pub(super) enum Sight<'a> {
    Userinfo(String),
    Introspection(&'a Api, String),
    Refresh(&'a Held<'a>),
    /// Whether the browser is signed in.
    Browser(&'a Browser, &'a Application),
    /// Whether the application gets a new token for an API.
    NewToken(&'a Application, &'a Api),
}

impl Sight<'_> {
    /// The answer as a client puts it, and whether it is a yes.
    pub(super) async fn look(&self, web: &Web) -> anyhow::Result<(String, bool)> {
        let status = |status: u16| (status.to_string(), status == 200);
        Ok(match self {
            Self::Userinfo(token) => status(web.userinfo(token).await?.0),
            Self::Introspection(api, token) => {
                let active = web.introspect(api, token).await?.get("active") == Some(&true.into());
                (if active { "active" } else { "inactive" }.to_owned(), active)
            }
            Self::Refresh(held) => status(held.refresh(web).await?),
            Self::Browser(browser, application) => {
                let signed_in = browser.is_signed_in(web, application).await?;
                (if signed_in { "signed in" } else { "signed out" }.to_owned(), signed_in)
            }
            Self::NewToken(application, api) => match web.own_token(application, api.audience).await? {
                Ok(_) => status(200),
                Err(why) => status(why.status),
            },
        })
    }

    fn asked(&self) -> &'static str {
        match self {
            Self::Userinfo(_) => "userinfo",
            Self::Introspection(..) => "introspection",
            Self::Refresh(_) => "refresh",
            Self::Browser(..) => "sign-in",
            Self::NewToken(..) => "new token",
        }
    }
}

/// A row of a table of before and after.
pub(super) struct Row<'a> {
    pub(super) whose: String,
    pub(super) sight: Sight<'a>,
}

impl<'a> Row<'a> {
    pub(super) fn new(whose: impl Into<String>, sight: Sight<'a>) -> Self {
        Self { whose: whose.into(), sight }
    }
}

/// Asks every row's question.
pub(super) async fn look_at_all(web: &Web, rows: &[Row<'_>]) -> anyhow::Result<Vec<String>> {
    let mut seen = Vec::new();
    for row in rows {
        seen.push(row.sight.look(web).await?.0);
    }
    Ok(seen)
}

/// What was seen, side by side.
pub(super) fn compare(rows: &[Row<'_>], before: Vec<String>, after: Vec<String>) -> Table {
    let mut shown = table(&["", "asked at", "before", "after"]);
    for ((row, before), after) in rows.iter().zip(before).zip(after) {
        shown.add_row([row.whose.clone(), row.sight.asked().to_owned(), before, after]);
    }
    shown
}
