//! The browser at the other end: its two cookies, and the forms that only it can have got from us.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rescind_ledger::{Hash, Secret};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    app::App,
    clock::random,
    protocol::{
        form::{Form, read_form},
        trouble::Trouble,
    },
};

/// Which form a page carries. All but the first belong to the session that was there when the page was made: once
/// somebody else has signed in, they are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKind {
    SignIn,
    Password,
    Account,
    Consent,
    /// Of the account page: its `flow` says what is to end.
    End,
    NewPassword,
    SignOut,
}

impl FormKind {
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Password => "password",
            Self::Account => "account",
            Self::Consent => "consent",
            Self::End => "end",
            Self::NewPassword => "new-password",
            Self::SignOut => "sign-out",
        }
    }
}

/// What a browser's cookies say, and what they are to say after this answer.
pub struct Browser {
    /// A random value that ties forms to this browser.
    id: String,
    id_is_new: bool,
    session: Option<Zeroizing<String>>,
    session_changed: bool,
    secure: bool,
}

const BROWSER: &str = "rescind_browser";
const SESSION: &str = "rescind_session";
/// 32 bytes in base64url.
const ID_LEN: usize = 43;
/// Longer cookies are none of ours.
const COOKIE_LIMIT: usize = 256;

impl Browser {
    /// Reads the cookies of a request to the issuer.
    #[must_use]
    pub fn of(issuer: &str, headers: &HeaderMap) -> Self {
        let secure = issuer.starts_with("https:");
        let find = |name| cookie(headers, &full_name(name, secure)).filter(|value| value.len() <= COOKIE_LIMIT);
        let known = find(BROWSER).filter(|id| id.len() == ID_LEN);
        Self {
            id_is_new: known.is_none(),
            id: known.map_or_else(|| URL_SAFE_NO_PAD.encode(random::<32>()), str::to_owned),
            session: find(SESSION).filter(|value| !value.is_empty()).map(|value| Zeroizing::new(value.to_owned())),
            session_changed: false,
            secure,
        }
    }

