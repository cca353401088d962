//! Which addresses a client may be reached at (RFC 6749 section 3.1.2, RFC 8252 section 7).

use url::{Host, Url};

/// Whether a redirect URI may be registered. It is kept and compared as it is written.
///
/// # Errors
/// What it should have been, as the end of a sentence that begins with the address.
pub fn validate_redirect_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > 2048 {
        return Err("is longer than 2048 bytes");
    }
    // The parser forgives spaces, line breaks and backslashes; a browser and we might then read two different addresses.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("has a character that must be percent-encoded");
    }
    let url = Url::parse(uri).map_err(|_| "is not an absolute URI")?;
    if url.fragment().is_some() {
        return Err("has a fragment (RFC 6749 section 3.1.2)");
    }
    match url.scheme() {
        "https" if has_authority(uri, &url) => Ok(()),
        "http" if has_authority(uri, &url) && is_loopback(&url) => Ok(()),
        "http" => Err("uses http, which is for loopback addresses alone (RFC 8252 section 7.3)"),
        // A name under a domain of the application's owner; this also keeps out `javascript:` and its like.
        private if private.contains('.') => Ok(()),
        _ => Err("must be https, http on loopback, or a private-use scheme with a dot in it (RFC 8252 section 7.1)"),
    }
}

/// Whether the address is written out: `https:example.com` is also parsed, but not by everybody.
fn has_authority(uri: &str, url: &Url) -> bool {
    let written = uri.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    written && url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a client's keys may be fetched from there.
///
/// # Errors
/// What it should have been, as the end of a sentence that begins with the address.
pub(super) fn validate_keys_uri(uri: &str) -> Result<(), &'static str> {
    match Url::parse(uri) {
        Ok(url) if url.scheme() == "https" && has_authority(uri, &url) && url.fragment().is_none() => Ok(()),
        _ => Err("must be an https URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_an_application_can_own_are_accepted() {
        for good in [
            "https://app.example/callback",
            "https://app.example/callback?tenant=1",
            "https://app.example:8443",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:49152/callback",
            "http://[::1]:80/callback",
            "http://localhost:3000/callback",
            "com.example.app:/callback",
        ] {
            assert_eq!(validate_redirect_uri(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn addresses_that_could_leak_a_code_are_refused() {
        for bad in [
            "",
            "/callback",
            "app.example/callback",
            "http://app.example/callback",
            "http://127.0.0.1.example/callback",
            "http://localhost.example/callback",
            "http://10.0.0.1/callback",
            "https://app.example/callback#",
            "https://app.example/callback#part",
            "https://user@app.example/callback",
            "https://user:pass@app.example/callback",
            "https:app.example/callback",
            "https:/app.example/callback",
            "https://app.example\\@other.example/",
            "https://app.example/a b",
            "https://app.example/a\nb",
            " https://app.example/",
            "https://b\u{fc}cher.example/",
            "https://",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/callback",
        ] {
            assert!(validate_redirect_uri(bad).is_err(), "{bad}");
        }
        assert!(validate_redirect_uri(&format!("https://app.example/{}", "a".repeat(2048))).is_err());
    }

    #[test]
    fn keys_are_fetched_over_https_alone() {
        assert!(validate_keys_uri("https://app.example/jwks").is_ok());
        for bad in ["http://app.example/jwks", "http://127.0.0.1/jwks", "https://a@app.example/", "file:///x", "jwks"] {
            assert!(validate_keys_uri(bad).is_err(), "{bad}");
        }
    }
}
