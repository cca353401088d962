//! What was issued and what ended: lists, explanations, revocations, keys.

use serde_json::{Value, json};

use super::{
    arguments::{
        FilterArguments, Globals, KeysCommand, Output, PageArguments, RevocationsCommand, RevocationsFilter,
        TokenArguments,
    },
    connection::{Connection, part},
    failure::Failure,
    input, output,
};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Grants,
    Sessions,
    Tokens,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Grants => "/grants",
            Self::Sessions => "/sessions",
            Self::Tokens => "/tokens",
        }
    }

    /// When one of them was made, by which they are sorted.
    fn made_at(self) -> &'static str {
        match self {
            Self::Grants | Self::Tokens => "issued_at",
            Self::Sessions => "started_at",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Grants => {
                &["id", "client", "user", "kind", "scope", "state", "issued_at", "last_issued_at", "expires_at"]
            }
            Self::Sessions => &["id", "user", "device", "ip", "state", "started_at", "touched_at", "expires_at"],
            Self::Tokens => {
                &["id", "client", "user", "kind", "scope", "audiences", "state", "last_issued_at", "expires_at"]
            }
        }
    }
}

/// The query of a page.
pub(super) fn page_query<'a>(page: &'a PageArguments, limit: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut query = vec![("limit", limit)];
    query.extend(page.cursor.as_deref().map(|cursor| ("cursor", cursor)));
    query
}

pub(super) async fn list(
    globals: &Globals,
    server: &Connection,
    kind: Kind,
    filter: &FilterArguments,
) -> Result<(), Failure> {
    let limit = filter.page.limit.to_string();
    let mut query = page_query(&filter.page, &limit);
    query.extend(filters(filter));
    query.extend(filter.oldest_first.then_some(("sort", kind.made_at())));
    let answer = server.get(kind.path(), &query).await?;
    output::list(globals, &answer, kind.columns());
    Ok(())
}

fn filters(filter: &FilterArguments) -> Vec<(&'static str, &str)> {
    let given = [
        ("user", &filter.user),
        ("client", &filter.client),
        ("api", &filter.api),
        ("session", &filter.session),
        ("grant", &filter.grant),
        ("device", &filter.device),
    ];
    let mut query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    query.extend(filter.all.then_some(("live", "false")));
    query.extend(filter.state.as_deref().map(|state| ("state", state)));
    query
}

pub(super) async fn explain(globals: &Globals, server: &Connection, token: &TokenArguments) -> Result<(), Failure> {
    let answer = server.post("/explain", &named(token)?).await?;
    if globals.output == Output::Json {
        output::json(&answer);
        return Ok(());
    }
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let alive = answer.get("alive") == Some(&json!(true));
    println!("{}: {}", if alive { "alive" } else { "dead" }, text("/why"));
    for line in [text("/hint"), text("/fault")].into_iter().filter(|line| !line.is_empty()) {
        println!("{line}");
    }
    if let Some(record) = answer.get("record") {
        println!("\n{}", text("/kind").replace('_', " "));
        output::record(globals, record);
    }
    for entry in answer.get("revoked_by").and_then(Value::as_array).into_iter().flatten() {
        println!("\nrevoked by");
        output::record(globals, entry);
    }
    Ok(())
}

pub(super) async fn introspect(globals: &Globals, server: &Connection, token: &TokenArguments) -> Result<(), Failure> {
    let answer = server.post("/introspect", &named(token)?).await?;
    output::record(globals, &answer);
    Ok(())
}

/// The body that names a token, by id or by text.
fn named(token: &TokenArguments) -> Result<Value, Failure> {
    Ok(match &token.id {
        Some(id) => json!({ "token": id }),
        None => json!({ "token": input::token(token.file.as_deref())?.as_str() }),
    })
}

pub(super) async fn revocations(
    globals: &Globals,
    server: &Connection,
    command: RevocationsCommand,
) -> Result<(), Failure> {
    match command {
        RevocationsCommand::List(filter) => {
            let answer = matching(server, &filter).await?;
            output::list(globals, &answer, &["position", "time", "target", "before", "reason", "initiator", "note"]);
        }
        RevocationsCommand::Show { position } => {
            let answer = server.get(&format!("/revocations/{}", part(&position)), &[]).await?;
            output::record(globals, &answer);
        }
        RevocationsCommand::Pending { id: Some(id), .. } => {
            let answer = server.get(&format!("/pending-revocations/{}", part(&id)), &[]).await?;
            output::record(globals, &answer);
        }
        RevocationsCommand::Pending { id: None, state, page } => {
            let limit = page.limit.to_string();
            let mut query = page_query(&page, &limit);
            query.extend(state.iter().map(|state| ("state", state.as_str())));
            let answer = server.get("/pending-revocations", &query).await?;
            let columns = ["id", "state", "target", "reason", "at", "expires_at", "ordered_by", "ordered_at"];
            output::list(globals, &answer, &columns);
        }
        RevocationsCommand::Approve { id } => {
            let path = format!("/pending-revocations/{}/approve", part(&id));
            output::record(globals, &server.post(&path, &json!({})).await?);
        }
        RevocationsCommand::Withdraw { id } => {
            let path = format!("/pending-revocations/{}/withdraw", part(&id));
            output::record(globals, &server.post(&path, &json!({})).await?);
        }
    }
    Ok(())
}

/// The server looks at so many revocations a call; what is rare may take several.
async fn matching(server: &Connection, filter: &RevocationsFilter) -> Result<Value, Failure> {
    let given = [
        ("kind", &filter.kind),
        ("reason", &filter.reason),
        ("initiator", &filter.initiator),
        ("since", &filter.since),
        ("until", &filter.until),
    ];
    let given: Vec<(&str, &str)> = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let wanted = usize::try_from(filter.page.limit).unwrap_or(usize::MAX);
    let (mut items, mut next) = (Vec::new(), filter.page.cursor.clone());
    loop {
        let limit = (wanted - items.len()).to_string();
        let mut query = given.clone();
        query.push(("limit", &limit));
        query.extend(next.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = server.get("/revocations", &query).await?;
        items.extend(answer["items"].as_array().into_iter().flatten().cloned());
        next = answer["next"].as_str().map(str::to_owned);
        if next.is_none() || items.len() >= wanted {
            return Ok(json!({ "items": items, "next": next }));
        }
    }
}

pub(super) async fn receivers(globals: &Globals, server: &Connection, page: &PageArguments) -> Result<(), Failure> {
    let limit = page.limit.to_string();
    let answer = server.get("/receivers", &page_query(page, &limit)).await?;
    output::list(globals, &answer, &["name", "kind", "health", "pending", "gave_up", "last_at", "last_error"]);
    Ok(())
}

pub(super) async fn keys(globals: &Globals, server: &Connection, command: KeysCommand) -> Result<(), Failure> {
    let answer = match command {
        KeysCommand::List => server.get("/keys", &[]).await?,
        KeysCommand::Rotate => server.post("/keys", &json!({})).await?,
    };
    output::list(globals, &answer, &["kid", "alg", "made_at", "signing", "published"]);
    Ok(())
}

pub(super) async fn overview(globals: &Globals, server: &Connection) -> Result<(), Failure> {
    output::record(globals, &server.get("/overview", &[]).await?);
    Ok(())
}

pub(super) async fn status(globals: &Globals, server: &Connection) -> Result<(), Failure> {
    let answer = server.get("/status", &[]).await?;
    output::record(globals, &answer);
    Ok(())
}
