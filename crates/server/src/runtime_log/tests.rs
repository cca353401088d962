use std::{
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use proptest::prelude::*;
use tempfile::TempDir;
use tower::ServiceExt;

use super::{
    daily_file::DailyFile,
    line::{Facts, LONGEST, masked, render, render_loss},
    *,
};
use crate::{
    app::{App, Opened},
    clock::Clock,
    config::from_toml,
    pace::Pace,
    peer::Peer,
};

/// 2027-01-15T08:00:00Z.
const BEGINNING: i64 = 1_800_000_000_000;
const DAY: i64 = 86_400_000;
const SRIS: &str = "/pf-ws/rest/sessionMgmt/revokedSris";
const SEVEN: [LogField; 7] = [
    LogField::Time,
    LogField::User,
    LogField::AuthMethod,
    LogField::ClientIp,
    LogField::HttpMethod,
    LogField::Endpoint,
    LogField::Status,
];

fn facts<'a>() -> Facts<'a> {
    Facts {
        at: Timestamp(BEGINNING),
        user: Some("help-desk"),
        auth_method: Some("client_secret_basic"),
        client_ip: Some(IpAddr::from([192, 0, 2, 7])),
        http_method: "POST",
        endpoint: SRIS,
        status: Some(201),
        duration: Duration::from_millis(3),
        response_bytes: Some(15),
        tls_version: Some("TLSv1.3"),
        headers: &[],
    }
}

#[test]
fn a_line_has_the_seven_fields_in_their_order() {
    let line = "2027-01-15T08:00:00.000Z| help-desk| client_secret_basic| 192.0.2.7| POST| \
                /pf-ws/rest/sessionMgmt/revokedSris| 201\n";
    assert_eq!(render(&SEVEN, &facts()), line);
    let claimed = Facts { user: Some("-"), auth_method: Some("-"), ..facts() };
    assert!(render(&SEVEN, &claimed).contains("Z| %2D| -| 192.0.2.7| "), "{}", render(&SEVEN, &claimed));
    let unknown = Facts { user: None, auth_method: None, client_ip: None, status: None, ..facts() };
    let line = "2027-01-15T08:00:00.000Z| -| -| -| POST| /pf-ws/rest/sessionMgmt/revokedSris| -\n";
    assert_eq!(render(&SEVEN, &unknown), line);
    let fields = [LogField::Status, LogField::DurationMs, LogField::ResponseBytes, LogField::TlsVersion];
    assert_eq!(render(&fields, &facts()), "201| 3| 15| TLSv1.3\n");
}

#[test]
fn what_could_forge_a_column_or_a_line_is_percent_encoded() {
    let agent = HeaderName::from_static("user-agent");
    let fields = [LogField::User, LogField::HttpMethod, LogField::Endpoint, LogField::RequestHeader(agent.clone())];
    let hostile = Facts {
        user: Some("a| 201\n2027\r\u{2028}\u{85}50%\u{202e}é\u{1b}[2J\0"),
        http_method: "GE|T",
        endpoint: "/a|b%7C%0A?c=|",
        headers: &[(agent, b"x\t\xff|".to_vec())],
        ..facts()
    };
    let line = render(&fields, &hostile);
    assert_eq!(
        line,
        "a%7C 201%0A2027%0D%E2%80%A8%C2%8550%25%E2%80%AE%C3%A9%1B[2J%00| GE%7CT| /a%7Cb%7C%0A?c=%7C| x%09%FF%7C\n"
    );
    assert!(render(&[LogField::User], &Facts { user: Some("-"), ..facts() }).starts_with("%2D"));
}

#[test]
fn a_long_field_is_cut_and_the_others_stay() {
    let (user, endpoint) = ("|".repeat(5_000), format!("/{}", "x".repeat(100_000)));
    let line = render(&SEVEN, &Facts { user: Some(&user), endpoint: &endpoint, ..facts() });
    let columns: Vec<&str> = line.trim_end().split(line::BETWEEN).collect();
    assert_eq!(columns.len(), 7);
    assert!(columns[1].ends_with("%7C...") && columns[1].len() <= LONGEST, "{}", columns[1]);
    assert!(columns[5].ends_with("x...") && columns[5].len() == LONGEST, "{}", columns[5].len());
    assert_eq!(columns[6], "201");
}

#[test]
fn values_of_secret_parameters_are_masked_wherever_they_stand() {
    for (written, shown) in [
        ("/a?client_secret=rsc_cs_1&x=2", "/a?client_secret=***&x=2"),
        ("/a?x=2&client_assertion=ey.ey.s", "/a?x=2&client_assertion=***"),
        ("/a?CLIENT_SECRET=a/b?c;d=e", "/a?CLIENT_SECRET=***"),
        ("/a?client%5Fsecret=x", "/a?client%5Fsecret=***"),
        ("/a?%63lient_secret%3Dx%26y", "/a?%63lient_secret%3D***"),
        ("/a/abc&client_secret=x&updateActivityTime=false", "/a/abc&client_secret=***&updateActivityTime=false"),
        ("/a?a=b;password=x", "/a?a=b;password=***"),
        ("/a?client_secret=x&client_secret=y", "/a?client_secret=***&client_secret=***"),
        ("/a?updateActivityTime=false&client_id=x", "/a?updateActivityTime=false&client_id=x"),
        ("/a?client_secret", "/a?client_secret"),
        ("/a?client_secrets=1%", "/a?client_secrets=1%"),
    ] {
        assert_eq!(String::from_utf8_lossy(&masked(written.as_bytes())), shown, "{written}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_field_make_one_line_of_the_same_columns(
        user in prop::option::of("\\PC{0,40}|[|\r\n %\u{2028}\u{2029}\u{85}\u{0}-]{0,20}"),
        http_method in "[!-~|]{1,12}|\\PC{0,4}",
        endpoint in "\\PC{0,200}|[|\r\n %&=?/\u{2028}]{0,40}",
        header in prop::collection::vec(any::<u8>(), 0..400),
        picked in prop::sample::subsequence(
            vec![
                LogField::Time, LogField::User, LogField::AuthMethod, LogField::ClientIp, LogField::HttpMethod,
                LogField::Endpoint, LogField::Status, LogField::DurationMs, LogField::ResponseBytes, LogField::TlsVersion,
                LogField::RequestHeader(HeaderName::from_static("user-agent")),
            ],
            1..=11,
        ),
        at in any::<i64>(),
    ) {
        let headers = [(HeaderName::from_static("user-agent"), header)];
        let facts = Facts {
            at: Timestamp(at), user: user.as_deref(), http_method: &http_method, endpoint: &endpoint, headers: &headers, ..facts()
        };
        let line = render(&picked, &facts);
        prop_assert!(line.ends_with('\n'));
        let inner = line.strip_suffix('\n').unwrap();
        prop_assert!(inner.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{inner:?}");
        prop_assert_eq!(inner.split(line::BETWEEN).count(), picked.len());
        prop_assert_eq!(inner.matches('|').count(), picked.len() - 1);
    }

    #[test]
    fn no_encoding_of_a_secrets_name_shows_its_value(
        encoded in prop::collection::vec(any::<bool>(), 13),
        upper in any::<bool>(),
        before in "[a-z0-9/;?.~-]{0,10}[/;?.~-]",
        value in "[0-9]{8}[!-%'-~]{0,10}",
    ) {
        let name = if upper { "CLIENT_SECRET" } else { "client_secret" };
        let write = |(byte, encode): (u8, &bool)| if *encode { format!("%{byte:02x}") } else { char::from(byte).to_string() };
        let name: String = name.bytes().zip(&encoded).map(write).collect();
        let shown = masked(format!("/{before}{name}={value}&rest=1").as_bytes()).into_owned();
        let shown = String::from_utf8(shown).unwrap();
        prop_assert!(shown.ends_with("=***&rest=1"), "{}", shown);
    }
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_default()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const LOG: &str = "runtime-api.log";
/// The day of `BEGINNING`, counted from 1970.
const FIRST: i64 = 20_833;

#[test]
fn another_day_begins_another_file_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("runtime-api.2027-01-15.log"), "kept\n").unwrap();
    let mut file = DailyFile::at(folder.path()).unwrap();
    file.append(FIRST, "one\n").unwrap();
    file.append(FIRST, "two\n").unwrap();
    file.append(FIRST + 1, "three\n").unwrap();
    file.append(FIRST, "overtaken\n").unwrap();
    file.append(FIRST + 3, "four\n").unwrap();
    assert_eq!(
        names(folder.path()),
        ["runtime-api.2027-01-15.1.log", "runtime-api.2027-01-15.log", "runtime-api.2027-01-16.log", LOG]
    );
    assert_eq!(read(folder.path(), "runtime-api.2027-01-15.log"), "kept\n");
    assert_eq!(read(folder.path(), "runtime-api.2027-01-15.1.log"), "one\ntwo\n");
    assert_eq!(read(folder.path(), "runtime-api.2027-01-16.log"), "three\novertaken\n");
    assert_eq!(read(folder.path(), LOG), "four\n");
}

#[test]
fn a_file_of_an_earlier_day_is_put_aside_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let current = folder.path().join(LOG);
    fs::write(&current, "before\n").unwrap();
    let then = std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(BEGINNING).unwrap());
    fs::File::open(&current).unwrap().set_modified(then).unwrap();
    let mut file = DailyFile::at(folder.path()).unwrap();
    file.append(FIRST, "same day\n").unwrap();
    assert_eq!(read(folder.path(), LOG), "before\nsame day\n");
    fs::File::open(&current).unwrap().set_modified(then).unwrap();
    let mut file = DailyFile::at(folder.path()).unwrap();
    file.append(FIRST + 1, "next day\n").unwrap();
    assert_eq!(read(folder.path(), "runtime-api.2027-01-15.log"), "before\nsame day\n");
    assert_eq!(read(folder.path(), LOG), "next day\n");
}

