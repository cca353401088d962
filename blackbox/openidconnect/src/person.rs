//! A person without a browser: follows redirects, fills in and submits the forms it meets, over a client that keeps cookies.

use crate::Failure;
use crate::page::{Control, Form, main_form, visible_text};
use reqwest::blocking::{Client, Response};
use reqwest::{Url, header};

/// Button values that say no; a person here always says yes.
const REFUSALS: [&str; 5] = ["deny", "cancel", "no", "stay", "another"];
const MAX_REQUESTS: usize = 20;

/// Signs in and consents over `http`, which must keep cookies and must not follow redirects.
pub(crate) struct Person {
    pub(crate) http: Client,
    pub(crate) username: String,
    pub(crate) password: String,
}

type Fields = Vec<(String, String)>;

impl Person {
    /// Goes on from `url` until a redirect leads to `destination`; gives back that URL, which is not fetched.
    pub(crate) fn visit(&self, url: Url, destination: &Url) -> Result<Url, Failure> {
        let (mut url, mut fields) = (url, None::<Fields>);
        let mut signed_in = false;
        for _ in 0..MAX_REQUESTS {
            let answer = self.send(&url, fields.take())?;
            if answer.status().is_redirection() {
                url = redirect(&url, &answer)?;
                if same_place(&url, destination) {
                    return Ok(url);
                }
                continue;
            }
            let status = answer.status();
            let html = answer.text()?;
            if !status.is_success() {
                return Err(format!("{} answered {status}: {}", url.path(), visible_text(&html)).into());
            }
            let Some(form) = main_form(&html) else {
                return Err(format!("{} neither redirects nor has a form: {}", url.path(), visible_text(&html)).into());
            };
            if form.asks_password() && signed_in {
                return Err(format!("the sign-in was not accepted: {}", visible_text(&html)).into());
            }
            signed_in |= form.asks_password();
            url = action(&url, &form)?;
            fields = Some(self.filled(&form));
        }
        Err(format!("no end after {MAX_REQUESTS} requests").into())
    }

    fn send(&self, url: &Url, fields: Option<Fields>) -> Result<Response, Failure> {
        let request = match fields {
            Some(fields) => self.http.post(url.clone()).form(&fields),
            None => self.http.get(url.clone()),
        };
        Ok(request.header(header::ACCEPT, "text/html").send()?)
    }

    fn filled(&self, form: &Form) -> Fields {
        let mut fields: Fields = form.inputs.iter().filter_map(|input| self.answer(input)).collect();
        let button = form.buttons.iter().find(|b| !REFUSALS.contains(&b.find("value").unwrap_or_default()));
        if let Some(button) = button
            && let Some(name) = button.find("name")
        {
            fields.push((name.to_owned(), button.find("value").unwrap_or_default().to_owned()));
        }
        fields
    }

    fn answer(&self, input: &Control) -> Option<(String, String)> {
        let name = input.find("name")?;
        let kind = input.find("type").unwrap_or("text");
        let choice = matches!(kind, "checkbox" | "radio");
        if input.find("disabled").is_some() || (choice && input.find("checked").is_none()) {
            return None;
        }
        let editable = kind != "hidden" && input.find("readonly").is_none();
        let value = match (kind, name) {
            ("password", _) => &self.password,
            (_, "username" | "login") if editable => &self.username,
            _ => input.find("value").unwrap_or(if choice { "on" } else { "" }),
        };
        Some((name.to_owned(), value.to_owned()))
    }
}

fn redirect(from: &Url, answer: &Response) -> Result<Url, Failure> {
    let status = answer.status();
    if status.as_u16() > 303 {
        return Err(format!("{} answered {status}, which would send the form on", from.path()).into());
    }
    let location = answer.headers().get(header::LOCATION);
    let location = location.ok_or_else(|| format!("{} answered {status} without a Location", from.path()))?;
    Ok(from.join(location.to_str()?)?)
}

fn action(page: &Url, form: &Form) -> Result<Url, Failure> {
    if !form.attributes.find("method").unwrap_or("get").eq_ignore_ascii_case("post") {
        return Err(format!("the form on {} does not use POST", page.path()).into());
    }
    match form.attributes.find("action") {
        Some(action) if !action.is_empty() => Ok(page.join(action)?),
        _ => Ok(page.clone()),
    }
}

fn same_place(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}
