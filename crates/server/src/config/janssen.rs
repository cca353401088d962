//! The prefix under which clients written for Janssen find our endpoints.

use super::{Config, written::Written};

/// A path such as `/jans-auth/restv1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JanssenPrefix(String);

/// What is at the root whatever the issuer's path. A prefix below it would look as if it belonged there.
const AT_ROOT: [&str; 4] = [".well-known", "healthz", "metrics", "readyz"];
/// The first segments of what is below the issuer's path.
const BELOW_ISSUER: [&str; 22] = [
    "account",
    "admin",
    "assets",
    "authorize",
    "consent",
    "console",
    "global-token-revocation",
    "introspect",
    "jwks",
    "logout",
    "openapi",
    "openapi.json",
    "par",
    "pf-ws",
    "register",
    "revoke",
    "revoke_session",
    "sign-in",
    "status_list",
    "status_list_aggregation",
    "token",
    "userinfo",
];

impl JanssenPrefix {
    /// Takes an absolute path of at least two segments, written in the one way that needs no decoding: above the last one
    /// stands the discovery document, and at the root there is one already.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain);
        let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        (segments.len() > 1 && segments.into_iter().all(is_segment)).then(|| Self(text.to_owned()))
    }

    /// The prefix itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where `.well-known` is: the prefix without its last segment.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// Why it cannot be used beside an issuer with this path.
    fn conflict(&self, issuer_path: &str) -> Option<&'static str> {
        if self.as_str() == issuer_path {
            return Some("expected another path than the issuer's, where our own endpoints are");
        }
        if self.parent() == issuer_path {
            return Some(
                "expected its parent to be another path than the issuer's, where our own discovery document is",
            );
        }
        let below = |base: &str| self.0.strip_prefix(base)?.strip_prefix('/')?.split('/').next();
        let is_taken = below("").is_some_and(|segment| AT_ROOT.contains(&segment))
            || below(issuer_path).is_some_and(|segment| BELOW_ISSUER.contains(&segment));
        is_taken.then_some("expected a path where nothing of ours is")
    }
}

pub(super) fn read(w: &mut Written) -> Option<JanssenPrefix> {
    let expected =
        "a path of at least two segments of letters, digits, `-`, `.`, `_` and `~`, such as \"/jans-auth/restv1\"";
    w.parsed("janssen.prefix", expected, JanssenPrefix::find)
}

/// What can be said only with the issuer known.
pub(super) fn check(config: &Config, w: &mut Written) {
    let Some(prefix) = &config.janssen_prefix else { return };
    if let Some(why) = prefix.conflict(config.issuer_path())
        && w.is_sound(&["janssen.prefix", "issuer"])
    {
        w.mistake("janssen.prefix", format!("found {:?}: {why}", prefix.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_segments_that_need_no_decoding() {
        let prefix = JanssenPrefix::find("/jans-auth/restv1").unwrap();
        assert_eq!((prefix.as_str(), prefix.parent()), ("/jans-auth/restv1", "/jans-auth"));
        assert_eq!(JanssenPrefix::find("/a/b/c").unwrap().parent(), "/a/b");
        for wrong in [
            "",
            "/",
            "jans-auth/restv1",
            "/restv1",
            "/a/",
            "/a//b",
            "/a/..",
            "/./b",
            "/a b/c",
            "/{a}/b",
            "/a/*",
            "/a/b?c",
            "/ä/b",
        ] {
            assert!(JanssenPrefix::find(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_hides_nothing_of_ours() {
        let conflict = |prefix: &str, issuer: &str| JanssenPrefix::find(prefix).unwrap().conflict(issuer).is_some();
        assert!(!conflict("/jans-auth/restv1", "") && !conflict("/jans-auth/restv1", "/tenant/a"));
        assert!(conflict("/tenant/a", "/tenant/a"), "every endpoint would be there twice");
        assert!(conflict("/tenant/restv1", "/tenant"), "the discovery document would be there twice");
        assert!(conflict("/admin/v1", "") && conflict("/t/admin/v1", "/t") && conflict("/healthz/x", "/t"));
        assert!(!conflict("/token/x", "/t"), "nothing of ours is at the root but what is always there");
    }
}