#[test]
fn a_line_that_was_cut_short_does_not_lead_into_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LOG), "whole\nhal").unwrap();
    let mut file = DailyFile::at(folder.path()).unwrap();
    // Whatever the day of that file is by the real clock, this one is not later.
    file.append(0, "next\n").unwrap();
    assert_eq!(read(folder.path(), LOG), "whole\nhal\nnext\n");
}

#[test]
fn a_file_moved_away_is_written_until_reopened_and_never_renamed_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = DailyFile::at(folder.path()).unwrap();
    file.append(FIRST, "one\n").unwrap();
    fs::rename(folder.path().join(LOG), folder.path().join("moved")).unwrap();
    file.append(FIRST, "two\n").unwrap();
    file.reopen().unwrap();
    file.append(FIRST, "three\n").unwrap();
    assert_eq!((read(folder.path(), "moved").as_str(), read(folder.path(), LOG).as_str()), ("one\ntwo\n", "three\n"));
    // Another day comes before the signal does.
    fs::rename(folder.path().join(LOG), folder.path().join("moved too")).unwrap();
    file.append(FIRST + 1, "four\n").unwrap();
    assert_eq!(names(folder.path()), ["moved", "moved too", LOG]);
    assert_eq!(read(folder.path(), LOG), "four\n");
    // And once more, where a file of somebody else's has the name by now.
    fs::rename(folder.path().join(LOG), folder.path().join("moved three")).unwrap();
    fs::write(folder.path().join(LOG), "made by another\n").unwrap();
    file.append(FIRST + 2, "five\n").unwrap();
    assert_eq!(names(folder.path()), ["moved", "moved three", "moved too", LOG]);
    assert_eq!(read(folder.path(), LOG), "made by another\nfive\n");
}

