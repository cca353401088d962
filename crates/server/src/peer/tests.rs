use std::net::Ipv4Addr;

use axum::http::HeaderValue;
use rcgen::{CertificateParams, DnType, DnValue, KeyPair, OtherNameValue, SanType, SerialNumber, string::Ia5String};

use super::*;

const HEADER: &str = "client-cert";

fn peer(address: [u8; 4]) -> Peer {
    Peer {
        address: (Ipv4Addr::from(address), 4000).into(),
        certificate: None,
        chain_verified: false,
        tls_version: None,
    }
}

fn proxy() -> Proxy {
    Proxy {
        trusted: vec!["10.0.0.0/8".parse().unwrap()],
        client_certificate_header: Some(HEADER.to_owned()),
        client_certificate_verified: false,
        ..Proxy::default()
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn certificate() -> (Vec<u8>, String) {
    let made = rcgen::generate_simple_self_signed(["client.example".to_owned()]).unwrap().cert;
    (made.der().to_vec(), made.pem())
}

/// As nginx does: everything but letters, digits and `-_.~`; here `+` and `/` stay, which other proxies leave.
fn url_encoded(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-_.~+/".contains(c);
    text.chars().map(|c| if keep(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }).collect()
}

#[test]
fn a_trusted_proxys_header_is_read_in_its_three_forms() {
    let (der, pem) = certificate();
    let base64 = STANDARD.encode(&der);
    for value in [url_encoded(&pem), base64.clone(), format!(":{base64}:")] {
        let found = client_certificate(&peer([10, 0, 0, 1]), &headers(&[(HEADER, &value)]), &proxy());
        assert_eq!(found, Some(ClientCertificate { der: der.clone(), chain_verified: false }), "{value}");
    }
    let verified = Proxy { client_certificate_verified: true, ..proxy() };
    let found = client_certificate(&peer([10, 0, 0, 1]), &headers(&[(HEADER, &base64)]), &verified);
    assert!(found.unwrap().chain_verified);
}

#[test]
fn a_strangers_header_is_ignored() {
    let (der, _) = certificate();
    let sent = headers(&[(HEADER, &STANDARD.encode(&der))]);
    assert_eq!(client_certificate(&peer([192, 0, 2, 1]), &sent, &proxy()), None);
    let own = Peer { certificate: Some(vec![1]), chain_verified: true, ..peer([192, 0, 2, 1]) };
    let found = client_certificate(&own, &sent, &proxy()).unwrap();
    assert_eq!(found, ClientCertificate { der: vec![1], chain_verified: true });
}

#[test]
fn a_proxys_own_certificate_is_never_the_clients() {
    let proxys = Peer { certificate: Some(vec![1]), chain_verified: true, ..peer([10, 0, 0, 1]) };
    assert_eq!(client_certificate(&proxys, &HeaderMap::new(), &proxy()), None);
}

#[test]
fn a_header_given_twice_or_holding_no_certificate_is_ignored() {
    let (der, pem) = certificate();
    let base64 = STANDARD.encode(&der);
    let mut twice = headers(&[(HEADER, &base64)]);
    twice.append(HEADER, HeaderValue::from_str(&base64).unwrap());
    assert_eq!(client_certificate(&peer([10, 0, 0, 1]), &twice, &proxy()), None);
    let longer = STANDARD.encode([der.as_slice(), &[0]].concat());
    for value in ["", ":", "(null)", "AAAA", &longer, &format!(":{base64}"), "-----BEGIN%2", &url_encoded(&pem)[..60]] {
        let sent = headers(&[(HEADER, value)]);
        assert_eq!(client_certificate(&peer([10, 0, 0, 1]), &sent, &proxy()), None, "{value}");
    }
}

#[test]
fn a_trusted_proxy_names_the_device_once_and_nobody_else_does() {
    let named = |address, values: &[&'static str]| {
        let mut sent = HeaderMap::new();
        for value in values {
            sent.append("x-device", HeaderValue::from_static(value));
        }
        let proxy = Proxy { device_header: Some("x-device".to_owned()), ..proxy() };
        device_name(&peer(address), &sent, &proxy).map(str::to_owned)
    };
    assert_eq!(named([10, 0, 0, 1], &[" d1 "]).as_deref(), Some("d1"));
    assert_eq!(named([192, 0, 2, 1], &["d1"]), None);
    for nothing in [&["d1", "d1"][..], &["d1", ""], &[""], &[]] {
        assert_eq!(named([10, 0, 0, 1], nothing), None, "{nothing:?}");
    }
    let sent = headers(&[("x-device", "d1")]);
    assert_eq!(device_name(&peer([10, 0, 0, 1]), &sent, &proxy()), None, "without the setting");
}

#[test]
fn a_certificate_tells_its_issuer_serial_and_alternative_names() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let upn = (vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], OtherNameValue::Utf8String("Ada@corp".to_owned()));
    let other = (vec![1, 2, 3], OtherNameValue::Utf8String("something else".to_owned()));
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(vec![0x0a, 0x1b]));
    params.distinguished_name.push(DnType::OrganizationName, "Acme");
    params.subject_alt_names = vec![
        SanType::DnsName(text("PC1.example")),
        SanType::Rfc822Name(text("ada@example.org")),
        SanType::URI(text("urn:device:A")),
        SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
        SanType::OtherName(other),
        SanType::OtherName(upn),
    ];
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_eq!(alternative_names(made.der()), ["PC1.example", "ada@example.org", "urn:device:A", "Ada@corp"]);
    assert_eq!(serial_number(made.der()).as_deref(), Some("0a:1b"));
    assert_eq!(issuer_dn(made.der()), subject_dn(made.der()));
    assert!(issuer_dn(made.der()).unwrap().contains("O=Acme"));
    assert_eq!((alternative_names(b"none").len(), serial_number(b"none"), issuer_dn(b"none")), (0, None, None));
}

