//! Who and what there is: users, clients, APIs, devices.

use std::path::Path;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    arguments::{
        ApiCommand, ApiOptions, ClientCommand, ClientOptions, DeviceCommand, Globals, NamesArguments, Output,
        RegistrationTokenCommand, ScimTokenCommand, SwitchArguments, SwitchedNamesArguments, UserCommand,
    },
    confirm::ConfirmArguments,
    connection::{Connection, part},
    failure::Failure,
    input,
    issued::page_query,
    output,
};

/// The members of a request that were given.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// A list counts as given when something is in it.
    fn with_list(self, name: &str, values: &[String]) -> Self {
        let given = (!values.is_empty()).then(|| json!(values));
        self.with(name, given)
    }

    fn with_switch(self, switch: &SwitchArguments) -> Self {
        let enabled = if switch.enabled { Some(true) } else { switch.disabled.then_some(false) };
        self.with("enabled", enabled)
    }

    fn changes(self) -> Result<Value, Failure> {
        if self.0.is_empty() {
            return Err(Failure::usage("nothing to change was given"));
        }
        Ok(Value::Object(self.0))
    }
}

/// Sends a change that a guard may want confirmed.
async fn guarded(
    server: &Connection,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    body: Option<&Value>,
    confirm: &ConfirmArguments,
) -> Result<Value, Failure> {
    let send = async |phrase: Option<&str>| {
        let query = [query, &confirm.query(phrase)[..]].concat();
        server.send(method.clone(), path, &query, body).await
    };
    confirm.send(send).await
}

/// A list of what has a name.
struct Listing<'a> {
    path: &'a str,
    columns: &'a [&'a str],
    names: &'a NamesArguments,
    enabled: Option<bool>,
    role: Option<String>,
}

