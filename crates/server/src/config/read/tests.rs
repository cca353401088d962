use super::{
    super::{LogField, written::KEYS},
    *,
};

fn read(text: &str, env: &[(&str, &str)]) -> Result<Config, Mistakes> {
    from_toml(text, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn mistakes(text: &str, env: &[(&str, &str)]) -> Vec<ConfigError> {
    read(text, env).map_or_else(|m| m.0, |_| Vec::new())
}

const EXAMPLE: &str = include_str!("../../../rescind.example.toml");

#[test]
fn the_example_file_is_the_defaults() {
    let example = read(EXAMPLE, &[]).unwrap();
    let defaults = read("", &[]).unwrap();
    assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
}

#[test]
fn the_example_file_names_every_key() {
    // Each line that is commented out only to keep a default is an assignment behind "# ".
    let open: Vec<String> = EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|l| l.starts_with('[') || l.contains(" = ")).unwrap_or(line).to_owned()
        })
        .collect();
    let table: toml::Table = open.join("\n").parse().unwrap();
    for key in KEYS {
        let mut found = None;
        for name in key.split('.') {
            found = found.map_or_else(|| table.get(name), |section: &toml::Value| section.get(name));
        }
        assert!(found.is_some_and(|value| !value.is_table()), "{key} is not in the example");
    }
}

#[test]
fn every_key_is_read() {
    // A date is right for none of them, so a key that nobody reads would go without a mistake.
    let variables: Vec<String> = KEYS.iter().map(|key| format!("{key} = 1979-05-27")).collect();
    let mistakes = mistakes(&variables.join("\n"), &[]);
    for key in KEYS {
        assert!(mistakes.iter().any(|m| m.key == key && m.why.starts_with("found 1979-05-27")), "{key}: {mistakes:?}");
    }
}

