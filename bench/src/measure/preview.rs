//! Previews of a user and of an application with a million tokens among ten million, and the first pages that an administrator
//! sees of such a user.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use rescind::app::{App, Opened};
use rescind::clock::Clock;
use rescind::pace::Pace;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::credentials::CROWDED;
use crate::measure::Bench;
use crate::reference::count::{Record, alive};
use crate::report::{Goal, Line, median};
use crate::seed::{self, application, grant_id, ordinary_user, token_id};
use crate::served::config;

/// How often each is asked for, after two times that do not count.
const SAMPLES: usize = 40;
const MILLION: u64 = 1_000_000;

/// Seconds.
#[derive(Clone, Copy)]
pub(super) struct Took {
    user: Spread,
    client: Spread,
    reference: Spread,
    page: f64,
    ordinary_page: f64,
}

#[derive(Clone, Copy)]
struct Spread {
    p50: f64,
    p95: f64,
}

impl Spread {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let p95 = times.get(times.len() * 95 / 100).copied().unwrap_or(f64::NAN);
        Self { p50: median(times), p95 }
    }
}

pub(super) fn user_p50(bench: &mut Bench) -> anyhow::Result<Line> {
    let took = bench.preview()?;
    line("preview_user_1m_p50", took.user.p50, took.reference.p50, None)
}

pub(super) fn user_p95(bench: &mut Bench) -> anyhow::Result<Line> {
    let took = bench.preview()?;
    line("preview_user_1m_p95", took.user.p95, took.reference.p95, Some(Goal::AtMost(1.0)))
}

pub(super) fn client_p50(bench: &mut Bench) -> anyhow::Result<Line> {
    let took = bench.preview()?;
    line("preview_client_1m_p50", took.client.p50, took.reference.p50, None)
}

pub(super) fn client_p95(bench: &mut Bench) -> anyhow::Result<Line> {
    let took = bench.preview()?;
    line("preview_client_1m_p95", took.client.p95, took.reference.p95, Some(Goal::AtMost(1.0)))
}

pub(super) fn page(bench: &mut Bench) -> anyhow::Result<Line> {
    let took = bench.preview()?;
    let (value, reference) = (took.page * 1000.0, Some(took.ordinary_page * 1000.0));
    Ok(Line { name: "user_page_1m", value, unit: "ms", reference, goal: Some(Goal::AtMost(20.0)) })
}

#[expect(clippy::unnecessary_wraps, reason = "as every measurement")]
fn line(name: &'static str, value: f64, reference: f64, goal: Option<Goal>) -> anyhow::Result<Line> {
    Ok(Line { name, value, unit: "s", reference: Some(reference), goal })
}

pub(super) fn measure(folder: &Path) -> anyhow::Result<Took> {
    seed::fill_crowd(folder)?;
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let took = runtime.block_on(all(&app))?;
    app.queue.close();
    drop(app);
    writer.join().map_err(|_| anyhow!("the writer panicked"))?;
    Ok(took)
}

async fn all(app: &std::sync::Arc<App>) -> anyhow::Result<Took> {
    let preview = |query: String| format!("/revocations/preview?{query}");
    let user = times(app, &[preview(format!("kind=user&user={CROWDED}"))], MILLION).await?;
    let client = times(app, &[preview(format!("kind=client&client={}", application(3)))], MILLION).await?;
    let pages = |user: &str| [format!("/users/{user}"), format!("/tokens?user={user}"), format!("/grants?user={user}")];
    let page = times(app, &pages(CROWDED), 0).await?;
    let ordinary_page = times(app, &pages(&ordinary_user()), 0).await?;
    Ok(Took {
        user: Spread::of(user),
        client: Spread::of(client),
        reference: reference()?,
        page: median(page),
        ordinary_page: median(ordinary_page),
    })
}

/// Asks for these pages of the admin API one after the other, and takes the time of all together.
async fn times(app: &std::sync::Arc<App>, paths: &[String], tokens: u64) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for sample in 0..SAMPLES + 2 {
        let begun = Instant::now();
        for path in paths {
            let shown = get(app, path).await?;
            let counted = shown.get("access_tokens").and_then(Value::as_u64);
            // Of the application's tokens, some of other users were ended one by one.
            ensure!(counted.is_none_or(|counted| counted > tokens * 98 / 100), "{path}: {shown}");
            ensure!(shown.get("exact").is_none_or(|exact| exact == true), "{path} is not exact");
        }
        if sample >= 2 {
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}

async fn get(app: &std::sync::Arc<App>, path: &str) -> anyhow::Result<Value> {
    let request = hyper::Request::get(format!("/admin/v1{path}")).body(Full::<Bytes>::default())?;
    let response = rescind::admin::local_router(app).oneshot(request).await?;
    ensure!(response.status().is_success(), "{path}: {}", response.status());
    Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
}

fn reference() -> anyhow::Result<Spread> {
    let records: Vec<Record> = (0..MILLION)
        .map(|number| Record {
            id: token_id(number),
            grant: grant_id(number / 10),
            client: application((number / 100) % 10),
            expires_at: 1,
        })
        .collect();
    let ended: HashSet<String> = (MILLION..MILLION + 100_000).map(token_id).collect();
    let times = (0..SAMPLES).map(|_| {
        let begun = Instant::now();
        let counted: u64 = alive(&records, &ended, 0).values().sum();
        (counted == MILLION).then(|| begun.elapsed().as_secs_f64())
    });
    Ok(Spread::of(times.collect::<Option<_>>().context("the reference miscounts")?))
}

impl Bench {
    fn preview(&mut self) -> anyhow::Result<Took> {
        self.servers = None;
        if let Some(took) = self.preview {
            return Ok(took);
        }
        let folder = self.scratch.path().join("crowd");
        let took = measure(&folder)?;
        std::fs::remove_dir_all(&folder)?;
        Ok(*self.preview.insert(took))
    }
}
