//! Who is at the other end of a connection: its address and its certificate, by itself or through a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Proxy;

pub use alternative_names::{alternative_names, dns_names};
pub use distinguished_name::{issuer_dn, subject_dn};

mod alternative_names;
mod distinguished_name;

/// The other end of a TCP connection; every request carries it as an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// The certificate shown in our own TLS handshake, DER. The peer has proved that it holds the key, no more.
    pub certificate: Option<Vec<u8>>,
    /// Whether that certificate's chain leads to `tls.client_ca`.
    pub chain_verified: bool,
    /// The version of our own TLS, such as `TLSv1.3`.
    pub tls_version: Option<&'static str>,
}

/// The other end of the local socket; every request there carries it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPeer {
    /// The user id the operating system vouches for.
    pub uid: u32,
}

/// A certificate whose key the client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub der: Vec<u8>,
    /// Without this the certificate is good for `self_signed_tls_client_auth` only (RFC 8705 section 2.2).
    pub chain_verified: bool,
}

/// The client's certificate from our own TLS, or from the header of a trusted proxy.
///
/// The header is read as URL-encoded PEM, base64 DER, or a byte sequence of RFC 9440. A header from any other peer, one
/// given twice and one that holds no certificate are ignored: a stranger can write any header.
#[must_use]
pub fn client_certificate(peer: &Peer, headers: &HeaderMap, proxy: &Proxy) -> Option<ClientCertificate> {
    if let Some(name) = &proxy.client_certificate_header
        && is_trusted(peer.address.ip(), proxy)
    {
        // A proxy's own certificate says who the proxy is, never who the client is.
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let der = read_header(value)?;
        return Some(ClientCertificate { der, chain_verified: proxy.client_certificate_verified });
    }
    let der = peer.certificate.clone()?;
    Some(ClientCertificate { der, chain_verified: peer.chain_verified })
}

/// What a trusted proxy says in its header of which managed device a request comes from.
///
/// As with certificates, a header from any other peer is ignored, and so is one given twice.
#[must_use]
pub fn device_name<'a>(peer: &Peer, headers: &'a HeaderMap, proxy: &Proxy) -> Option<&'a str> {
    let name = proxy.device_header.as_ref().filter(|_| is_trusted(peer.address.ip(), proxy))?;
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// The client's address: the peer's, or behind trusted proxies the last one in `X-Forwarded-For` that is not theirs.
#[must_use]
pub fn client_address(peer: &Peer, headers: &HeaderMap, proxy: &Proxy) -> IpAddr {
    let mut client = peer.address.ip().to_canonical();
    if !is_trusted(client, proxy) {
        return client;
    }
    let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    for hop in values.iter().flat_map(|v| v.split(',')).rev() {
        // What stands left of something unreadable was not written by anyone we trust.
        let Some(address) = read_hop(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client, proxy) {
            break;
        }
    }
    client
}

fn is_trusted(address: IpAddr, proxy: &Proxy) -> bool {
    proxy.trusted.iter().any(|n| n.contains(address))
}

/// An address, with or without a port.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|a| a.ip()))
}

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

fn read_header(value: &str) -> Option<Vec<u8>> {
    let value = value.trim();
    let der = if let Some(inner) = value.strip_prefix(':') {
        // RFC 9440 section 2.2, a byte sequence of RFC 8941 section 3.3.5.
        STANDARD.decode(inner.strip_suffix(':')?).ok()?
    } else if value.starts_with("-----") {
        let text = percent_decoded(value)?;
        let body = text.trim().strip_prefix(PEM_BEGIN)?.split_once(PEM_END)?.0;
        let digits: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD.decode(digits).ok()?
    } else {
        STANDARD.decode(value).ok()?
    };
    parse(&der).is_some().then_some(der)
}

/// Undoes percent-encoding only: in a form's encoding `+` would be a space, and PEM is full of `+`.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        out.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(out).ok()
}

/// A certificate and nothing behind it.
fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// A certificate's serial number, hexadecimal: unique among the certificates of its issuer.
#[must_use]
pub fn serial_number(der: &[u8]) -> Option<String> {
    parse(der).map(|certificate| certificate.raw_serial_as_string())
}

#[cfg(test)]
mod tests;
