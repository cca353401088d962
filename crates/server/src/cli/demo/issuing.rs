//! The tokens: everybody signs in, and then the applications ask the token endpoint until there are enough.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::{
    browser::Browser,
    company::{Company, ORDERS, PAYROLL, Person},
    show::{count, duration, heading, many, note},
    web::{Admin, Application, Tokens, Web, granted, number},
};

const PHONE: &str = "phone";
const MACHINES: [&str; 2] = ["laptop", PHONE];
/// How many the service asks for at once.
const SERVICES: u32 = 32;
/// How many requests are under way at once.
const AT_ONCE: usize = 64;
/// A right password costs nothing, but while it is looked at it counts as an attempt, of which there are ten a minute.
const SIGN_INS_AT_ONCE: usize = 4;

/// What a person's application holds, by one sign-in.
pub(super) struct Held<'a> {
    pub(super) person: &'a Person,
    pub(super) application: &'a Application,
    tokens: Mutex<Tokens>,
}

impl<'a> Held<'a> {
    fn new(person: &'a Person, application: &'a Application, tokens: Tokens) -> Self {
        Self { person, application, tokens: Mutex::new(tokens) }
    }

    /// The access token that came last.
    pub(super) fn access(&self) -> String {
        self.tokens.lock().access.clone()
    }

    /// Uses the refresh token, and keeps what comes of it. Answers with the status.
    pub(super) async fn refresh(&self, web: &Web) -> anyhow::Result<u16> {
        let refresh = self.tokens.lock().refresh.clone().context("no refresh token was given")?;
        Ok(match web.refresh(self.application, &refresh).await? {
            Ok(tokens) => {
                *self.tokens.lock() = tokens;
                200
            }
            Err(why) => why.status,
        })
    }
}

/// A person's sign-in at one machine.
pub(super) struct SignedIn<'a> {
    pub(super) browser: Browser,
    pub(super) portal: Held<'a>,
    pub(super) desk: Held<'a>,
}

/// Everything that was handed out and is of use on the tour.
pub(super) struct Issued<'a> {
    /// For each person in the order of the company, one for each machine.
    sign_ins: Vec<SignedIn<'a>>,
    pub(super) service_orders: String,
    pub(super) service_payroll: String,
    tokens: u64,
    took: Duration,
}

impl<'a> Issued<'a> {
    /// The sign-in of the nth person at the first machine.
    pub(super) fn of(&self, nth: usize) -> anyhow::Result<&SignedIn<'a>> {
        self.sign_ins.get(nth * MACHINES.len()).context("there are too few people")
    }
}

/// Issues that many tokens, by the endpoints that anybody uses.
pub(super) async fn issue<'a>(web: &Web, company: &'a Company, tokens: u32) -> anyhow::Result<Issued<'a>> {
    heading("Signing in and issuing");
    let begun = Instant::now();
    let progress = Progress::new(tokens.into());
    let sign_ins = sign_in_everywhere(web, company, &progress).await?;
    let so_far = u32::try_from(progress.done()).unwrap_or(u32::MAX);
    let rest = tokens.saturating_sub(so_far);
    let of_service = (rest / 2).max(2);
    let held: Vec<&Held> = sign_ins.iter().flat_map(|one| [&one.portal, &one.desk]).collect();
    let (first_orders, first_payroll) = (Mutex::new(None), Mutex::new(None));
    let lanes = u32::try_from(held.len()).unwrap_or(u32::MAX);
    let refreshing = held.iter().zip(shares(rest.saturating_sub(of_service), lanes));
    let refreshing = refreshing.map(|(held, share)| refresh(web, held, share, &progress));
    let serving = shares(of_service, SERVICES.min(of_service)).enumerate().map(|(lane, share)| {
        let (api, first) = if lane % 2 == 0 { (ORDERS, &first_orders) } else { (PAYROLL, &first_payroll) };
        serve(web, company, api, share, first, &progress)
    });
    let lanes: Vec<BoxFuture<'_, anyhow::Result<()>>> = refreshing.chain(serving).collect();
    stream::iter(lanes).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    progress.finish();
    let tokens = progress.done();
    drop(held);
    Ok(Issued {
        sign_ins,
        service_orders: first_orders.into_inner().context("no token for Orders")?,
        service_payroll: first_payroll.into_inner().context("no token for Payroll")?,
        tokens,
        took: begun.elapsed(),
    })
}

