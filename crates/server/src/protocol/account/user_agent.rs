//! What a browser calls itself, in words: "Firefox on Windows".
//!
//! The text is whatever the client likes to say, so it is shown and never believed.

/// The browsers by the mark in their user agent. Each also bears the marks of those below it (RFC 9110 section 10.1.5 has
/// no names, only habits), so the first that is found is the one.
const BROWSERS: [(&str, &str); 11] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems in the same way.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows NT", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// How much is shown of a text that says nothing known, in characters.
const SHOWN: usize = 60;

/// The browser and its system in words.
pub(super) fn in_words(user_agent: Option<&str>) -> String {
    let Some(text) = user_agent.map(str::trim).filter(|text| !text.is_empty()) else {
        return "Unknown browser".to_owned();
    };
    let find =
        |marks: &[(&str, &'static str)]| marks.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name);
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if text.chars().count() > SHOWN => text.chars().take(SHOWN - 1).chain(std::iter::once('…')).collect(),
        (None, _) => text.to_owned(),
    }
}

/// Whether it is held in a hand.
pub(super) fn is_handheld(user_agent: Option<&str>) -> bool {
    user_agent.is_some_and(|text| ["iPhone", "iPad", "Android"].iter().any(|mark| text.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_big_browsers_and_systems_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for (text, words) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Linux"),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/126.0 Safari/537.36 Edg/126.0"),
                "Edge on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {webkit} Chrome/126.0 Safari/537.36"),
                "Chrome on macOS",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (&format!("{iphone} Version/17.5 Mobile/15E148 Safari/604.1"), "Safari on iPhone"),
            (&format!("{iphone} CriOS/126.0 Mobile/15E148 Safari/604.1"), "Chrome on iPhone"),
            (&format!("{iphone} FxiOS/127.0 Mobile/15E148 Safari/605.1.15"), "Firefox on iPhone"),
            (
                &format!("Mozilla/5.0 (Linux; Android 14; Pixel 8) {webkit} Chrome/126.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                &format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {webkit} Chrome/126.0 Safari/537.36"),
                "Chrome on ChromeOS",
            ),
            ("Firefox/1", "Firefox"),
        ] {
            assert_eq!(in_words(Some(text)), words, "{text}");
        }
        assert!(is_handheld(Some(iphone)) && !is_handheld(Some("Windows NT")) && !is_handheld(None));
    }

    #[test]
    fn what_is_not_known_is_shown_as_it_is_but_not_at_any_length() {
        assert_eq!(in_words(Some("curl/8.5.0")), "curl/8.5.0");
        assert_eq!(in_words(Some("Something on Linux")), "Something on Linux");
        let long = in_words(Some(&"é".repeat(100)));
        assert!(long.chars().count() == SHOWN && long.ends_with('…'));
        for nothing in [None, Some(""), Some("  ")] {
            assert_eq!(in_words(nothing), "Unknown browser");
        }
    }
}
