//! A certificate's subject and issuer in the text form of RFC 4514, in which clients register it (RFC 8705 section 2.1.2).

use std::fmt::Write;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The subject, last part first as RFC 4514 section 2.1 says; `None` if it is no certificate.
#[must_use]
pub fn subject_dn(der: &[u8]) -> Option<String> {
    text_of(super::parse(der)?.subject())
}

/// The issuer, in the same form.
#[must_use]
pub fn issuer_dn(der: &[u8]) -> Option<String> {
    text_of(super::parse(der)?.issuer())
}

fn text_of(name: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (n, part) in parts.into_iter().rev().enumerate() {
        if n > 0 {
            text.push(',');
        }
        for (n, attribute) in part.iter().enumerate() {
            if n > 0 {
                text.push('+');
            }
            write_attribute(&mut text, attribute)?;
        }
    }
    Some(text)
}

/// RFC 4514 section 3: the types that have a short name there, and the e-mail address that everybody writes so.
const SHORT_NAMES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Option<()> {
    let oid = attribute.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(id, _)| *id == oid);
    match (short, attribute.as_str()) {
        (Some((_, name)), Ok(value)) => {
            text.push_str(name);
            text.push('=');
            escape(text, value);
        }
        // Section 2.4: a type without a name, or a value without a text, is written as its BER in hexadecimal.
        _ => {
            write!(text, "{oid}=#").ok()?;
            let value = attribute.attr_value();
            let mut ber = Vec::new();
            write_ber(&mut ber, value.header.tag().0, value.data)?;
            for byte in ber {
                write!(text, "{byte:02x}").ok()?;
            }
        }
    }
    Some(())
}

/// A primitive value with its tag and its length in definite form.
fn write_ber(ber: &mut Vec<u8>, tag: u32, data: &[u8]) -> Option<()> {
    // The string types all have small universal tags.
    ber.push(u8::try_from(tag).ok().filter(|t| *t < 31)?);
    match u8::try_from(data.len()) {
        Ok(short @ 0..=127) => ber.push(short),
        Ok(one) => ber.extend([0x81, one]),
        Err(_) => {
            let [high, low] = u16::try_from(data.len()).ok()?.to_be_bytes();
            ber.extend([0x82, high, low]);
        }
    }
    ber.extend(data);
    Some(())
}

/// RFC 4514 section 2.4.
fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (n, c) in value.chars().enumerate() {
        let at_the_edge = (n == 0 && matches!(c, ' ' | '#')) || (n == last && c == ' ');
        match c {
            '\0' => text.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            _ if at_the_edge => text.extend(['\\', c]),
            _ => text.push(c),
        }
    }
}
