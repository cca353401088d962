//! What operators look at: `/healthz`, `/readyz` and `/metrics`, as docs/operating.md has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, redirect::Policy};
use rescind::{cli::serve::run_server, config};
use rescind_ledger::Lane;
use serde_json::json;

use crate::{
    application::{Answer, Application},
    server::Server,
};

const OPERATING: &str = include_str!("../../../../docs/operating.md");

/// The table of the guide: each name with its kind and its labels.
fn documented() -> Result<BTreeMap<String, (String, Vec<String>)>> {
    let mut names = BTreeMap::new();
    for row in OPERATING.lines().filter(|line| line.starts_with("| `rescind_")) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let (named, kind) = (cells.next().context("no name")?, cells.next().context("no kind")?);
        for name in named.split(", ").map(|name| name.trim_matches('`')) {
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
            names.insert(name.to_owned(), (kind.to_owned(), labels.map(str::to_owned).collect()));
        }
    }
    ensure!(names.len() >= 11, "the guide's table was not found: {names:?}");
    Ok(names)
}

/// The page of metrics, read.
struct Metrics {
    text: String,
}

impl Metrics {
    async fn of(server: &Server) -> Result<Self> {
        let answer = Answer::of(server.http.get(format!("{}/metrics", server.issuer))).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Ok(Self { text: answer.text })
    }

    /// The value of one line; a counter that was never counted has none.
    fn value(&self, name: &str) -> f64 {
        let line = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap_or(f64::NAN))
    }

    /// Name and kind of everything there is.
    fn kinds(&self) -> BTreeMap<&str, &str> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        lines.filter_map(|line| line.split_once(' ')).collect()
    }

    /// The names of the labels of all lines of one name.
    fn labels(&self, name: &str) -> BTreeSet<&str> {
        let rests = self.text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        let labels = rests.filter_map(|rest| rest.split_once('}')).flat_map(|(labels, _)| labels.split(','));
        labels.filter_map(|label| label.split_once('=').map(|(name, _)| name)).collect()
    }
}

async fn status(url: &str) -> Result<(u16, Option<String>)> {
    // No connection is kept: what is asked is the server as it is now.
    let http = Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0).build()?;
    let answer = http.get(url).send().await?;
    let later = answer.headers().get("retry-after").map(|value| value.to_str().map(str::to_owned)).transpose()?;
    Ok((answer.status().as_u16(), later))
}

#[tokio::test]
async fn every_metric_of_the_guide_is_there_after_some_traffic_and_no_other() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "rotation": "each_use" })).await?;
    let tokens = app.sign_in().await?;
    app.refresh(&tokens.refresh).await?;
    assert_eq!(app.introspect(&tokens.access).await?.succeeds()["active"], true);
    app.sees_refresh_refused("rsc_rt_unknown").await?;
    let script = json!({ "name": "any", "source": "fn revoke(event) { allow() }" });
    server.administer(reqwest::Method::POST, "/scripts", &script).await?;
    assert_eq!(app.revoke(&tokens.access, None).await?.status, 200);
    app.sees_dead(&tokens.access).await?;
    let (seen, documented) = (Metrics::of(&server).await?, documented()?);
    let kinds = documented.iter().map(|(name, (kind, _))| (name.as_str(), kind.as_str()));
    assert_eq!(seen.kinds(), kinds.collect::<BTreeMap<_, _>>(), "{}", seen.text);
    for (name, (kind, labels)) in &documented {
        // A summary has its quantiles beside the labels that are told.
        if kind != "summary" {
            let labels: BTreeSet<_> = labels.iter().map(String::as_str).collect();
            assert_eq!(seen.labels(name), labels, "{name}");
        }
    }
    for secret in [&app.id, &tokens.access, &tokens.refresh] {
        assert!(!seen.text.contains(secret.as_str()), "no label holds a name or a token");
    }
    Ok(())
}

#[tokio::test]
async fn the_counters_move_by_one_with_each_issue_introspection_refusal_and_revocation() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "grant_types": ["client_credentials"], "redirect_uris": [] })).await?;
    let issue = async || app.post("/token", &[("grant_type", "client_credentials")]).await?.text("access_token");
    let token = issue().await?;
    let mut before = Metrics::of(&server).await?;
    let mut moved = async |names: &[&str]| -> Result<()> {
        let after = Metrics::of(&server).await?;
        for name in names {
            let by = after.value(name) - before.value(name);
            assert!((by - 1.0).abs() < 0.01, "{name} moved by {by}:\n{}", after.text);
        }
        before = after;
        Ok(())
    };
    issue().await?;
    moved(&[r#"rescind_tokens_issued_total{grant_type="client_credentials"}"#]).await?;
    app.introspect(&token).await?;
    moved(&[r#"rescind_introspections_total{active="true"}"#]).await?;
    app.post("/token", &[("grant_type", "password")]).await?.is_refused(400, "unsupported_grant_type");
    moved(&[r#"rescind_requests_refused_total{endpoint="token",error="unsupported_grant_type"}"#]).await?;
    app.revoke(&token, None).await?;
    moved(&[
        r#"rescind_revocations_total{target="grant",reason="user_request"}"#,
        "rescind_revoke_seconds_count",
        "rescind_index_entries",
        "rescind_ledger_head_seq",
    ])
    .await?;
    app.sees_inactive(&token).await?;
    moved(&[r#"rescind_introspections_total{active="false"}"#]).await?;
    let order = json!({ "target": { "kind": "client", "client": app.id }, "reason": "policy" });
    server.administer(reqwest::Method::POST, "/revocations", &order).await?;
    moved(&[
        r#"rescind_revocations_total{target="client",reason="policy"}"#,
        "rescind_revoke_seconds_count",
        "rescind_index_entries",
        "rescind_ledger_head_seq",
    ])
    .await
}

#[tokio::test]
async fn a_store_that_cannot_be_read_makes_the_server_unready_but_not_dead() -> Result<()> {
    let server = Server::start().await?;
    let at = |path: &str| format!("{}{path}", server.issuer);
    assert_eq!(status(&at("/readyz")).await?, (200, None));
    assert_eq!(status(&at("/healthz")).await?, (200, None));
    // The files stay as long as they are, since the log's index is mapped into the server.
    for name in ["rescind.db", "rescind.db-wal", "rescind.db-shm"] {
        let path = server.path("data").join(name);
        let length = usize::try_from(path.metadata()?.len())?;
        OpenOptions::new().write(true).open(&path)?.write_all(&vec![0xff; length])?;
    }
    assert_eq!(status(&at("/readyz")).await?, (503, Some("1".to_owned())), "{}", server.log());
    assert_eq!(status(&at("/healthz")).await?, (200, None), "a restart would not mend it");
    Ok(())
}

#[tokio::test]
async fn without_its_writer_the_server_is_unready_but_not_dead() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = format!("development = true\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n", folder.path().join("data"));
    let config = config::from_toml(&text, []).map_err(|why| anyhow::anyhow!("{why}"))?;
    let running = run_server(config).await?;
    let at = |path: &str| format!("http://{}{path}", running.address);
    assert_eq!(status(&at("/readyz")).await?, (200, None));
    let lost = running.app.queue.submit(Lane::Issuing, |_| -> Result<(), _> { panic!("the test ends the writer") });
    assert!(lost.await.is_err());
    assert_eq!(status(&at("/readyz")).await?, (503, Some("1".to_owned())));
    assert_eq!(status(&at("/healthz")).await?, (200, None));
    Ok(())
}