/// The text, the environment, the key, and words from the reason.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const MISTAKES: &[Case] = &[
    ("isuer = 'x'", &[], "isuer", "unknown; expected one of issuer"),
    ("[limits]\nheaders = 1", &[], "limits.headers", "expected one of header_bytes"),
    ("[limit]\nheader_bytes = 1", &[], "limit", "unknown"),
    ("limits = 3", &[], "limits", "expected a table"),
    ("issuer = ", &[], "configuration", "line 1"),
    ("\n\nissuer = 'a", &[], "configuration", "line 3"),
    ("", &[("RESCIND_ISUER", "x")], "RESCIND_ISUER", "unknown"),
    ("", &[("RESCIND_LIMITS_BODY_BYTES", "1")], "RESCIND_LIMITS_BODY_BYTES", "unknown"),
    ("", &[("RESCIND_LIMITS__BODY_BYTES", "many")], "limits.body_bytes", "\"many\" (from the environment)"),
    ("issuer = 'https://id.example/'", &[], "issuer", "no slash at the end"),
    ("issuer = 'https://id.example?x'", &[], "issuer", "no query"),
    ("issuer = 'https://id.example#x'", &[], "issuer", "no fragment"),
    ("issuer = 'https://ID.example'", &[], "issuer", "written as \"https://id.example\""),
    ("issuer = 'https://id.example:443'", &[], "issuer", "written as"),
    ("issuer = 'https://me@id.example'", &[], "issuer", "user name"),
    ("issuer = 'id.example'", &[], "issuer", "absolute"),
    ("issuer = 'ftp://id.example'", &[], "issuer", "https URL"),
    ("issuer = 'http://id.example'", &[], "issuer", "loopback hosts only"),
    ("issuer = ''", &[], "issuer", "not empty"),
    ("listen = '0.0.0.0:80'", &[], "issuer", "must be given"),
    ("listen = 'here'", &[], "listen", "address and port"),
    ("listen = '0.0.0.0:80'\nissuer = 'https://a.example'\ndevelopment = true", &[], "development", "loopback"),
    ("development = 'yes'", &[], "development", "true or false"),
    ("registration = 'open'", &[], "registration", "development = true"),
    ("registration = 'closed'", &[], "registration", "\"off\""),
    ("[lifetimes]\ncode_secs = 601", &[], "lifetimes.code_secs", "from 1 to 600"),
    ("[lifetimes]\ncode_secs = -1", &[], "lifetimes.code_secs", "found -1"),
    (
        "[lifetimes]\nsession_idle_secs = 700000",
        &[],
        "lifetimes.session_idle_secs",
        "session_max_secs, which is 604800",
    ),
    (
        "[lifetimes]\nrefresh_token_secs = 60",
        &[],
        "lifetimes.access_token_secs",
        "at most lifetimes.refresh_token_secs",
    ),
    ("[lifetimes]\nsession_max_secs = 'never'", &[], "lifetimes.session_max_secs", "found \"never\""),
    ("[lifetimes]\nsession_max_secs = -1", &[], "lifetimes.session_max_secs", "found -1"),
    (
        "[authentication_sources.password]\nsession_max_secs = 'never'",
        &[],
        "authentication_sources.password.session_max_secs",
        "from 1 to 31622400",
    ),
    (
        "[authentication_sources.password]\nsession_idle_secs = 700000",
        &[],
        "authentication_sources.password.session_idle_secs",
        "at most authentication_sources.password.session_max_secs, which is 604800",
    ),
    (
        "[authentication_sources.password]\nidle_secs = 1",
        &[],
        "authentication_sources.password.idle_secs",
        "one of session_idle_secs, session_max_secs",
    ),
    (
        "[authentication_sources.password]\nsession_max_secs = 1000000\n[lifetimes]\nsession_revocation_secs = 999999",
        &[],
        "lifetimes.session_revocation_secs",
        "which lasts 1000000",
    ),
    ("[sessions]\nuser_key = 'email'", &[], "sessions.user_key", "\"user_name\" or \"id\""),
    ("[sessions]\nuser_key = 'id'\nhash_user_key = true", &[], "sessions.hash_user_key", "only for user names"),
    ("[proxy]\ndevice_header = 'x-device'", &[], "proxy.trusted", "`proxy.device_header` needs a trusted peer"),
    ("[limits]\nheader_bytes = 100", &[], "limits.header_bytes", "from 8192"),
    ("[limits]\nconnections = 0", &[], "limits.connections", "from 1"),
    ("[tls]\ncertificate = 'a'", &[], "tls.key", "together"),
    ("[tls]\nkey = 'a'", &[], "tls.certificate", "together"),
    ("[tls]\nclient_ca = 'a'", &[], "tls.certificate", "needs our own TLS"),
    ("[proxy]\ntrusted = ['10.0.0.0/33']", &[], "proxy.trusted", "\"10.0.0.0/33\", expected an address range"),
    ("[proxy]\ntrusted = '10.0.0.0/8'", &[], "proxy.trusted", "a list"),
    ("[proxy]\nclient_certificate_header = 'x'", &[], "proxy.trusted", "needs a trusted peer"),
    ("[proxy]\nclient_certificate_verified = true", &[], "proxy.client_certificate_header", "needs it"),
    ("[egress]\nallow = ['nowhere']", &[], "egress.allow", "nowhere"),
    ("", &[("RESCIND_MASTER_KEY", "abc")], "RESCIND_MASTER_KEY", "64 hexadecimal digits"),
];