impl<'a> Listing<'a> {
    fn of(path: &'a str, columns: &'a [&'a str], names: &'a NamesArguments) -> Self {
        Self { path, columns, names, enabled: None, role: None }
    }

    fn of_switched(path: &'a str, columns: &'a [&'a str], wanted: &'a SwitchedNamesArguments) -> Self {
        let enabled = if wanted.enabled { Some(true) } else { wanted.disabled.then_some(false) };
        Self { enabled, ..Self::of(path, columns, &wanted.names) }
    }

    async fn show(&self, globals: &Globals, server: &Connection) -> Result<(), Failure> {
        let limit = self.names.page.limit.to_string();
        let mut query = page_query(&self.names.page, &limit);
        query.extend(self.names.search.as_deref().map(|search| ("search", search)));
        query.extend(self.names.sort.as_deref().map(|sort| ("sort", sort)));
        query.extend(self.role.as_deref().map(|role| ("role", role)));
        query.extend(self.enabled.map(|enabled| ("enabled", if enabled { "true" } else { "false" })));
        let answer = server.get(self.path, &query).await?;
        output::list(globals, &answer, self.columns);
        Ok(())
    }
}

pub(super) async fn user(globals: &Globals, server: &Connection, command: UserCommand) -> Result<(), Failure> {
    let answer = match command {
        UserCommand::Import(arguments) => return super::user_import::run(globals, server, arguments).await,
        UserCommand::Add { name, email, display_name, role, external_id, password } => {
            let password = input::new_password(&password)?;
            let body = Members::default()
                .with("user_name", Some(name))
                .with("email", email)
                .with("display_name", display_name)
                .with("role", role)
                .with("external_id", external_id)
                .with("password", Some(password.text.as_str()));
            password.told(server.post("/users", &Value::Object(body.0)).await?)
        }
        UserCommand::List { names, role } => {
            let columns = ["id", "user_name", "email", "display_name", "enabled", "role", "created_at"];
            let listing = Listing { role, ..Listing::of_switched("/users", &columns, &names) };
            return listing.show(globals, server).await;
        }
        UserCommand::Show { user } => server.get(&user_path(&user), &[]).await?,
        UserCommand::Enable { user } => change_user(server, &user, json!({ "enabled": true })).await?,
        UserCommand::Disable { user } => change_user(server, &user, json!({ "enabled": false })).await?,
        UserCommand::Rename { user, name } => change_user(server, &user, json!({ "user_name": name })).await?,
        UserCommand::Password { user, password } => {
            let password = input::new_password(&password)?;
            password.told(change_user(server, &user, json!({ "password": password.text.as_str() })).await?)
        }
        UserCommand::Set { user, switch, rename, email, display_name, role, external_id, password } => {
            let password = input::password(&password)?;
            let body = Members::default()
                .with_switch(&switch)
                .with("user_name", rename)
                .with("email", email)
                .with("display_name", display_name)
                .with("role", role.map(|role| if role == "none" { Value::Null } else { role.into() }))
                .with("external_id", external_id)
                .with("password", password.as_ref().map(|text| text.as_str()));
            change_user(server, &user, body.changes()?).await?
        }
        UserCommand::Remove { user } => server.send(Method::DELETE, &user_path(&user), &[], None).await?,
    };
    output::record(globals, &answer);
    Ok(())
}

fn user_path(user: &str) -> String {
    format!("/users/{}", part(user))
}

async fn change_user(server: &Connection, user: &str, body: Value) -> Result<Value, Failure> {
    server.send(Method::PATCH, &user_path(user), &[], Some(&body)).await
}

pub(super) async fn client(globals: &Globals, server: &Connection, command: ClientCommand) -> Result<(), Failure> {
    let answer = match command {
        ClientCommand::Add { name, id, options } => {
            let body = client_members(&options)?.with("name", Some(name)).with("id", id);
            server.post("/clients", &Value::Object(body.0)).await?
        }
        ClientCommand::List(wanted) => {
            let columns = ["id", "name", "auth_method", "grant_types", "scopes", "enabled", "created_at"];
            return Listing::of_switched("/clients", &columns, &wanted).show(globals, server).await;
        }
        ClientCommand::Show { client } => server.get(&format!("/clients/{}", part(&client)), &[]).await?,
        ClientCommand::Set { client, switch, name, options, confirm } => {
            let body = client_members(&options)?.with_switch(&switch).with("name", name).changes()?;
            guarded(server, Method::PATCH, &format!("/clients/{}", part(&client)), &[], Some(&body), &confirm).await?
        }
        ClientCommand::Secret { client } => {
            server.post(&format!("/clients/{}/secret", part(&client)), &json!({})).await?
        }
        ClientCommand::Remove { client, confirm } => {
            guarded(server, Method::DELETE, &format!("/clients/{}", part(&client)), &[], None, &confirm).await?
        }
    };
    output::record(globals, &answer);
    Ok(())
}

fn client_members(options: &ClientOptions) -> Result<Members, Failure> {
    let keys = options.jwks_file.as_deref().map(json_file).transpose()?;
    Ok(Members::default()
        .with_list("redirect_uris", &options.redirect_uris)
        .with_list("post_logout_redirect_uris", &options.post_logout_redirect_uris)
        .with_list("grant_types", &options.grant_types)
        .with_list("scopes", &options.scopes)
        .with_list("resources", &options.resources)
        .with("serves", options.serves.clone())
        .with("auth_method", options.auth_method.clone())
        .with("jwks", keys)
        .with("jwks_uri", options.jwks_uri.clone())
        .with("tls_client_auth_subject_dn", options.tls_subject_dn.clone())
        .with("tls_client_auth_san_dns", options.tls_san_dns.clone())
        .with("rotation", options.rotation.clone())
        .with("rotation_grace_secs", options.rotation_grace_secs)
        .with("refresh_binding", options.refresh_binding.clone())
        .with("session_revocation_api", options.session_revocation_api)
        .with("session_management_api", options.session_management_api)
        .with("first_party", options.first_party)
        .with("require_pushed_authorization_requests", options.require_par))
}

fn json_file(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

pub(super) async fn api(globals: &Globals, server: &Connection, command: ApiCommand) -> Result<(), Failure> {
    let answer = match command {
        ApiCommand::Add { audience, name, options, introspection_client } => {
            let body = api_members(&options)
                .with("name", Some(name.unwrap_or_else(|| audience.clone())))
                .with("audience", Some(audience))
                .with("introspection_client", introspection_client.then_some(true));
            server.post("/apis", &Value::Object(body.0)).await?
        }
        ApiCommand::List(wanted) => {
            let columns = ["audience", "name", "scopes", "token_format", "session_validation", "created_at"];
            return Listing::of("/apis", &columns, &wanted).show(globals, server).await;
        }
        ApiCommand::Show { audience } => server.get("/apis", &[("audience", &audience)]).await?,
        ApiCommand::Set { audience, name, options, confirm } => {
            let body = api_members(&options).with("name", name).changes()?;
            guarded(server, Method::PATCH, "/apis", &[("audience", &audience)], Some(&body), &confirm).await?
        }
        ApiCommand::Remove { audience, confirm } => {
            guarded(server, Method::DELETE, "/apis", &[("audience", &audience)], None, &confirm).await?
        }
    };
    if globals.output == Output::Json {
        output::json(&answer);
        return Ok(());
    }
    let client = answer.get("introspection_client");
    let own = answer.as_object().map(|members| {
        let others = members.iter().filter(|(name, _)| *name != "introspection_client");
        Value::Object(others.map(|(name, value)| (name.clone(), value.clone())).collect())
    });
    output::record(globals, own.as_ref().unwrap_or(&answer));
    if let Some(client) = client {
        println!("\nthe client by which it introspects");
        output::record(globals, client);
    }
    Ok(())
}

fn api_members(options: &ApiOptions) -> Members {
    Members::default()
        .with_list("scopes", &options.scopes)
        .with("token_format", options.token_format.clone())
        .with("access_token_secs", options.access_token_secs)
        .with("session_validation", session_validation(options))
}

/// The switches that are named, if there are any; the others stay as they are.
fn session_validation(options: &ApiOptions) -> Option<Value> {
    let members = Members::default()
        .with("include_session_id", options.include_session_id)
        .with("check_valid_authn_session", options.check_valid_authn_session)
        .with("check_session_revocation_status", options.check_session_revocation_status)
        .with("update_authn_session_activity", options.update_authn_session_activity);
    (!members.0.is_empty()).then_some(Value::Object(members.0))
}

pub(super) async fn device(globals: &Globals, server: &Connection, command: DeviceCommand) -> Result<(), Failure> {
    let answer = match command {
        DeviceCommand::Add { name, external_ids } => {
            let body = Members::default().with("name", Some(name)).with("external_ids", pairs(&external_ids)?);
            server.post("/devices", &Value::Object(body.0)).await?
        }
        DeviceCommand::List(wanted) => {
            let columns = ["id", "name", "external_ids", "enabled", "created_at"];
            return Listing::of_switched("/devices", &columns, &wanted).show(globals, server).await;
        }
        DeviceCommand::Show { device } => server.get(&format!("/devices/{}", part(&device)), &[]).await?,
        DeviceCommand::Set { device, switch, name, external_ids, confirm } => {
            let body = Members::default().with_switch(&switch).with("name", name);
            let body = body.with("external_ids", pairs(&external_ids)?).changes()?;
            guarded(server, Method::PATCH, &format!("/devices/{}", part(&device)), &[], Some(&body), &confirm).await?
        }
    };
    output::record(globals, &answer);
    Ok(())
}

fn pairs(written: &[String]) -> Result<Option<Value>, Failure> {
    let mut pairs = Vec::new();
    for text in written {
        let (kind, value) =
            text.split_once('=').ok_or_else(|| Failure::usage("--external-id is written KIND=VALUE"))?;
        pairs.push(json!({ "kind": kind, "value": value }));
    }
    Ok((!pairs.is_empty()).then_some(Value::Array(pairs)))
}

pub(super) async fn registration_token(
    globals: &Globals,
    server: &Connection,
    command: RegistrationTokenCommand,
) -> Result<(), Failure> {
    let RegistrationTokenCommand::New = command;
    let answer = server.post("/initial-access-tokens", &json!({})).await?;
    output::record(globals, &answer);
    Ok(())
}

pub(super) async fn scim_token(
    globals: &Globals,
    server: &Connection,
    command: ScimTokenCommand,
) -> Result<(), Failure> {
    let answer = match command {
        ScimTokenCommand::Issue { name, days } => {
            server.post("/scim-tokens", &json!({ "name": name, "days": days })).await?
        }
        ScimTokenCommand::List(page) => {
            let columns = ["id", "name", "created_at", "expires_at", "revoked"];
            let limit = page.limit.to_string();
            let answer = server.get("/scim-tokens", &page_query(&page, &limit)).await?;
            output::list(globals, &answer, &columns);
            return Ok(());
        }
        ScimTokenCommand::Remove { id } => {
            server.send(Method::DELETE, &format!("/scim-tokens/{}", part(&id)), &[], None).await?
        }
    };
    output::record(globals, &answer);
    Ok(())
}