/// A rotating refresh token is used by one at a time.
fn refresh<'a>(
    web: &'a Web,
    held: &'a Held<'_>,
    share: u32,
    progress: &'a Progress,
) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        for _ in 0..share {
            ensure!(held.refresh(web).await? == 200, "a refresh token was refused");
            progress.more();
        }
        Ok(())
    }
    .boxed()
}

fn serve<'a>(
    web: &'a Web,
    company: &'a Company,
    api: &'static str,
    share: u32,
    first: &'a Mutex<Option<String>>,
    progress: &'a Progress,
) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        for _ in 0..share {
            let tokens = granted(web.own_token(&company.reports, api).await?)?;
            first.lock().get_or_insert(tokens.access);
            progress.more();
        }
        Ok(())
    }
    .boxed()
}

async fn sign_in_everywhere<'a>(
    web: &Web,
    company: &'a Company,
    progress: &Progress,
) -> anyhow::Result<Vec<SignedIn<'a>>> {
    let places = company.people.iter().flat_map(|person| MACHINES.map(|machine| (person, machine)));
    let signing_in = places.map(|(person, machine)| {
        async move {
            // Not every phone is known to the server: on such a one, a session has no device.
            let browser = Browser::on(machine, (machine == PHONE).then(|| person.phone()));
            let portal = browser.use_application(web, &company.portal, person, &company.password).await?;
            progress.more();
            let desk = browser.use_application(web, &company.desk, person, &company.password).await?;
            progress.more();
            let (portal, desk) = (Held::new(person, &company.portal, portal), Held::new(person, &company.desk, desk));
            anyhow::Ok(SignedIn { browser, portal, desk })
        }
        .boxed()
    });
    let signing_in: Vec<BoxFuture<'_, _>> = signing_in.collect();
    stream::iter(signing_in).buffered(SIGN_INS_AT_ONCE).try_collect().await
}

/// Divides a number into equal parts, as nearly as can be.
fn shares(whole: u32, parts: u32) -> impl Iterator<Item = u32> {
    (0..parts).map(move |part| whole / parts + u32::from(part < whole % parts))
}

/// Says what there is now, as the server counts it.
pub(super) async fn report(admin: &Admin, issued: &Issued<'_>, by_default: bool) -> anyhow::Result<()> {
    let rate = issued.tokens as f64 / issued.took.as_secs_f64();
    let issued_in = format!("{} in {}, {rate:.0} a second", many(issued.tokens, "access token"), duration(issued.took));
    note(&format!("{issued_in}, each written to disk before it was handed out."));
    if by_default && cfg!(debug_assertions) {
        note("This is a debug build, which makes fewer; `cargo run --release -- demo` makes 10,000.");
    }
    let all = admin.get("/revocations/preview", &[("kind", "everything")]).await?;
    note(&format!(
        "Alive now, counted one by one: {}, {}, {}.",
        many(number(&all, "sessions")?, "session"),
        many(number(&all, "grants")?, "grant"),
        many(number(&all, "access_tokens")?, "access token"),
    ));
    Ok(())
}

/// A bar on a terminal, else a line now and then.
struct Progress {
    bar: Option<ProgressBar>,
    whole: u64,
    done: AtomicU64,
}

impl Progress {
    fn new(whole: u64) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(whole), ProgressDrawTarget::stdout());
            let style = ProgressStyle::with_template("  {bar:40} {human_pos:>6} of {human_len} tokens  {per_sec}");
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { bar, whole, done: AtomicU64::new(0) }
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn more(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if done.is_multiple_of((self.whole / 4).max(1)) => {
                note(&format!("{} of {} tokens", count(done), count(self.whole)));
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_make_up_the_whole() {
        assert_eq!(shares(10, 4).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(shares(2, 4).sum::<u32>(), 2);
        assert_eq!(shares(5, 0).count(), 0);
    }
}