#[test]
fn one_mistake_is_reported_by_its_key_with_what_was_found_and_expected() {
    for (text, env, key, words) in MISTAKES {
        let found = mistakes(text, env);
        let [only] = found.as_slice() else { panic!("{text:?} {env:?}: {found:?}") };
        assert_eq!(only.key, *key, "{text:?} {env:?}");
        assert!(only.why.contains(words), "{text:?} {env:?}: {only:?}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_one_a_line() {
    let text = "issuer = 'id'\nlisten = 3\nnew = 1\n[limits]\nrequest_secs = 0\nbody_bytes = '1'";
    let shown = read(text, &[("RESCIND_X", "1")]).unwrap_err().to_string();
    let mut keys: Vec<&str> = shown.lines().map(|l| l.split_once(':').unwrap().0).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["RESCIND_X", "issuer", "limits.body_bytes", "limits.request_secs", "listen", "new"]);
}

#[test]
fn the_environment_overrides_the_file_at_every_depth() {
    let env = [
        ("RESCIND_ISSUER", "https://id.example"),
        ("RESCIND_DEVELOPMENT", "true"),
        ("RESCIND_LIMITS__BODY_BYTES", "2048"),
        ("RESCIND_PROXY__TRUSTED", "10.0.0.0/8, ::1"),
        ("RESCIND_LOG", "debug"),
        ("RESCIND_SHIM_ANYTHING", "1"),
        ("PATH", "/bin"),
    ];
    let config = read("issuer = 'https://other.example'\n[limits]\nbody_bytes = 4096", &env).unwrap();
    assert_eq!(config.issuer, "https://id.example");
    assert_eq!(config.limits.body_bytes, 2048);
    assert_eq!(config.proxy.trusted.len(), 2);
    assert_eq!(config.registration, Registration::Open);
}

#[test]
fn the_issuer_defaults_to_the_loopback_address_listened_on() {
    assert_eq!(read("listen = '[::1]:9'", &[]).unwrap().issuer, "http://[::1]:9");
    assert_eq!(read("[tls]\ncertificate = 'c'\nkey = 'k'", &[]).unwrap().issuer, "https://127.0.0.1:8080");
}

#[test]
fn a_plain_http_issuer_may_be_any_loopback_host_and_may_have_a_path() {
    for issuer in
        ["http://localhost:1", "http://127.9.9.9", "http://[::1]:8080", "http://a.localhost/x", "https://e.example/t/1"]
    {
        assert_eq!(read(&format!("issuer = '{issuer}'"), &[]).unwrap().issuer, issuer);
    }
}

#[test]
fn a_master_key_is_read_and_never_shown() {
    let key = "00ff".repeat(16);
    let config = read("", &[("RESCIND_MASTER_KEY", &key)]).unwrap();
    let Some(MasterKeySource::Value(value)) = &config.master_key else { panic!("{config:?}") };
    assert_eq!((value[0], value[31]), (0, 255));
    assert!(!format!("{config:?}").contains("255"));
    let wrong = format!("{}x", "ab12".repeat(16));
    let shown = read("", &[("RESCIND_MASTER_KEY", &wrong)]).unwrap_err().to_string();
    assert!(!shown.contains("ab12"), "{shown}");
    let both = mistakes("master_key_file = 'k'", &[("RESCIND_MASTER_KEY", &key)]);
    assert_eq!(both[0].key, "master_key_file");
}

#[test]
fn a_device_header_holds_ids_of_a_known_kind() {
    let found = mistakes("[proxy]\ndevice_id_kind = 'serial'", &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].key == "proxy.device_id_kind" && found[0].why.contains("one of mdm, udid,"), "{found:?}");
    let config = read("[proxy]\ndevice_id_kind = 'udid'", &[]).unwrap();
    assert_eq!((config.proxy.device_id_kind, Proxy::default().device_id_kind.name()), (ExternalIdKind::Udid, "mdm"));
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rescind.toml");
    let none = std::iter::empty();
    assert!(load(Some(&file), none.clone()).unwrap_err().to_string().contains("rescind.toml: cannot be read"));
    std::fs::write(&file, "cache_bytes = 2000000").unwrap();
    assert_eq!(load(Some(&file), none).unwrap().cache_bytes, 2_000_000);
}

#[test]
fn the_longest_lifetimes_fit_the_horizon() {
    let config = read("[lifetimes]\nconsent_secs = 158112000", &[]).unwrap();
    assert!(config.lifetimes.horizon() > config.lifetimes.consent);
}

