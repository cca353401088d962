//! Calls to addresses that a stranger may have chosen: https, no redirects, bounded in time and size, public addresses only.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::config::{self, Network};

mod special_use;

const TOTAL_TIME: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: usize = 256 << 10;

/// Why nothing was fetched. Its text names no address that the caller did not give.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("not a URL that may be called")]
    Refused,
    #[error("answered with status {0}")]
    Status(u16),
    #[error("the answer is larger than {LARGEST_ANSWER} bytes")]
    TooLarge,
    #[error("no answer in time")]
    Timeout,
    #[error("the call failed: {0}")]
    Failed(#[source] reqwest::Error),
}

/// Why the egress cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    #[error("egress.ca: {0}")]
    File(#[source] std::io::Error),
    #[error("egress.ca: {0}")]
    Tls(#[from] reqwest::Error),
}

/// The one way out.
#[derive(Clone, Debug)]
pub struct Egress {
    allow: Arc<[Network]>,
    /// Reaches public addresses and the allowed ones.
    https: Client,
    /// Reaches the allowed ones only.
    http: Client,
}

impl Egress {
    /// Sets up the clients; no call is made.
    ///
    /// # Errors
    /// `egress.ca` cannot be read.
    pub fn new(config: &config::Egress) -> Result<Self, EgressSetupError> {
        let allow: Arc<[Network]> = config.allow.as_slice().into();
        let roots = match &config.ca {
            Some(file) => Certificate::from_pem_bundle(&std::fs::read(file).map_err(EgressSetupError::File)?)?,
            None => Vec::new(),
        };
        let client = |reach: Reach| {
            Client::builder()
                .user_agent("rescind")
                .timeout(TOTAL_TIME)
                .redirect(Policy::none())
                .no_proxy()
                .tls_certs_merge(roots.clone())
                .dns_resolver(CheckedResolver { reach, allow: allow.clone() })
                .build()
        };
        let (https, http) = (client(Reach::Public)?, client(Reach::AllowedOnly)?);
        Ok(Self { allow, https, http })
    }

    /// Fetches the body of a successful answer.
    ///
    /// # Errors
    /// The address may not be called, or the answer is not a success, too large or too late.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, EgressError> {
        let url = Url::parse(url).map_err(|_| EgressError::Refused)?;
        let (client, reach) = match url.scheme() {
            "https" => (&self.https, Reach::Public),
            "http" => (&self.http, Reach::AllowedOnly),
            _ => return Err(EgressError::Refused),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Refused);
        }
        // A literal address never asks the resolver.
        let literal = match url.host() {
            Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(url::Host::Domain(_)) => None,
            None => return Err(EgressError::Refused),
        };
        if literal.is_some_and(|address| !reach.reaches(address, &self.allow)) {
            return Err(EgressError::Refused);
        }
        let mut answer = client.get(url).send().await.map_err(failure)?;
        if !answer.status().is_success() {
            return Err(EgressError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(EgressError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn failure(error: reqwest::Error) -> EgressError {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(inner) = cause {
        if inner.is::<NoAddress>() {
            return EgressError::Refused;
        }
        cause = inner.source();
    }
    if error.is_timeout() { EgressError::Timeout } else { EgressError::Failed(error.without_url()) }
}

/// How far a client reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    AllowedOnly,
}

impl Reach {
    fn reaches(self, address: IpAddr, allow: &[Network]) -> bool {
        let public = self == Self::Public && !special_use::is_special_use(address);
        public || allow.iter().any(|n| n.contains(address))
    }
}

/// A name that resolves to no address we may call.
#[derive(Debug, thiserror::Error)]
#[error("no address that may be called")]
struct NoAddress;

/// Gives the client only addresses it may connect to, so that what is checked is what is called.
struct CheckedResolver {
    reach: Reach,
    allow: Arc<[Network]>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, allow) = (self.reach, self.allow.clone());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let reached: Vec<SocketAddr> = found.filter(|a| reach.reaches(a.ip(), &allow)).collect();
            if reached.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(reached.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