#[test]
fn the_client_is_the_last_address_that_is_no_proxy_of_ours() {
    let table = [
        ([192, 0, 2, 1], "203.0.113.9", "192.0.2.1"),
        ([10, 0, 0, 1], "", "10.0.0.1"),
        ([10, 0, 0, 1], "203.0.113.9", "203.0.113.9"),
        ([10, 0, 0, 1], "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ([10, 0, 0, 1], "198.51.100.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ([10, 0, 0, 1], "10.9.9.9,10.2.2.2", "10.9.9.9"),
        ([10, 0, 0, 1], "203.0.113.9:4711", "203.0.113.9"),
        ([10, 0, 0, 1], "[2001:db8::7]:4711", "2001:db8::7"),
        ([10, 0, 0, 1], "[2001:db8::7]", "2001:db8::7"),
        ([10, 0, 0, 1], "198.51.100.1, unknown, 10.2.2.2", "10.2.2.2"),
        ([10, 0, 0, 1], "::ffff:203.0.113.9", "203.0.113.9"),
    ];
    for (from, forwarded, client) in table {
        let found = client_address(&peer(from), &headers(&[("x-forwarded-for", forwarded)]), &proxy());
        assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{forwarded}");
    }
    let mut lines = headers(&[("x-forwarded-for", "198.51.100.1")]);
    lines.append("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
    assert_eq!(client_address(&peer([10, 0, 0, 1]), &lines, &proxy()).to_string(), "203.0.113.9");
}

fn subject_of(parts: Vec<(DnType, DnValue)>) -> String {
    let mut params = CertificateParams::new(vec!["A.example".to_owned(), "b.example".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in parts {
        params.distinguished_name.push(kind, value);
    }
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_eq!(dns_names(made.der()), ["a.example", "b.example"]);
    subject_dn(made.der()).unwrap()
}

#[test]
fn a_subject_is_written_as_rfc_4514_says() {
    let text = |t: &str| DnValue::Utf8String(t.to_owned());
    let domain = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]);
    let title = DnType::CustomDnType(vec![2, 5, 4, 12]);
    let table = [
        (
            vec![
                (DnType::CountryName, text("DE")),
                (DnType::OrganizationName, text("Acme")),
                (DnType::CommonName, text("c1")),
            ],
            "CN=c1,O=Acme,C=DE",
        ),
        (vec![(DnType::CommonName, text("James \"Jim\" Smith, III"))], "CN=James \\\"Jim\\\" Smith\\, III"),
        (vec![(DnType::CommonName, text(" #a+b "))], "CN=\\ #a\\+b\\ "),
        (vec![(DnType::CommonName, text("#1=2"))], "CN=\\#1=2"),
        (vec![(DnType::CommonName, text("Žofie"))], "CN=Žofie"),
        (vec![(domain, DnValue::Ia5String(Ia5String::try_from("example").unwrap()))], "DC=example"),
        (vec![(title, text("hi"))], "2.5.4.12=#0c026869"),
        (vec![], ""),
    ];
    for (parts, expected) in table {
        assert_eq!(subject_of(parts), expected);
    }
    assert_eq!(subject_dn(b"no certificate"), None);
    assert!(dns_names(b"no certificate").is_empty());
}