/// A server whose clock stands still, with a few routes in the layer.
struct House {
    app: Arc<App>,
    clock: Arc<AtomicI64>,
    folder: TempDir,
}

impl House {
    fn open(lines: &str) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), lines)
    }

    fn open_in(folder: TempDir, lines: &str) -> Self {
        let text = format!("data_dir = {:?}\n{lines}", folder.path().join("data"));
        let config = from_toml(&text, []).unwrap();
        let clock = Arc::new(AtomicI64::new(BEGINNING));
        let given = Clock::Manual(clock.clone());
        let opening = std::thread::spawn(|| Opened::open(config, given, Pace::Free).unwrap().start().unwrap().0);
        Self { app: opening.join().unwrap(), clock, folder }
    }

    fn router(&self) -> Router {
        let routes = Router::new()
            .route(SRIS, post(|| async { known(StatusCode::CREATED) }))
            .route(&format!("{SRIS}/{{sri}}"), get(|| async { StatusCode::NOT_FOUND }))
            .route(&format!("{SRIS}/never"), get(std::future::pending::<()>))
            .route(
                &format!("{SRIS}/panic"),
                get(|| async {
                    if true {
                        panic!("on purpose")
                    }
                }),
            );
        logged(&self.app, routes).with_state(self.app.clone())
    }

    async fn call(&self, method: &str, path: &str) -> StatusCode {
        self.router().oneshot(request(method, path)).await.unwrap().status()
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("data/log")
    }

    /// The lines of the current file, once everything is written.
    fn closed(&self) -> Vec<String> {
        self.app.runtime_log.close(Duration::from_secs(60));
        read(&self.directory(), LOG).lines().map(str::to_owned).collect()
    }
}

