//! As much of Rust's lexical grammar as it takes to read paths: comments and literals are left out.

/// A piece of code that can matter to a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'a> {
    /// An identifier or keyword.
    Word(&'a str),
    /// `::`
    Colons,
    Open,
    Close,
    Comma,
    /// Any other mark or literal.
    Other,
}

/// The tokens of a text, in order.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, length) = next(rest);
        tokens.extend(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    tokens
}

/// The first token with its length in bytes; none for a comment.
fn next(rest: &str) -> (Option<Token<'_>>, usize) {
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, block_comment(rest));
    }
    if let Some(length) = literal(rest) {
        return (Some(Token::Other), length);
    }
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if word > 0 {
        return (Some(Token::Word(&rest[..word])), word);
    }
    if rest.starts_with("::") {
        return (Some(Token::Colons), 2);
    }
    let first = rest.chars().next().unwrap_or_default();
    let token = match first {
        '{' => Token::Open,
        '}' => Token::Close,
        ',' => Token::Comma,
        _ => Token::Other,
    };
    (Some(token), first.len_utf8())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut level, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (level, at) = (level + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (level, at) = (level - 1, at + 2);
            if level == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of the string or character literal that starts here.
fn literal(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| {
        let after = rest.strip_prefix(prefix).unwrap_or_default();
        let raw = prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"');
        raw || after.starts_with('"') || (*prefix == "b" && after.starts_with('\''))
    });
    let start = prefix.map_or(0, str::len);
    let body = &rest[start..];
    let length = if prefix.is_some_and(|prefix| prefix.ends_with('r')) {
        raw_string(body)
    } else if body.starts_with('"') {
        quoted(body, '"')
    } else if body.starts_with('\'') && is_character(body) {
        quoted(body, '\'')
    } else {
        return None;
    };
    Some(start + length)
}

fn raw_string(body: &str) -> usize {
    let hashes = body.len() - body.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 1;
    let found = body.get(inside..).and_then(|text| text.find(&end));
    found.map_or(body.len(), |at| inside + at + end.len())
}

/// `'a'` and `'\n'` are characters, `'a` alone is a lifetime.
fn is_character(body: &str) -> bool {
    let mut after = body.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) => true,
        (Some(_), second) => second == Some('\''),
        _ => false,
    }
}

fn quoted(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let words = tokens(text).into_iter().filter_map(|token| match token {
            Token::Word(word) => Some(word),
            _ => None,
        });
        words.collect()
    }

    #[test]
    fn marks_that_matter_are_kept_in_order() {
        use Token::{Close, Colons, Comma, Open, Other, Word};
        let expected = [Word("a"), Colons, Open, Word("b"), Comma, Word("c"), Close, Other];
        assert_eq!(tokens("a :: {b, c};"), expected);
    }

    #[test]
    fn what_is_inside_comments_and_literals_is_left_out() {
        let text = r####"a // x
            b /* x /* y */ x */ c "x \" y" d r#"x " y"# e b"x" f '"' g b'x' h '\'' i br"x\" j c"x" k"####;
        assert_eq!(words(text), ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]);
    }

    #[test]
    fn a_lifetime_is_no_literal_and_a_name_may_begin_like_a_prefix() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) bar r2 crate 'é' end"),
            ["fn", "f", "a", "x", "a", "str", "bar", "r2", "crate", "end"]
        );
    }

    #[test]
    fn an_open_end_ends_the_text() {
        for open in ["\"never closed", "/* never", "r##\"never\"#", "'\\", "b'", "'"] {
            let text = format!("a {open}");
            assert_eq!(words(&text)[0], "a", "{open}");
        }
    }
}
