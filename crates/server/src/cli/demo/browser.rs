//! A person at a browser: keeps cookies, fills in the server's own pages, and comes back with a code.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use parking_lot::Mutex;
use reqwest::{Response, Url, header};

use super::{
    company::{DEVICE_HEADER, Person},
    web::{Application, Pkce, Tokens, Web},
};

/// Sign-in and consent are two pages; more would mean that something keeps asking.
const PAGES: usize = 4;

/// One browser on one machine.
pub(super) struct Browser {
    user_agent: String,
    /// How device management calls the machine.
    device: Option<String>,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub(super) fn on(machine: &str, device: Option<String>) -> Self {
        Self { user_agent: format!("rescind demo on a {machine}"), device, cookies: Mutex::default() }
    }

    /// Goes to an application, signs in if asked to, agrees if asked to. Answers with what the application then gets.
    pub(super) async fn use_application(
        &self,
        web: &Web,
        application: &Application,
        person: &Person,
        password: &str,
    ) -> anyhow::Result<Tokens> {
        let pkce = Pkce::fresh();
        let mut url = web.authorization_url(application, &pkce.challenge, &[])?;
        let mut page = self.open(web, &url, None).await?;
        for _ in 0..PAGES {
            if let Some(answer) = answer(&page, application)? {
                let code = answer.get("code").with_context(|| format!("no code for {}: {answer:?}", person.name))?;
                return web.redeem(application, code, &pkce).await;
            }
            let html = page.text().await?;
            url = Url::parse(&url)?.join(attribute(&html, "<form", "action")?)?.into();
            let csrf = attribute(&html, "name=\"csrf\"", "value")?;
            let flow = attribute(&html, "name=\"flow\"", "value")?;
            let mut fields = vec![("csrf", csrf), ("flow", flow)];
            if html.contains("name=\"decision\"") {
                fields.push(("decision", "allow"));
            } else {
                fields.extend([("username", person.user_name.as_str()), ("password", password)]);
            }
            page = self.open(web, &url, Some(&fields)).await?;
        }
        bail!("{} is asked again and again by {}", person.name, application.name)
    }

    /// Whether an application finds the browser signed in, without anybody being asked.
    pub(super) async fn is_signed_in(&self, web: &Web, application: &Application) -> anyhow::Result<bool> {
        let url = web.authorization_url(application, &Pkce::fresh().challenge, &[("prompt", "none")])?;
        let page = self.open(web, &url, None).await?;
        let answer = answer(&page, application)?.context("a page, though nobody was to be asked")?;
        match answer.get("error").map(String::as_str) {
            None => Ok(true),
            Some("login_required") => Ok(false),
            Some(other) => bail!("the server answered {other}"),
        }
    }

    fn headers<'a>(&'a self, cookies: &'a str) -> Vec<(&'static str, &'a str)> {
        let device = self.device.as_deref().map(|device| (DEVICE_HEADER, device));
        [("cookie", cookies), ("user-agent", &self.user_agent)].into_iter().chain(device).collect()
    }

    async fn open(&self, web: &Web, url: &str, fields: Option<&[(&str, &str)]>) -> anyhow::Result<Response> {
        let jar = |cookies: &BTreeMap<String, String>| {
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
        };
        let cookies = jar(&self.cookies.lock());
        let response = web.browse(url, fields, &self.headers(&cookies)).await?;
        let mut cookies = self.cookies.lock();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

/// What a redirect back to the application tells it. The application itself is not called.
fn answer(page: &Response, application: &Application) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    let Some(location) = page.headers().get(header::LOCATION) else { return Ok(None) };
    let location = location.to_str()?;
    if !location.starts_with(&application.redirect_uri) {
        bail!("sent to an address that is not the application's");
    }
    Ok(Some(Url::parse(location)?.query_pairs().into_owned().collect()))
}

/// An attribute of the element in which a text stands. Our own pages write attributes in one way only.
fn attribute<'a>(html: &'a str, element: &str, name: &str) -> anyhow::Result<&'a str> {
    let after = html.split_once(element).map(|(_, after)| after);
    let inside = after.and_then(|after| after.split_once('>')).map(|(inside, _)| inside);
    let value = inside.and_then(|inside| inside.split_once(&format!(" {name}=\""))).map(|(_, value)| value);
    let value = value.and_then(|value| value.split_once('"')).map(|(value, _)| value);
    value.with_context(|| format!("the page has no {element} with {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_from_the_element_that_is_meant() {
        let html = r#"<form method="post" action="/sign-in"><input type="hidden" name="csrf" value="abc">"#;
        assert_eq!(attribute(html, "<form", "action").unwrap(), "/sign-in");
        assert_eq!(attribute(html, "name=\"csrf\"", "value").unwrap(), "abc");
        assert!(attribute(html, "<form", "value").is_err());
    }
}
