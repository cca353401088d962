//! Which managed device a sign-in comes from: by the certificate it shows, or by what a trusted proxy says.

use axum::http::request::Parts;
use rescind_ledger::{Device, Reads, StoreError};

use crate::{
    app::App,
    external_id::{ExternalId, ExternalIdKind},
    peer::{self, ClientCertificate, Peer},
};

/// How many alternative names of one certificate are looked for.
const ALTERNATIVE_NAMES: usize = 16;

/// The names that a request gives the device it comes from; those that count more stand first. Nothing stored is read.
pub fn names(app: &App, parts: &Parts) -> Vec<ExternalId> {
    let Some(peer) = parts.extensions.get::<Peer>() else { return Vec::new() };
    let proxy = &app.config.proxy;
    let shown = peer::client_certificate(peer, &parts.headers, proxy);
    let mut names = shown.map(|shown| certificate_names(&shown)).unwrap_or_default();
    let said = peer::device_name(peer, &parts.headers, proxy);
    names.extend(said.and_then(|said| ExternalId::read(proxy.device_id_kind, said).ok()));
    names
}

/// Whoever holds a key can write any certificate for it: only its thumbprint says something if nobody vouches for it.
fn certificate_names(shown: &ClientCertificate) -> Vec<ExternalId> {
    let mut names = Vec::new();
    let mut add = |kind, value: &str| names.extend(ExternalId::read(kind, value).ok());
    add(ExternalIdKind::Certificate, &rescind_jose::certificate_thumbprint(&shown.der));
    if !shown.chain_verified {
        return names;
    }
    if let (Some(issuer), Some(serial)) = (peer::issuer_dn(&shown.der), peer::serial_number(&shown.der)) {
        add(ExternalIdKind::CertificateSerial, &format!("{issuer}#{serial}"));
    }
    for name in peer::alternative_names(&shown.der).iter().take(ALTERNATIVE_NAMES) {
        add(ExternalIdKind::CertificateSan, name);
    }
    names
}

/// The device that bears the first of these names that any bears, switched off or not. To be asked after the stamp is
/// taken (DESIGN rule 1).
///
/// # Errors
/// The store cannot be read.
pub async fn find(app: &App, names: &[ExternalId]) -> Result<Option<Device>, StoreError> {
    for name in names {
        app.pace.at("read device").await;
        if let Some(device) = app.records.store.find_device_by_external_id(name.kind(), name.value()).await? {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SerialNumber};

    use super::*;

    #[test]
    fn a_certificate_that_nobody_vouches_for_has_only_its_thumbprint() {
        let mut params = CertificateParams::new(vec!["PC1.example".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(vec![0x0a, 0x1b]));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let names = |chain_verified| {
            let names = certificate_names(&ClientCertificate { der: der.clone(), chain_verified });
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let thumbprint = format!("certificate:{}", rescind_jose::certificate_thumbprint(&der));
        assert_eq!(names(false), [thumbprint.as_str()]);
        let serial = "certificate_serial:CN=rcgen self signed cert#A1B";
        assert_eq!(names(true), [thumbprint.as_str(), serial, "certificate_san:pc1.example"]);
    }
}
