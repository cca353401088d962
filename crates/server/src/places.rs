//! Where an address is, in words, if a GeoIP database is configured: `geoip.database`, in MaxMind's format.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use maxminddb::{Reader, geoip2::City};
use parking_lot::RwLock;

/// The database in force, if there is one.
#[derive(Default)]
pub struct Places(Option<Kept>);

struct Kept {
    file: PathBuf,
    database: RwLock<Arc<Reader<Vec<u8>>>>,
}

impl Places {
    /// Reads the database into memory; without a file, no place is known.
    ///
    /// # Errors
    /// The file cannot be read or is no such database.
    pub fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self(None)) };
        let database = RwLock::new(Arc::new(read(file)?));
        Ok(Self(Some(Kept { file: file.to_owned(), database })))
    }

    /// The place of an address, such as "Linköping, Sweden". Databases of countries have no city.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<String> {
        let database = self.0.as_ref()?.database.read().clone();
        let record = database.lookup(address).and_then(|found| found.decode::<City<'_>>());
        let record = match record {
            Ok(record) => record?,
            Err(error) => {
                tracing::warn!(%error, "an address cannot be looked up in the GeoIP database");
                return None;
            }
        };
        let names = [record.city.names.english, record.country.names.english];
        let words: Vec<&str> = names.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Reads the file again. If it is bad, what was in force stays in force.
    ///
    /// # Errors
    /// As [`Places::open`].
    pub fn reload(&self) -> anyhow::Result<()> {
        if let Some(kept) = &self.0 {
            let fresh = Arc::new(read(&kept.file)?);
            *kept.database.write() = fresh;
        }
        Ok(())
    }

    /// Reloads at every SIGHUP, for as long as it is polled.
    ///
    /// # Errors
    /// The signal cannot be waited for.
    pub async fn reload_on_hangup(&self) -> std::io::Result<()> {
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        while self.0.is_some() && hangup.recv().await.is_some() {
            match self.reload() {
                Ok(()) => tracing::info!("GeoIP database reloaded"),
                Err(why) => tracing::error!(error = format!("{why:#}"), "not reloaded; the old database stays"),
            }
        }
        Ok(())
    }
}

fn read(file: &Path) -> anyhow::Result<Reader<Vec<u8>>> {
    let database = Reader::open_readfile(file);
    database.with_context(|| format!("geoip.database: {} is no GeoIP database that can be read", file.display()))
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::{sample::database, *};

    fn written(city: &str, country: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        std::fs::write(&file, database(city, country)).unwrap();
        (folder, file)
    }

    fn at(places: &Places, address: &str) -> Option<String> {
        places.find(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_the_place_that_the_database_says() {
        let (_folder, file) = written("Turin", "Italy");
        let places = Places::open(Some(&file)).unwrap();
        assert_eq!(at(&places, "127.0.0.1").as_deref(), Some("Turin, Italy"));
        assert_eq!(at(&places, "192.0.2.1"), None);
        assert_eq!(at(&places, "2001:db8::1"), None, "the database knows IPv4 alone");
        std::fs::write(&file, database("", "Peru")).unwrap();
        assert_eq!(at(&places, "127.0.0.1").as_deref(), Some("Turin, Italy"));
        places.reload().unwrap();
        assert_eq!(at(&places, "127.0.0.1").as_deref(), Some("Peru"));
        std::fs::write(&file, "no database").unwrap();
        assert!(places.reload().is_err());
        assert_eq!(at(&places, "127.0.0.1").as_deref(), Some("Peru"));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_by_its_key_and_without_one_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none.mmdb");
        for _ in 0..2 {
            let refused = Places::open(Some(&file)).err().unwrap().to_string();
            assert!(refused.starts_with("geoip.database: ") && refused.contains("none.mmdb"), "{refused}");
            std::fs::write(&file, "no database").unwrap();
        }
        assert_eq!(at(&Places::open(None).unwrap(), "127.0.0.1"), None);
    }
}
