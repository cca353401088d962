//! A person without a browser: keeps cookies, follows redirects, fills in the forms of our pages and says yes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Response, header};
use url::Url;

use crate::{
    page::{Form, main_form, visible_text},
    server::{PASSWORD, USER_NAME},
};

const MAX_REQUESTS: usize = 20;

pub(crate) struct Person {
    http: Client,
    user_name: String,
    password: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Person {
    /// `http` must not follow redirects.
    pub(crate) fn new(http: Client) -> Self {
        Self::named(http, USER_NAME, PASSWORD)
    }

    /// Somebody else than the user there always is.
    pub(crate) fn named(http: Client, user_name: &str, password: &str) -> Self {
        Self { http, user_name: user_name.to_owned(), password: password.to_owned(), cookies: BTreeMap::new() }
    }

    /// Goes on from `url` until a redirect leads to `destination`; gives back that URL, which is not fetched.
    pub(crate) async fn visit(&mut self, url: Url, destination: &str) -> Result<Url> {
        let destination = Url::parse(destination)?;
        let (mut url, mut fields) = (url, None);
        for _ in 0..MAX_REQUESTS {
            let answer = self.send(&url, fields.take()).await?;
            let status = answer.status();
            if status.is_redirection() {
                ensure!(status.as_u16() <= 303, "{} answered {status}, which would send the form on", url.path());
                let location = answer.headers().get(header::LOCATION).context("a redirect to nowhere")?;
                url = url.join(location.to_str()?)?;
                if url.origin() == destination.origin() && url.path() == destination.path() {
                    return Ok(url);
                }
                continue;
            }
            let html = answer.text().await?;
            ensure!(status.is_success(), "{} answered {status}: {}", url.path(), visible_text(&html));
            let form =
                main_form(&html).with_context(|| format!("{} has no form: {}", url.path(), visible_text(&html)))?;
            url = url.join(form.attributes.find("action").unwrap_or_default())?;
            fields = Some(self.filled(&form));
        }
        bail!("no end after {MAX_REQUESTS} requests")
    }

    /// One request with the cookies there are; those that come back are kept.
    pub(crate) async fn send(&mut self, url: &Url, fields: Option<Vec<(String, String)>>) -> Result<Response> {
        let request = match fields {
            Some(fields) => self.http.post(url.clone()).form(&fields),
            None => self.http.get(url.clone()),
        };
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(header::COOKIE, cookies.join("; ")).send().await?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    /// What the person writes into a form.
    pub(crate) fn filled(&self, form: &Form) -> Vec<(String, String)> {
        let field = |control: &crate::page::Control| {
            let name = control.find("name")?;
            let value = match name {
                "username" => self.user_name.as_str(),
                "password" => self.password.as_str(),
                _ => control.find("value").unwrap_or_default(),
            };
            Some((name.to_owned(), value.to_owned()))
        };
        // The first button is the one that says yes.
        form.inputs.iter().chain(form.buttons.first()).filter_map(field).collect()
    }
}
