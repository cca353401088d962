//! The demo, as somebody sees it who runs it: the tour, what it says to try next, and that nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

mod screen;

use screen::{Demo, Screen, on_a_terminal, shell};

/// Few, so that a debug build is quick about it.
const FEW: [&str; 4] = ["--tokens", "150", "--users", "4"];

#[test]
fn the_tour_shows_what_is_refused_after_each_ending_and_what_is_not() {
    let mut demo = Demo::start(&[&FEW[..], &["--exit"]].concat());
    let screen = demo.finish();
    assert!(screen.text().contains("150 access tokens"), "{screen}");
    let counted = screen.section("Signing in and issuing");
    assert!(counted.contains("150 access tokens."), "the server counts what was issued: {screen}");

    let at_work = screen.section("A token at work");
    for answer in ["200: Ada Lovelace", "active: openid", "200: a new access token"] {
        assert!(at_work.contains(answer), "{answer} in {at_work}");
    }
    for (ending, expected) in [
        (
            "Revoke one token",
            &[
                ("Ada's leaked token", "userinfo", "200", "401"),
                ("Ada's leaked token", "introspection", "active", "inactive"),
                ("Ada's newer token", "userinfo", "200", "200"),
            ][..],
        ),
        (
            "Revoke one user",
            &[
                ("Grace, Staff portal", "userinfo", "200", "401"),
                ("Grace, Staff portal", "introspection", "active", "inactive"),
                ("Grace, Staff portal", "refresh", "200", "400"),
                ("Grace, Order desk", "refresh", "200", "400"),
                ("Grace's browser", "sign-in", "signed in", "signed out"),
                ("Alan, Staff portal", "userinfo", "200", "200"),
            ],
        ),
        (
            "Revoke one API",
            &[
                ("Alan, Order desk", "introspection", "active", "inactive"),
                ("Alan, Order desk", "refresh", "200", "400"),
                ("Nightly reports, for Orders", "introspection", "active", "inactive"),
                ("Nightly reports, for Payroll", "introspection", "active", "active"),
                ("Nightly reports, for Orders", "new token", "200", "200"),
            ],
        ),
    ] {
        let section = screen.section(ending);
        assert_eq!(screen::rows(&section), expected, "{section}");
        assert!(
            section.contains("Preview, what would end: 1 user") || section.contains("Preview, what would end: 3 users"),
            "{section}"
        );
        assert!(section.contains("what is left of it: nothing"), "{section}");
        assert!(section.contains("Time to effect "), "{section}");
        assert!(section.contains("of 100 requests after that, 0 were honoured"), "{section}");
    }
    assert_eq!(demo.left_behind(), 0, "the data directory is removed");
}