#[test]
fn a_mistake_about_the_runtime_log_is_reported_by_its_key() {
    for (line, key, words) in [
        ("level = 'some'", "level", "\"changes\" or \"refused\""),
        ("enabled = 'no'", "enabled", "true or false"),
        ("directory = ''", "directory", "not empty"),
        ("fields = ['time', 'body']", "fields", "found \"body\", expected one of time"),
        ("fields = ['time', 'time']", "fields", "\"time\" twice"),
        ("fields = ['request_header:']", "fields", "request_header:<Name>"),
    ] {
        let found = mistakes(&format!("[runtime_api_log]\n{line}"), &[]);
        let [only] = found.as_slice() else { panic!("{line}: {found:?}") };
        assert_eq!(only.key, format!("runtime_api_log.{key}"));
        assert!(only.why.contains(words), "{only:?}");
    }
}

#[test]
fn the_columns_of_the_runtime_log_are_read_in_their_order() {
    let names =
        |fields: &str| read(&format!("[runtime_api_log]\nfields = {fields}"), &[]).unwrap().runtime_api_log.fields;
    let header = |name: &str| LogField::RequestHeader(name.parse().unwrap());
    let read = names(
        "['status', 'request_header:X-Request-Id', 'user_agent', 'duration_ms', 'tls_version', 'response_bytes']",
    );
    let (id, agent) = (header("x-request-id"), header("user-agent"));
    assert_eq!(
        read,
        [LogField::Status, id, agent, LogField::DurationMs, LogField::TlsVersion, LogField::ResponseBytes]
    );
    let seven = [
        LogField::Time,
        LogField::User,
        LogField::AuthMethod,
        LogField::ClientIp,
        LogField::HttpMethod,
        LogField::Endpoint,
        LogField::Status,
    ];
    assert_eq!(names("[]"), seven);
}

#[test]
fn a_header_that_may_carry_a_credential_is_refused_as_a_column_by_its_name() {
    for name in [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "DPoP",
        "X-API-Key",
        "X-Auth",
        "X-Access-Token",
        "X-Session-Id",
        "x-client-secret",
    ] {
        let found = mistakes(&format!("[runtime_api_log]\nfields = ['time', 'request_header:{name}']"), &[]);
        let [only] = found.as_slice() else { panic!("{name}: {found:?}") };
        assert_eq!(only.key, "runtime_api_log.fields");
        assert!(only.why.contains(&format!("{:?}", format!("request_header:{name}"))), "{only:?}");
        assert!(only.why.contains("never logged"), "{only:?}");
    }
}

#[test]
fn the_issuer_comes_apart_into_origin_and_path() {
    for (issuer, origin, path) in [
        ("https://id.example", "https://id.example", ""),
        ("https://id.example:8443/tenant/a", "https://id.example:8443", "/tenant/a"),
    ] {
        let config = read(&format!("issuer = {issuer:?}"), &[]).unwrap();
        assert_eq!((config.issuer_origin(), config.issuer_path()), (origin, path));
    }
}

#[test]
fn a_prefix_for_janssens_clients_is_checked_against_the_issuer() {
    let text = "issuer = \"https://id.example\"\njanssen.prefix = \"/jans-auth/restv1\"";
    assert_eq!(read(text, &[]).unwrap().janssen_prefix.unwrap().as_str(), "/jans-auth/restv1");
    let beside =
        mistakes("issuer = \"https://id.example/jans-auth/restv1\"\njanssen.prefix = \"/jans-auth/restv1\"", &[]);
    assert!(
        matches!(&beside[..], [one] if one.key == "janssen.prefix" && one.why.contains("the issuer's")),
        "{beside:?}"
    );
    let wrong = mistakes("", &[("RESCIND_JANSSEN__PREFIX", "/jans-auth/")]);
    assert!(
        matches!(&wrong[..], [one] if one.key == "janssen.prefix" && one.why.contains("two segments")),
        "{wrong:?}"
    );
}
