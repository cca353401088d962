//! A certificate authority of one test, and a server certificate that it signed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::server::Server;

pub(crate) struct Authority {
    root: String,
    certificate: String,
    key: String,
}

impl Authority {
    /// A fresh root, and a certificate for the loopback address.
    pub(crate) fn make() -> Result<Self> {
        let root_key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = parameters.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(parameters, root_key);
        let key = KeyPair::generate()?;
        let leaf =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?.signed_by(&key, &issuer)?;
        Ok(Self { root, certificate: leaf.pem(), key: key.serialize_pem() })
    }

    /// The root, for a client.
    pub(crate) fn root(&self) -> Result<reqwest::Certificate> {
        Ok(reqwest::Certificate::from_pem(self.root.as_bytes())?)
    }

    /// The root as a file, for a program.
    pub(crate) fn file(&self, server: &Server) -> Result<PathBuf> {
        let file = server.path("ca.pem");
        fs::write(&file, &self.root)?;
        Ok(file)
    }

    /// Puts the files into a folder; the lines of the server's configuration that name them.
    pub(crate) fn configuration(&self, folder: &Path) -> Result<String> {
        let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        fs::write(&certificate, &self.certificate)?;
        fs::write(&key, &self.key)?;
        Ok(format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"))
    }
}