#[test]
fn every_command_it_prints_works_when_pasted_and_so_does_the_portal() {
    let mut demo = Demo::start(&FEW);
    let screen = demo.read_until("Ctrl-C");
    let commands = screen.commands();
    assert_eq!(commands.len(), 9, "{screen}");
    let portal = Portal::of(&screen);
    assert!(portal.sign_in().contains("200, Alan Turing"));

    let printed: Vec<String> = commands.iter().map(|command| shell(command, demo.home())).collect();
    let answer = |part: &str| {
        let place = commands.iter().position(|command| command.contains(part)).unwrap();
        printed.get(place).unwrap().clone()
    };
    assert!(answer("/userinfo").contains("Alan Turing") && answer("/userinfo").trim_end().ends_with("200"), "{screen}");
    let explained: Vec<&String> =
        commands.iter().zip(&printed).filter(|(one, _)| one.ends_with("explain")).map(|(_, said)| said).collect();
    assert_eq!(explained.len(), 2);
    assert!(!explained.first().unwrap().contains("token_leaked"), "{}", explained.first().unwrap());
    assert!(explained.last().unwrap().contains("token_leaked"), "{}", explained.last().unwrap());
    assert!(answer("sessions list").contains("active"), "{}", answer("sessions list"));
    assert!(answer("--preview").contains("access tokens"), "{}", answer("--preview"));
    assert!(answer("--reason").contains("revoked"), "{}", answer("--reason"));
    let on_the_phone = answer("phone-of-ada --preview");
    assert!(on_the_phone.lines().any(|line| line.contains("sessions") && line.contains('1')), "{on_the_phone}");
    assert!(answer("phone-of-ada --reason").contains("revoked"), "{}", answer("phone-of-ada --reason"));
    assert!(answer("revocations list").contains("left_company"), "{}", answer("revocations list"));

    let again = shell(commands.iter().find(|command| command.contains("/userinfo")).unwrap(), demo.home());
    assert!(again.trim_end().ends_with("401"), "after the revocation: {again}");
    assert!(portal.load().contains("userinfo says: 401"), "the portal sees it too");

    assert!(demo.interrupt(), "Ctrl-C ends it well");
    assert_eq!(demo.left_behind(), 0, "the data directory is removed");
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_the_issuing_is() {
    let sent = on_a_terminal("--tokens 150 --users 4 --exit");
    let bars: Vec<&str> = sent.split(['\r', '\n']).filter(|line| line.contains(" of 150 tokens")).collect();
    assert!(bars.len() >= 2, "the bar is drawn again and again:\n{sent}");
    assert!(bars.iter().all(|bar| bar.contains(['█', '░'])), "a bar, and not a line now and then: {bars:?}");
    let done = |bar: &str| {
        let words: Vec<&str> = bar.split_whitespace().collect();
        let place = words.windows(2).position(|pair| pair == ["of", "150"]).unwrap();
        words[place - 1].parse::<u32>().unwrap()
    };
    let (first, last) = (done(bars[0]), done(bars[bars.len() - 1]));
    assert!(first < last && last <= 150, "it moves: {bars:?}");
    assert!(sent.contains("150 access tokens in "), "and the tour goes on:\n{sent}");
}

#[test]
fn a_demo_that_is_interrupted_in_the_middle_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--tokens", "1000000"]);
    demo.read_until("Signing in and issuing");
    assert_eq!(demo.left_behind(), 1, "it is at work");
    assert!(demo.interrupt());
    assert_eq!(demo.left_behind(), 0);
}

/// The portal in a browser, which is curl with a cookie jar.
struct Portal {
    url: String,
    user: String,
    password: String,
    home: tempfile::TempDir,
}

impl Portal {
    fn of(screen: &Screen) -> Self {
        let next = screen.section("Try next");
        let url = next.lines().map(str::trim).find(|line| line.starts_with("http://")).unwrap().to_owned();
        let (_, credentials) = next.split_once("with the user name ").unwrap();
        let (user, rest) = credentials.split_once(" and the password ").unwrap();
        let password = rest.lines().next().unwrap();
        Self { url, user: user.to_owned(), password: password.to_owned(), home: tempfile::tempdir().unwrap() }
    }

    fn curl(&self, rest: &str) -> String {
        shell(&format!("curl -sfL -c jar -b jar {rest}"), self.home.path())
    }

    fn load(&self) -> String {
        self.curl(&self.url)
    }

    fn sign_in(&self) -> String {
        let page = self.load();
        assert!(page.contains("Staff portal"), "{page}");
        let field = |name: &str| {
            let (_, after) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            after.split_once('"').unwrap().0
        };
        let (_, action) = page.split_once("action=\"").unwrap();
        let action = action.split_once('"').unwrap().0;
        let (csrf, flow, user, password) = (field("csrf"), field("flow"), &self.user, &self.password);
        let issuer = shell(&format!("curl -s -o /dev/null -w '%{{redirect_url}}' {}", self.url), self.home.path());
        let (issuer, _) = issuer.split_once("/authorize").unwrap();
        let action = if action.starts_with('/') { format!("{issuer}{action}") } else { action.to_owned() };
        let fields = format!("-d csrf={csrf} -d flow={flow} -d username={user} --data-urlencode 'password={password}'");
        self.curl(&format!("{fields} {action}"))
    }
}
