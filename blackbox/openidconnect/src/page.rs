//! Finds the forms of an HTML page; knows just enough HTML for sign-in pages.

/// A tag's attributes by lower-case name.
#[derive(Default)]
pub(crate) struct Control(Vec<(String, String)>);

impl Control {
    /// The attribute's value, empty where the attribute stands without one.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// One form with its fields and submit buttons.
pub(crate) struct Form {
    pub(crate) attributes: Control,
    pub(crate) inputs: Vec<Control>,
    pub(crate) buttons: Vec<Control>,
}

impl Form {
    pub(crate) fn asks_password(&self) -> bool {
        self.inputs.iter().any(|input| input.find("type") == Some("password"))
    }
}

/// The form that asks for a password, else the first one.
pub(crate) fn main_form(html: &str) -> Option<Form> {
    let mut forms = forms(html);
    let at = forms.iter().position(Form::asks_password).unwrap_or(0);
    (at < forms.len()).then(|| forms.swap_remove(at))
}

/// The start of what a reader would see.
pub(crate) fn visible_text(html: &str) -> String {
    let mut text = String::new();
    each_part(html, |part| {
        if let Part::Text(words) = part {
            text.push_str(words);
            text.push(' ');
        }
    });
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

enum Part<'a> {
    Text(&'a str),
    Open(String, Control),
    Close(String),
}

fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    each_part(html, |part| match part {
        Part::Open(tag, attributes) if tag == "form" => {
            inside = true;
            forms.push(Form { attributes, inputs: Vec::new(), buttons: Vec::new() });
        }
        Part::Close(tag) if tag == "form" => inside = false,
        Part::Open(tag, control) if tag == "input" || tag == "button" => {
            let owner = match control.find("form") {
                Some(id) => forms.iter_mut().find(|form| form.attributes.find("id") == Some(id)),
                None => forms.last_mut().filter(|_| inside),
            };
            let kind = control.find("type").unwrap_or(if tag == "button" { "submit" } else { "text" }).to_owned();
            match (owner, kind.as_str()) {
                (Some(form), "submit") => form.buttons.push(control),
                (Some(form), _) if tag == "input" => form.inputs.push(control),
                _ => {}
            }
        }
        _ => {}
    });
    forms
}

fn each_part(html: &str, mut take: impl FnMut(Part<'_>)) {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (text, markup) = rest.split_at(start);
        take(Part::Text(text));
        if let Some(comment) = markup.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let end = tag_end(markup);
        let tag = markup.get(1..end).unwrap_or_default();
        rest = markup.get(end + 1..).unwrap_or_default();
        if let Some(name) = tag.strip_prefix('/') {
            take(Part::Close(name.trim().to_ascii_lowercase()));
            continue;
        }
        let name_end = tag.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(tag.len());
        let (name, attributes) = tag.split_at(name_end);
        let name = name.to_ascii_lowercase();
        if name == "script" || name == "style" {
            rest = rest.split_once("</").map_or("", |(_, after)| after).split_once('>').map_or("", |(_, after)| after);
        }
        take(Part::Open(name, parsed(attributes)));
    }
    take(Part::Text(rest));
}

/// Where the tag at the start of `markup` ends; a `>` inside quotes does not count.
fn tag_end(markup: &str) -> usize {
    let mut quote = None;
    for (at, c) in markup.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            _ => {}
        }
    }
    markup.len()
}

fn parsed(text: &str) -> Control {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '/').unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(value) => split_value(value.trim_start()),
            None => ("", after),
        };
        found.push((name.to_ascii_lowercase(), decoded(value)));
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == '/' || c == '=');
    }
    Control(found)
}

fn split_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn decoded(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        let reference = after.split_once(';').and_then(|(name, tail)| Some((character(name)?, tail)));
        rest = match reference {
            Some((c, tail)) => {
                result.push(c);
                tail
            }
            None => {
                result.push('&');
                after
            }
        };
    }
    result + rest
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
