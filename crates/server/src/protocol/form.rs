//! Form bodies (`application/x-www-form-urlencoded`), read strictly.

use std::borrow::Cow;

use axum::{
    extract::Request,
    http::{header, request::Parts},
};
use bytes::Bytes;

use crate::{
    body::{Ungathered, gather},
    protocol::error::ProtocolError,
};

/// The parameters of a request. Those without a value count as absent (RFC 6749 section 3.1).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

/// May be given several times: RFC 8707 section 2.
const REPEATABLE: &str = "resource";
/// No request of ours has half as many parameters; each is compared with those before it.
const PARAMETERS: usize = 64;

impl Form {
    /// Reads a body or a query.
    ///
    /// # Errors
    /// A parameter given twice is `invalid_request` (RFC 6749 section 3.1), so that no two readers can disagree on it.
    pub fn parse(body: &[u8]) -> Result<Self, ProtocolError> {
        Self::of(form_urlencoded::parse(body))
    }

    /// Reads parameters that came some other way, as strictly.
    pub fn of<'a>(parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self, ProtocolError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in parameters {
            if name != REPEATABLE && pairs.iter().any(|(known, _)| *known == name) {
                return Err(ProtocolError::invalid_request(match name.as_ref() {
                    "token" => "the parameter `token` is given twice",
                    _ => "a parameter is given twice",
                }));
            }
            if pairs.len() == PARAMETERS {
                return Err(ProtocolError::invalid_request("too many parameters"));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every parameter that has a value.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that must be there.
    pub fn load(&self, name: &'static str) -> Result<&str, ProtocolError> {
        self.find(name).ok_or_else(|| ProtocolError::invalid_request(format!("the parameter `{name}` is missing")))
    }
}

/// Reads the form of a POST request, of at most `limit` bytes.
pub async fn read_form(request: Request, limit: usize) -> Result<(Parts, Form), ProtocolError> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Err(ProtocolError::invalid_request("the body must be application/x-www-form-urlencoded"));
    }
    let form = Form::parse(&read_body(body, limit).await?)?;
    Ok((parts, form))
}

/// Reads a body of at most `limit` bytes.
pub async fn read_body(body: axum::body::Body, limit: usize) -> Result<Bytes, ProtocolError> {
    gather(body, limit).await.map_err(|why| match why {
        Ungathered::TooLarge => ProtocolError::too_large(),
        Ungathered::Broken => ProtocolError::invalid_request("the request body broke off"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert!(Form::parse(b"token=a&token=b").is_err());
        assert!(Form::parse(b"token=a&token=").is_err());
    }

    #[test]
    fn a_flood_of_parameters_is_refused_before_it_costs_anything() {
        let flood: String = (0..10_000).map(|n| format!("p{n}=1&")).collect();
        assert!(Form::parse(flood.as_bytes()).is_err());
    }

    #[test]
    fn resources_may_be_repeated_and_empty_values_are_absent() {
        let form = Form::parse(b"resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb&scope=&x=1+2").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
        assert_eq!(form.find("scope"), None);
        assert_eq!(form.find("x"), Some("1 2"));
    }
}
