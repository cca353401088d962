//! `rescind revoke`: ends access, or counts what would end.

use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{
    arguments::{Globals, Output, RevokeArguments, RevokeKind},
    confirm::ConfirmArguments,
    connection::Connection,
    failure::Failure,
    input, output,
};

/// A command that was found right, with what it reads from outside.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The target in the admin API's form.
    target: Map<String, Value>,
    /// The text of a token, if it is named so.
    token: Option<Zeroizing<String>>,
    body: Map<String, Value>,
    before: Option<String>,
    preview: bool,
    idempotency_key: Option<String>,
    confirm: ConfirmArguments,
}

impl Prepared {
    pub(super) fn read(order: &RevokeArguments) -> Result<Self, Failure> {
        let target = target(order)?;
        let by_text = order.kind == RevokeKind::Token && order.id.is_none();
        let token = if by_text { Some(input::token(order.file.as_deref())?) } else { None };
        let mut body = Map::new();
        body.insert("reason".to_owned(), json!(order.reason));
        if let Some(note) = &order.note {
            body.insert("note".to_owned(), json!(note));
        }
        let given = [("at", &order.at), ("before", &order.before), ("break_glass", &order.confirm.break_glass)];
        for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            body.insert(name.to_owned(), json!(value));
        }
        let (before, idempotency_key) = (order.before.clone(), order.idempotency_key.clone());
        let confirm = order.confirm.clone();
        Ok(Self { target, token, body, before, preview: order.preview, idempotency_key, confirm })
    }

    pub(super) async fn carry_out(mut self, globals: &Globals, server: &Connection) -> Result<(), Failure> {
        if self.preview {
            return self.show_preview(globals, server).await;
        }
        if let Some(token) = &self.token {
            self.target.insert("token".to_owned(), json!(token.as_str()));
        }
        self.body.insert("target".to_owned(), Value::Object(self.target));
        let (body, key) = (Value::Object(self.body), self.idempotency_key.as_deref());
        let send = async |phrase: Option<&str>| {
            let mut body = body.clone();
            if let Some(phrase) = phrase {
                body["confirm"] = json!(phrase);
            }
            server.send_keyed(Method::POST, "/revocations", &[], Some(&body), key).await
        };
        let answer = self.confirm.send(send).await?;
        if globals.output == Output::Json {
            output::json(&answer);
            return Ok(());
        }
        if let Some(pending) = answer.get("pending") {
            let waits = pending.get("state") == Some(&json!("waiting"));
            println!("{}", if waits { "waits for another administrator" } else { "scheduled" });
            output::record(globals, pending);
            return Ok(());
        }
        let fresh = answer.get("fresh") == Some(&json!(true));
        println!("{}", if fresh { "revoked" } else { "revoked already" });
        output::record(globals, &answer);
        Ok(())
    }

    async fn show_preview(mut self, globals: &Globals, server: &Connection) -> Result<(), Failure> {
        if let Some(token) = &self.token {
            self.target = named_by_text(server, token).await?;
        }
        let named = self.target.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let query: Vec<(&str, &str)> = named.chain(self.before.as_deref().map(|time| ("before", time))).collect();
        let answer = server.get("/revocations/preview", &query).await?;
        output::record(globals, &answer);
        Ok(())
    }
}

/// A preview is asked for in a URL, where the text of a token has no place: it is named by what it is instead.
async fn named_by_text(server: &Connection, token: &str) -> Result<Map<String, Value>, Failure> {
    let found = server.post("/explain", &json!({ "token": token })).await?;
    let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str);
    let (kind, id) = match text("/kind") {
        Some("access_token") => ("token", text("/record/id")),
        Some(_) => ("grant", text("/record/grant")),
        None => return Err(anyhow::anyhow!("no such token is known").into()),
    };
    let id = id.ok_or_else(|| anyhow::anyhow!("the server did not name the token"))?;
    let mut target = Map::new();
    target.insert("kind".to_owned(), json!(kind));
    target.insert(kind.to_owned(), json!(id));
    Ok(target)
}

