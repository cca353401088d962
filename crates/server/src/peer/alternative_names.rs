//! The subject alternative names of a certificate (RFC 5280 section 4.2.1.6).

use x509_parser::{
    asn1_rs::{FromDer, Utf8String},
    prelude::{GeneralName, X509Certificate},
};

/// Microsoft's user principal name, an `otherName`.
const USER_PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";
/// The explicit tag `[0]` that stands around the value of an `otherName`.
const VALUE: u8 = 0xa0;

/// The DNS names, in lower case.
#[must_use]
pub fn dns_names(der: &[u8]) -> Vec<String> {
    names(der, |name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    })
}

/// The DNS names, mail addresses, URIs and user principal names, as they stand there.
#[must_use]
pub fn alternative_names(der: &[u8]) -> Vec<String> {
    names(der, |name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::OtherName(kind, value) if kind.to_id_string() == USER_PRINCIPAL_NAME => explicit_text(value),
        _ => None,
    })
}

fn names(der: &[u8], read: impl Fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
    let names = |certificate: &X509Certificate<'_>| {
        let names = certificate.subject_alternative_name().ok()??;
        Some(names.value.general_names.iter().filter_map(&read).collect())
    };
    super::parse(der).and_then(|certificate| names(&certificate)).unwrap_or_default()
}

/// A text inside its explicit tag; names longer than 127 bytes have no place in a short length.
fn explicit_text(value: &[u8]) -> Option<String> {
    let [VALUE, length, text @ ..] = value else { return None };
    if usize::from(*length) != text.len() {
        return None;
    }
    let (rest, text) = Utf8String::from_der(text).ok()?;
    rest.is_empty().then(|| text.string())
}