    /// The hash of the session cookie, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<Hash> {
        self.session.as_deref().map(|cookie| Hash::of(cookie))
    }

    /// The browser holds this session from now on.
    pub fn begin_session(&mut self, cookie: &Secret) {
        self.session = Some(Zeroizing::new(cookie.reveal().to_owned()));
        self.session_changed = true;
    }

    /// The browser holds no session any more.
    pub fn end_session(&mut self) {
        self.session = None;
        self.session_changed = true;
    }

    /// The `csrf` field of a form: nobody else can make one for this browser and flow.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32], form: FormKind, flow: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length");
        let session = self.session.as_deref().map_or("", String::as_str);
        let bound = if form == FormKind::SignIn { "" } else { session };
        for part in [form.name(), &self.id, bound, flow] {
            // Each part with its length, so that no two lists of parts read the same.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether a form is one that this browser got from us.
    #[must_use]
    pub fn sealed(&self, key: &[u8; 32], form: FormKind, flow: &str, csrf: &str) -> bool {
        !self.id_is_new && bool::from(self.seal(key, form, flow).as_bytes().ct_eq(csrf.as_bytes()))
    }

    /// Adds the cookies that are new to an answer.
    #[must_use]
    pub fn remember(&self, mut response: Response) -> Response {
        if self.id_is_new {
            self.set(&mut response, BROWSER, &self.id, "");
        }
        if self.session_changed {
            match &self.session {
                Some(cookie) => self.set(&mut response, SESSION, cookie, ""),
                None => self.set(&mut response, SESSION, "", "; Max-Age=0"),
            }
        }
        response
    }

    fn set(&self, response: &mut Response, name: &str, value: &str, more: &str) {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = full_name(name, self.secure);
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
        if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
            cookie.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// A form that came from one of our pages in this very browser.
pub struct Posted {
    pub browser: Browser,
    pub parts: Parts,
    pub form: Form,
    pub kind: FormKind,
    /// The field `flow`.
    pub flow: String,
}

impl Posted {
    /// Reads a form that may be of any of these kinds.
    ///
    /// # Errors
    /// [`Trouble::NotFromHere`] if it is none of them, or another browser's.
    pub async fn read(app: &App, request: Request, kinds: &[FormKind]) -> Result<Self, Trouble> {
        let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
        Self::check(app, parts, form, kinds)
    }

    /// The same for a form that was read before.
    ///
    /// # Errors
    /// [`Trouble::NotFromHere`] if it is none of these kinds, or another browser's.
    pub fn check(app: &App, parts: Parts, form: Form, kinds: &[FormKind]) -> Result<Self, Trouble> {
        let browser = Browser::of(&app.config.issuer, &parts.headers);
        let (flow, csrf) = form.find("flow").zip(form.find("csrf")).ok_or(Trouble::NotFromHere)?;
        let sealed = |kind: &FormKind| browser.sealed(&app.keys.csrf, *kind, flow, csrf);
        let kind = kinds.iter().copied().find(|kind| sealed(kind)).ok_or(Trouble::NotFromHere)?;
        let flow = flow.to_owned();
        Ok(Self { browser, parts, form, kind, flow })
    }
}

/// What the cookie with the session is called.
#[must_use]
pub fn session_cookie(issuer: &str) -> String {
    full_name(SESSION, issuer.starts_with("https:"))
}

/// `__Host-` keeps neighbours under the same domain from planting a cookie (RFC 6265bis section 4.1.3.2).
fn full_name(name: &str, secure: bool) -> String {
    if secure { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use rescind_ledger::Kind;

    const KEY: [u8; 32] = [3; 32];

    fn browser(cookies: &str) -> Browser {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookies.parse().unwrap());
        Browser::of("http://127.0.0.1", &headers)
    }

    fn with(id: char, session: &str) -> Browser {
        browser(&format!("a=b; rescind_browser={}; rescind_session={session}", id.to_string().repeat(ID_LEN)))
    }

    #[test]
    fn a_form_belongs_to_one_browser_one_flow_one_kind_and_one_session() {
        let csrf = with('a', "s1").seal(&KEY, FormKind::Consent, "f1");
        let holds = |browser: &Browser, kind, flow| browser.sealed(&KEY, kind, flow, &csrf);
        assert!(holds(&with('a', "s1"), FormKind::Consent, "f1"));
        assert!(!holds(&with('b', "s1"), FormKind::Consent, "f1"));
        assert!(!holds(&with('a', "s2"), FormKind::Consent, "f1"));
        assert!(!holds(&with('a', "s1"), FormKind::Password, "f1"));
        assert!(!holds(&with('a', "s1"), FormKind::Consent, "f2"));
        assert!(!with('a', "s1").sealed(&[4; 32], FormKind::Consent, "f1", &csrf));
        assert!(!with('a', "s1").sealed(&KEY, FormKind::Consent, "f1", ""));
    }

    #[test]
    fn a_sign_in_form_outlives_a_sign_in_in_another_tab() {
        let csrf = with('a', "s1").seal(&KEY, FormKind::SignIn, "f1");
        assert!(with('a', "s2").sealed(&KEY, FormKind::SignIn, "f1", &csrf));
        assert!(!with('b', "s1").sealed(&KEY, FormKind::SignIn, "f1", &csrf));
    }

    #[test]
    fn a_browser_without_a_cookie_has_no_valid_form() {
        let fresh = browser("a=b");
        let csrf = fresh.seal(&KEY, FormKind::SignIn, "f1");
        assert!(!fresh.sealed(&KEY, FormKind::SignIn, "f1", &csrf));
    }

    #[test]
    fn cookies_are_set_out_of_reach_of_scripts_and_other_sites() {
        let mut browser = Browser::of("https://id.test", &HeaderMap::new());
        browser.begin_session(&Secret::form(Kind::SessionCookie, &[1; 32]));
        let response = browser.remember("".into_response());
        let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(cookies.len(), 2);
        for cookie in cookies {
            let text = cookie.to_str().unwrap();
            assert!(text.starts_with("__Host-rescind_") && text.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
            assert!(!format!("{cookie:?}").contains("rsc_sc_"));
        }
    }

    #[test]
    fn a_session_is_taken_out_of_the_browser_and_nothing_else_is() {
        let mut browser = with('a', "s1");
        assert_eq!(browser.remember("".into_response()).headers().len(), "".into_response().headers().len());
        browser.end_session();
        let response = browser.remember("".into_response());
        let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["rescind_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]);
        assert_eq!(browser.session(), None);
    }
}