/// The target in the admin API's form: its kind, and exactly the names that the kind takes.
fn target(order: &RevokeArguments) -> Result<Map<String, Value>, Failure> {
    use RevokeKind::{Api, Client, Device, Everything, Grant, Key, Session, Token, User};
    let member = match order.kind {
        Api => "api",
        Client => "client",
        Device => "device",
        Everything => "everything",
        Grant => "grant",
        Key => "key",
        Session => "session",
        Token => "token",
        User => "user",
    };
    let extra = match (order.kind, &order.client, &order.api) {
        (_, None, None) => None,
        (User | Device, Some(client), None) => Some(("client", client)),
        (User | Client, None, Some(api)) => Some(("api", api)),
        (_, Some(_), Some(_)) => return Err(Failure::usage("give --client or --api, not both")),
        (_, Some(_), None) => return Err(Failure::usage("--client goes with `user` and `device`")),
        (_, None, Some(_)) => return Err(Failure::usage("--api goes with `user` and `client`")),
    };
    check_id(order, member)?;
    if order.before.is_some() && matches!(order.kind, Grant | Key | Session | Token) {
        return Err(Failure::usage(format!("a {member} ends as a whole: it takes no --before")));
    }
    let mut target = Map::new();
    if let Some(id) = &order.id {
        target.insert(member.to_owned(), json!(id));
    }
    let kind = match extra {
        Some((other, value)) => {
            target.insert(other.to_owned(), json!(value));
            format!("{member}_{other}")
        }
        None => member.to_owned(),
    };
    target.insert("kind".to_owned(), json!(kind));
    Ok(target)
}

fn check_id(order: &RevokeArguments, member: &str) -> Result<(), Failure> {
    if order.id.as_deref() == Some("") {
        return Err(Failure::usage(format!("the name of the {member} is empty")));
    }
    match (order.kind, &order.id) {
        (RevokeKind::Everything, Some(_)) => Err(Failure::usage("`everything` takes no name")),
        (RevokeKind::Everything, None) if !order.yes && !order.preview => {
            Err(Failure::usage("this ends all access of everybody: add --yes, or --preview to see what it is"))
        }
        (RevokeKind::Everything, None) | (RevokeKind::Token, None) | (_, Some(_)) if order.file.is_none() => Ok(()),
        (RevokeKind::Token, None) => Ok(()),
        (_, None) => Err(Failure::usage(format!("name the {member} to revoke"))),
        (_, Some(_)) => Err(Failure::usage("--file holds the text of a token: `revoke token --file FILE`")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn targeted(line: &str) -> Option<Value> {
        let arguments = Arguments::try_parse_from(format!("rescind revoke {line}").split(' ')).ok()?;
        let Command::Revoke(order) = arguments.command else { return None };
        target(&order).ok().map(Value::Object)
    }

    #[test]
    fn names_combine_to_pairs() {
        assert_eq!(targeted("user alice"), Some(json!({"kind": "user", "user": "alice"})));
        assert_eq!(targeted("user a --client c"), Some(json!({"kind": "user_client", "user": "a", "client": "c"})));
        assert_eq!(targeted("user a --api x"), Some(json!({"kind": "user_api", "user": "a", "api": "x"})));
        assert_eq!(targeted("client c --api x"), Some(json!({"kind": "client_api", "client": "c", "api": "x"})));
        assert_eq!(
            targeted("device d --client c"),
            Some(json!({"kind": "device_client", "device": "d", "client": "c"}))
        );
        assert_eq!(targeted("everything --yes"), Some(json!({"kind": "everything"})));
        assert_eq!(targeted("token"), Some(json!({"kind": "token"})));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_before_anything_is_sent() {
        for wrong in [
            "everything",
            "everything alice --yes",
            "user",
            "user alice --client c --api x",
            "grant g --client c",
            "api x --api y",
            "session s --file f",
            "grant g --before 2026-01-31T12:00:00Z",
            "token --before 2026-01-31T12:00:00Z",
            "planet earth",
            "user alice --reason because",
        ] {
            assert_eq!(targeted(wrong), None, "{wrong}");
        }
    }
}