fn known(status: StatusCode) -> Response {
    let caller = LoggedCaller { name: "help-desk".to_owned(), method: "client_secret_basic" };
    let mut response = status.into_response();
    response.extensions_mut().insert(caller);
    response
}

fn request(method: &str, path: &str) -> Request<Body> {
    let peer = Peer {
        address: ([10, 0, 0, 1], 4000).into(),
        certificate: None,
        chain_verified: false,
        tls_version: Some("TLSv1.2"),
    };
    let request = Request::builder().method(method).uri(path).header("x-forwarded-for", "198.51.100.9, 203.0.113.5");
    request.header("user-agent", "a|b").extension(peer).body(Body::empty()).unwrap()
}

fn wait_until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn each_call_has_its_line_with_who_called_and_what_came_of_it() {
    let house = House::open("");
    assert_eq!(house.call("POST", &format!("{SRIS}?client_secret=x")).await, StatusCode::CREATED);
    assert_eq!(house.call("GET", &format!("{SRIS}/abc?updateActivityTime=false")).await, StatusCode::NOT_FOUND);
    assert_eq!(house.call("DELETE", SRIS).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        house.closed(),
        [
            format!(
                "2027-01-15T08:00:00.000Z| help-desk| client_secret_basic| 10.0.0.1| POST| {SRIS}?client_secret=***| 201"
            ),
            format!("2027-01-15T08:00:00.000Z| -| -| 10.0.0.1| GET| {SRIS}/abc?updateActivityTime=false| 404"),
            format!("2027-01-15T08:00:00.000Z| -| -| 10.0.0.1| DELETE| {SRIS}| 405"),
        ]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&house.directory()), 0o700);
    assert_eq!(mode(&house.directory().join(LOG)) & !0o640, 0, "more than the owner writes or the group reads");
}

#[tokio::test]
async fn the_client_is_the_one_before_a_trusted_proxy_and_extra_columns_are_filled() {
    let fields = "['client_ip', 'user_agent', 'request_header:X-Forwarded-For', 'request_header:X-None', 'tls_version', 'response_bytes']";
    let house = House::open(&format!("[proxy]\ntrusted = ['10.0.0.0/8']\n[runtime_api_log]\nfields = {fields}"));
    house.call("POST", SRIS).await;
    assert_eq!(house.closed(), ["203.0.113.5| a%7Cb| 198.51.100.9, 203.0.113.5| -| TLSv1.2| 0"]);
}

#[tokio::test]
async fn a_call_that_nobody_answers_has_its_line_too() {
    let house = House::open("[limits]\nrequest_secs = 1");
    let path = |name: &str| format!("{SRIS}/{name}");
    let pending = tokio::spawn(house.router().oneshot(request("GET", &path("panic"))));
    assert!(pending.await.unwrap_err().is_panic());
    let never = house.router().oneshot(request("GET", &path("never")));
    tokio::time::timeout(Duration::from_millis(20), never).await.unwrap_err();
    let never = house.router().oneshot(request("GET", &path("never?late")));
    tokio::time::timeout(house.app.config.limits.request, never).await.unwrap_err();
    let lines = house.closed();
    let endings: Vec<&str> = lines.iter().map(|line| line.rsplit('/').next().unwrap()).collect();
    assert_eq!(endings, ["panic| 500", "never| -", "never?late| 503"]);
}

#[tokio::test]
async fn the_level_decides_which_calls_are_logged() {
    for (level, expected) in [
        ("all", vec!["POST 201", "GET 404", "PUT 405", "GET -"]),
        ("changes", vec!["POST 201", "PUT 405"]),
        ("refused", vec!["PUT 405", "GET -"]),
    ] {
        let house = House::open(&format!("[runtime_api_log]\nlevel = '{level}'\nfields = ['http_method', 'status']"));
        house.call("POST", SRIS).await;
        house.call("GET", &format!("{SRIS}/abc")).await;
        house.call("PUT", SRIS).await;
        let never = house.router().oneshot(request("GET", &format!("{SRIS}/never")));
        tokio::time::timeout(Duration::from_millis(20), never).await.unwrap_err();
        assert_eq!(house.closed().iter().map(|line| line.replace("| ", " ")).collect::<Vec<_>>(), expected, "{level}");
    }
}

