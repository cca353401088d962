//! What a revocation request asks for: read from its form, before anything is looked up.

use rescind_ledger::Settings;

use crate::protocol::{error::ProtocolError, form::Form};

/// The most tokens in one call: each costs a look-up.
pub const MOST_TOKENS: usize = 100;
/// The word that stands for everything.
const ALL: &str = "all";

/// What is to be revoked.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Whatever the calling client holds.
    Everything,
    Tokens {
        /// At least one; a text that stands twice is one.
        texts: Vec<&'a str>,
        /// `token_type_hint`, known or not (RFC 7009 section 2.2).
        hint: Option<&'a str>,
    },
}

impl<'a> Asked<'a> {
    /// How many tokens have to be looked up; one for everything, since that costs something too.
    #[must_use]
    pub fn tokens(&self) -> usize {
        match self {
            Self::Everything => 1,
            Self::Tokens { texts, .. } => texts.len(),
        }
    }

    /// Reads it from a form. With `allowAllValueForRevokeEndpoint` the word `all`, in any case, stands for everything, as the
    /// hint or as the token; without it means nothing special.
    ///
    /// # Errors
    /// `invalid_request` without a token, or with too many.
    pub fn read(form: &'a Form, settings: &Settings) -> Result<Self, ProtocolError> {
        let (token, hint) = (form.load("token")?, form.find("token_type_hint"));
        let says_all = |text: &str| text.eq_ignore_ascii_case(ALL);
        if settings.allow_all_value_for_revoke_endpoint && (says_all(token) || hint.is_some_and(says_all)) {
            return Ok(Self::Everything);
        }
        // No token has a space in it (RFC 6749 appendix A.12), so that several can share the parameter.
        let mut texts: Vec<&str> = Vec::new();
        for text in token.split(' ').filter(|text| !text.is_empty()) {
            if texts.contains(&text) {
                continue;
            }
            if texts.len() == MOST_TOKENS {
                return Err(ProtocolError::invalid_request("more than 100 tokens in one call"));
            }
            texts.push(text);
        }
        if texts.is_empty() {
            return Err(ProtocolError::invalid_request("the parameter `token` is missing"));
        }
        Ok(Self::Tokens { texts, hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allowing(all: bool) -> Settings {
        let mut settings = Settings::default();
        settings.put("allowAllValueForRevokeEndpoint", Some(&json!(all))).unwrap();
        settings
    }

    #[test]
    fn several_tokens_stand_between_spaces_and_each_counts_once() {
        let form = Form::parse(b"token=a+b++a+c&token_type_hint=access_token").unwrap();
        let asked = Asked::read(&form, &allowing(true)).unwrap();
        assert_eq!(asked, Asked::Tokens { texts: vec!["a", "b", "c"], hint: Some("access_token") });
        for blank in ["token=", "token=+++", "token_type_hint=all"] {
            let form = Form::parse(blank.as_bytes()).unwrap();
            assert_eq!(Asked::read(&form, &allowing(true)).unwrap_err().code(), "invalid_request", "{blank}");
        }
    }

    #[test]
    fn the_word_all_means_everything_only_where_that_is_allowed() {
        for text in ["token=all", "token=ALL&token_type_hint=refresh_token", "token=x&token_type_hint=all"] {
            let form = Form::parse(text.as_bytes()).unwrap();
            assert_eq!(Asked::read(&form, &allowing(true)).unwrap(), Asked::Everything, "{text}");
            assert!(matches!(Asked::read(&form, &allowing(false)).unwrap(), Asked::Tokens { .. }), "{text}");
        }
        let among_others = Form::parse(b"token=all+x").unwrap();
        assert!(matches!(Asked::read(&among_others, &allowing(true)).unwrap(), Asked::Tokens { .. }));
    }

    #[test]
    fn a_call_has_a_most_of_tokens() {
        let list = |most: usize| (0..most).map(|n| format!("t{n}")).collect::<Vec<_>>().join("+");
        let read = |most: usize| {
            let text = format!("token={}", list(most));
            Asked::read(&Form::parse(text.as_bytes()).unwrap(), &allowing(false)).map(drop)
        };
        assert!(read(MOST_TOKENS).is_ok() && read(MOST_TOKENS + 1).is_err());
    }
}
