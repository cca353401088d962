//! In which of its two forms a list is wanted (RFC 9110 section 12.5.1).

use axum::http::{HeaderMap, header};

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// Signed: what is given unless the other is asked for (Token Status List section 8.1).
    Jwt,
    /// Not signed, as Janssen has it.
    Json,
}

impl MediaType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jwt => "application/statuslist+jwt",
            Self::Json => "application/statuslist+json",
        }
    }

    /// The form that is wanted most; `None` if neither is.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let lines: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if lines.is_empty() {
            return Some(Self::Jwt);
        }
        let ranges: Vec<(String, f32)> = lines.iter().flat_map(|line| line.split(',')).map(range).collect();
        let (jwt, json) = (Self::Jwt.quality(&ranges), Self::Json.quality(&ranges));
        match (jwt > 0.0, json > 0.0) {
            (false, false) => None,
            _ if jwt >= json => Some(Self::Jwt),
            _ => Some(Self::Json),
        }
    }

    /// How much it is wanted: what names it exactly counts before what names it with others.
    fn quality(self, ranges: &[(String, f32)]) -> f32 {
        [self.name(), "application/*", "*/*"]
            .into_iter()
            .find_map(|name| ranges.iter().find(|(range, _)| range == name))
            .map_or(0.0, |(_, quality)| *quality)
    }
}

/// A media range and its weight; one that makes no sense weighs nothing.
fn range(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = weight.map_or(Ok(1.0), str::parse).ok().filter(|quality| (0.0..=1.0).contains(quality));
    (name, quality.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_form_is_given_unless_the_other_is_wanted_more() {
        let (jwt, json) = (Some(MediaType::Jwt), Some(MediaType::Json));
        for (accept, wanted) in [
            ("*/*", jwt),
            ("application/*", jwt),
            ("application/statuslist+jwt", jwt),
            ("Application/StatusList+JWT", jwt),
            ("application/statuslist+json", json),
            ("application/statuslist+json, application/statuslist+jwt", jwt),
            ("application/statuslist+json, application/statuslist+jwt;q=0.5", json),
            ("application/statuslist+json;q=0.1, */*;q=0.5", jwt),
            ("application/statuslist+jwt;q=0, */*", json),
            ("application/statuslist+cwt", None),
            ("text/html, application/json", None),
            ("*/*;q=0", None),
            ("application/statuslist+jwt;q=x", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(MediaType::wanted(&headers), wanted, "{accept:?}");
        }
        assert_eq!(MediaType::wanted(&HeaderMap::new()), jwt);
    }
}