#[tokio::test]
async fn the_log_turns_at_midnight_by_the_servers_clock() {
    let house = House::open("");
    house.call("POST", SRIS).await;
    wait_until(|| read(&house.directory(), LOG).contains("08:00:00.000Z"));
    house.clock.fetch_add(DAY, Ordering::SeqCst);
    house.call("GET", &format!("{SRIS}/abc")).await;
    let today = house.closed();
    assert!(today.len() == 1 && today[0].starts_with("2027-01-16T08:00:00.000Z"), "{today:?}");
    let yesterday = read(&house.directory(), "runtime-api.2027-01-15.log");
    assert!(yesterday.lines().count() == 1 && yesterday.contains("POST"), "{yesterday}");
}

#[tokio::test]
async fn switched_off_it_writes_nothing_and_makes_no_directory() {
    let house = House::open("[runtime_api_log]\nenabled = false");
    assert_eq!(house.call("POST", SRIS).await, StatusCode::CREATED);
    house.app.runtime_log.reopen();
    house.app.runtime_log.close(Duration::from_secs(60));
    assert!(!house.directory().exists());
}

#[tokio::test]
async fn a_full_disk_stops_no_call_and_the_loss_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data/log");
    fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.join(LOG)).unwrap();
    let house = House::open_in(folder, "[runtime_api_log]\nfields = ['http_method', 'endpoint', 'status']");
    for _ in 0..3 {
        assert_eq!(house.call("POST", SRIS).await, StatusCode::CREATED);
    }
    wait_until(|| house.app.telemetry.render().contains("rescind_runtime_api_log_lines_lost_total 3"));
    // There is room again.
    fs::remove_file(directory.join(LOG)).unwrap();
    house.app.runtime_log.reopen();
    house.call("POST", SRIS).await;
    assert_eq!(house.closed(), ["LOST| 3| -".to_owned(), format!("POST| {SRIS}| 201")]);
}

#[test]
fn a_disk_that_stands_still_stops_no_call_and_no_shutdown() {
    // A pipe that nobody reads takes 64 KiB, and then nothing.
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join(LOG)).status().unwrap().success());
    let telemetry = crate::telemetry::Telemetry::default();
    let writer = Writer::start(folder.path(), vec![LogField::User], telemetry.runtime_log_lost.clone()).unwrap();
    let long = "x".repeat(LONGEST);
    for _ in 0..20_000 {
        writer.submit(Line { at: Timestamp(BEGINNING), text: format!("{long}\n") });
    }
    let shown = telemetry.render();
    let lost = shown.lines().find_map(|line| line.strip_prefix("rescind_runtime_api_log_lines_lost_total ")).unwrap();
    assert!(lost.parse::<u64>().unwrap() > 5_000, "{lost}");
    assert!(!writer.close(Duration::from_millis(50)), "not everything was written, and it says so");
}

#[test]
fn what_was_left_before_the_close_is_written() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let lost = crate::telemetry::Telemetry::default().runtime_log_lost;
        let writer = Writer::start(folder.path(), vec![LogField::User], lost).unwrap();
        for n in 0..3_000 {
            writer.submit(Line { at: Timestamp(BEGINNING), text: format!("{n}\n") });
        }
        assert!(writer.close(Duration::from_secs(60)));
        let expected: String = (0..3_000).map(|n| format!("{n}\n")).collect();
        assert_eq!(read(folder.path(), LOG), expected);
    }
}

#[test]
fn a_line_of_losses_looks_like_no_call() {
    assert_eq!(render_loss(&SEVEN, Timestamp(BEGINNING), 12), "2027-01-15T08:00:00.000Z| -| -| -| LOST| 12| -\n");
}

#[test]
fn a_directory_that_cannot_be_made_is_told_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let config = from_toml(&format!("[runtime_api_log]\ndirectory = {:?}", file.join("log")), []).unwrap();
    let lost = crate::telemetry::Telemetry::default().runtime_log_lost;
    let why = RuntimeLog::start(&config, lost).err().unwrap().to_string();
    assert!(why.starts_with("runtime_api_log.directory: cannot write to "), "{why}");
}
