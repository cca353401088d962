//! The names by which others know a managed device, each in the one form in which it is kept and looked for.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Who gave a device a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalIdKind {
    /// Its id in device management, mostly a GUID.
    #[default]
    Mdm,
    /// The unique device identifier of its maker.
    Udid,
    /// The SHA-256 of its client certificate, base64url (the `x5t#S256` of RFC 8705 section 3.1).
    Certificate,
    /// A name in its client certificate: DNS name, e-mail address, URI or user principal name.
    CertificateSan,
    /// `ISSUER#SERIAL` of its client certificate: a serial number is unique among those of one issuer only.
    CertificateSerial,
    /// Its object in a directory.
    Directory,
}

impl ExternalIdKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Mdm, Self::Udid, Self::Certificate, Self::CertificateSan, Self::CertificateSerial, Self::Directory];

    /// The name people and programs write.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mdm => "mdm",
            Self::Udid => "udid",
            Self::Certificate => "certificate",
            Self::CertificateSan => "certificate_san",
            Self::CertificateSerial => "certificate_serial",
            Self::Directory => "directory",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Their names, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// One name of a device. It can only be had in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId {
    kind: ExternalIdKind,
    value: String,
}

/// The text is not a name of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnExternalId {
    #[error("unknown kind of external id; one of: {}", ExternalIdKind::names())]
    Kind,
    #[error("the external id of kind `{}` is empty, too long or has control characters", .0.name())]
    Text(ExternalIdKind),
    #[error("a `certificate` is the SHA-256 of the certificate, in base64url (`x5t#S256`) or hexadecimal")]
    Thumbprint,
    #[error(
        "a `certificate_serial` is written ISSUER#SERIAL: the issuer as RFC 4514 has it, the number in hexadecimal"
    )]
    Serial,
}

/// The longest value, in bytes.
const LIMIT: usize = 1024;

impl ExternalId {
    /// Reads a name as people, proxies and certificates write it.
    ///
    /// # Errors
    /// It cannot be a name of this kind.
    pub fn read(kind: ExternalIdKind, written: &str) -> Result<Self, NotAnExternalId> {
        let text = written.trim();
        if text.is_empty() || text.len() > LIMIT || text.chars().any(char::is_control) {
            return Err(NotAnExternalId::Text(kind));
        }
        let value = match kind {
            ExternalIdKind::Mdm | ExternalIdKind::Udid | ExternalIdKind::Directory => identifier(text),
            ExternalIdKind::Certificate => thumbprint(text).ok_or(NotAnExternalId::Thumbprint)?,
            ExternalIdKind::CertificateSan => alternative_name(text),
            ExternalIdKind::CertificateSerial => serial(text).ok_or(NotAnExternalId::Serial)?,
        };
        if value.is_empty() { Err(NotAnExternalId::Text(kind)) } else { Ok(Self { kind, value }) }
    }

    /// The same where the kind is given by its name.
    ///
    /// # Errors
    /// As [`ExternalId::read`], or if there is no such kind.
    pub fn named(kind: &str, written: &str) -> Result<Self, NotAnExternalId> {
        Self::read(ExternalIdKind::find(kind).ok_or(NotAnExternalId::Kind)?, written)
    }

    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// As the store has it.
    #[must_use]
    pub fn into_pair(self) -> (String, String) {
        (self.kind.name().to_owned(), self.value)
    }
}

/// As people name a device by it: `kind:value`.
impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value)
    }
}

/// Systems disagree on braces around a GUID and on the case of its digits. Nobody tells two devices apart by either.
fn identifier(text: &str) -> String {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    bare.trim().to_lowercase()
}

/// SHA-256 in bytes.
const THUMBPRINT_BYTES: usize = 32;

fn thumbprint(text: &str) -> Option<String> {
    if let Some(bytes) = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == THUMBPRINT_BYTES) {
        return Some(URL_SAFE_NO_PAD.encode(bytes));
    }
    let digits: Vec<u8> = digits(text)?;
    let pairs = digits.chunks_exact(2);
    let bytes: Vec<u8> = pairs.filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect();
    (digits.len() == 2 * THUMBPRINT_BYTES).then(|| URL_SAFE_NO_PAD.encode(bytes))
}

/// Hexadecimal digits, with or without colons or spaces between them.
fn digits(text: &str) -> Option<Vec<u8>> {
    let written = text.chars().filter(|letter| !matches!(letter, ':' | ' '));
    written.map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect()
}

/// The case of a URI counts; that of a DNS name, a mail address or a user principal name does not.
fn alternative_name(text: &str) -> String {
    if text.contains(':') { text.to_owned() } else { text.to_lowercase() }
}

/// The zeros in front, of which DER and tools write different numbers, do not count.
fn serial(text: &str) -> Option<String> {
    let (issuer, number) = text.rsplit_once('#')?;
    let number: String =
        digits(number)?.into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)).collect::<String>();
    let significant = number.trim_start_matches('0').to_uppercase();
    let number = match (number.is_empty(), significant.is_empty()) {
        (true, _) => return None,
        (false, true) => "0".to_owned(),
        (false, false) => significant,
    };
    let issuer = issuer.trim();
    (!issuer.is_empty()).then(|| format!("{issuer}#{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, written: &str) -> Option<String> {
        ExternalId::named(kind, written).ok().map(|id| id.value)
    }

    #[test]
    fn a_name_has_one_form_however_it_is_written() {
        let hash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let hex = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        let table = [
            ("mdm", "{0A1B2C3D-0000-4000-8000-00000000ABCD}", "0a1b2c3d-0000-4000-8000-00000000abcd"),
            ("mdm", " 4711 ", "4711"),
            ("udid", "00008030-001A2B3C4D5E002E", "00008030-001a2b3c4d5e002e"),
            ("directory", "CN=PC1,OU=Berlin,DC=corp", "cn=pc1,ou=berlin,dc=corp"),
            ("certificate", hash, hash),
            ("certificate", hex, hash),
            ("certificate", &hex.replace(':', "").to_lowercase(), hash),
            ("certificate_san", "PC1.Corp.Example", "pc1.corp.example"),
            ("certificate_san", "Ada@Corp.Example", "ada@corp.example"),
            ("certificate_san", "spiffe://corp/Device/A", "spiffe://corp/Device/A"),
            ("certificate_serial", "CN=Device CA,O=Acme#00:0a:1b", "CN=Device CA,O=Acme#A1B"),
            ("certificate_serial", "CN=\\#1#0", "CN=\\#1#0"),
        ];
        for (kind, written, kept) in table {
            assert_eq!(read(kind, written).as_deref(), Some(kept), "{kind} {written}");
            assert_eq!(read(kind, kept).as_deref(), Some(kept), "{kind}: the normal form is its own");
        }
    }

    #[test]
    fn what_cannot_be_a_name_of_its_kind_is_refused() {
        assert_eq!(ExternalId::named("MDM", "x"), Err(NotAnExternalId::Kind));
        assert!(NotAnExternalId::Kind.to_string().ends_with("certificate_serial, directory"));
        for kind in ExternalIdKind::ALL {
            for wrong in ["", "  ", "a\nb", &"x".repeat(LIMIT + 1)] {
                assert_eq!(ExternalId::read(kind, wrong), Err(NotAnExternalId::Text(kind)), "{wrong:?}");
            }
        }
        assert_eq!(read("mdm", "{}"), None);
        for wrong in ["abc", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuF", "E3:B0", &"é".repeat(32)] {
            assert_eq!(read("certificate", wrong), None, "{wrong}");
        }
        for wrong in ["0A1B", "#0A1B", "CN=x#", "CN=x#0G", "CN=x#é"] {
            assert_eq!(read("certificate_serial", wrong), None, "{wrong}");
        }
    }
}
