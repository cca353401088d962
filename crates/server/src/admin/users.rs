//! Users: the local accounts behind subjects.

use axum::response::Response;
use rescind_ledger::{Ended, Lane, NameFilter, Reads, Role, UnknownRole, User, UserChange};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, Query, created, ok},
    names::{self, Names},
    problem::Problem,
    target::load_user,
};
use crate::{
    app::App,
    clock::fresh_id,
    openapi::{
        Description,
        shape::{Members, Shape, flag, inline, maybe, moment, object, one_of, position, text},
    },
    password, user_name,
};

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "user_name": "grace", "display_name": "Grace Hopper", "password": "a long enough password" })))]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    #[schema(min_length = 1, max_length = 256)]
    user_name: String,
    email: Option<String>,
    display_name: Option<String>,
    password: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[schema(schema_with = roles)]
    role: Option<String>,
    external_id: Option<String>,
}

/// An absent member leaves things as they are; `null` removes what may be absent.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "email": "ada@example.org" })))]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedUser {
    #[schema(min_length = 1, max_length = 256)]
    user_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    password: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = roles)]
    role: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
}

fn roles() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    inline(maybe(one_of(&Role::ALL.map(Role::name))))
}

fn read_role(word: &str) -> Result<Role, Problem> {
    word.parse().map_err(|why: UnknownRole| Problem::invalid(why.to_string()))
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn yes() -> bool {
    true
}

pub(super) async fn add(call: Call) -> Result<Response, Problem> {
    let new: NewUser = call.body()?;
    check_user_name(&new.user_name)?;
    let role = new.role.as_deref().map(read_role).transpose()?;
    let user = User {
        email: new.email,
        display_name: new.display_name,
        password_hash: hash(new.password).await?,
        enabled: new.enabled,
        role,
        external_id: new.external_id,
        // The id is never chosen by people, and so never reused: it is the subject of tokens.
        ..User::new(fresh_id("u_"), new.user_name, call.app.now())
    };
    let shown = show_user(&user);
    call.app.submit(Lane::Issuing, move |door| door.add_user(&user)).await?;
    Ok(created(&shown))
}

/// By what users are sorted.
const SORTS: [&str; 2] = ["user_name", "created_at"];

pub(super) fn describe_list(it: Description) -> Description {
    let roles = [Role::ALL.map(Role::name).as_slice(), &[ANY_ROLE]].concat();
    let it = it.query("role", one_of(&roles), "Only those with this role, or with any.");
    names::describe(it, shown(), &SORTS, true)
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&[names::PARAMETERS.as_slice(), &["role"]].concat())?;
    let filter = names::filter(query, &SORTS)?;
    if let Some(role) = query.find("role") {
        return with_role(&call.app, query, &filter, role).await;
    }
    let page = call.app.records.store.users(&filter, query.find("cursor"), query.limit()?).await?;
    Ok(ok(&json!({ "items": page.items.iter().map(show_user).collect::<Vec<_>>(), "next": page.next })))
}

/// Stands for every role in a listing.
const ANY_ROLE: &str = "any";

/// Those who administer this server are few, and known without asking the store.
async fn with_role(app: &App, query: Query<'_>, filter: &NameFilter, wanted: &str) -> Result<Response, Problem> {
    let wanted = if wanted == ANY_ROLE { None } else { Some(read_role(wanted)?) };
    let roles = app.live.look(|_, configuration| configuration.roles.clone());
    let mut users = Vec::new();
    for (id, _) in roles.into_iter().filter(|(_, role)| wanted.is_none_or(|wanted| *role == wanted)) {
        users.extend(app.records.store.find_user(&id).await?);
    }
    users.retain(|user: &User| filter.enabled.is_none_or(|enabled| user.enabled == enabled));
    let page = names::page(
        &users,
        query,
        filter,
        |user| Names { id: &user.id, name: &user.user_name, created_at: user.created_at },
        show_user,
    );
    Ok(ok(&page?))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    Ok(ok(&show_user(&load_user(&call.app, call.id()?).await?)))
}

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    let changed: ChangedUser = call.body()?;
    if let Some(name) = &changed.user_name {
        check_user_name(name)?;
    }
    let role = match changed.role {
        Some(Some(word)) => Some(Some(read_role(&word)?)),
        Some(None) => Some(None),
        None => None,
    };
    let id = load_user(&call.app, call.id()?).await?.id;
    let change = UserChange {
        user_name: changed.user_name,
        email: changed.email,
        display_name: changed.display_name,
        password_hash: hash(changed.password).await?,
        enabled: changed.enabled,
        role,
        external_id: changed.external_id,
    };
    let (user, initiator) = (id.clone(), call.initiator.clone());
    // An ending may hang on it, and endings go first.
    let ended = call.app.submit(Lane::Ending, move |door| door.change_user(&user, &change, &initiator)).await?;
    let mut shown = show_user(&load_user(&call.app, &id).await?);
    show_ended(&mut shown, ended);
    Ok(ok(&shown))
}

pub(super) async fn remove(call: Call) -> Result<Response, Problem> {
    let user = load_user(&call.app, call.id()?).await?;
    let (id, initiator) = (user.id.clone(), call.initiator.clone());
    let ended = call.app.submit(Lane::Ending, move |door| door.delete_user(&id, &initiator)).await?;
    let mut shown = json!({ "id": user.id, "removed": true });
    show_ended(&mut shown, Some(ended));
    Ok(ok(&shown))
}

/// Everything about a user but the password.
fn show_user(user: &User) -> Value {
    json!({
        "id": user.id,
        "user_name": user.user_name,
        "email": user.email,
        "display_name": user.display_name,
        "has_password": user.password_hash.is_some(),
        "enabled": user.enabled,
        "role": user.role,
        "external_id": user.external_id,
        "created_at": user.created_at,
    })
}

/// What [`show_user`] writes, and after a change [`show_ended`].
pub(super) fn shown() -> Shape {
    let user = object().with("id", text()).with("user_name", text()).with("email", maybe(text()));
    let user = user.with("display_name", maybe(text())).with("has_password", flag()).with("enabled", flag());
    let user = user.with("role", maybe(one_of(&Role::ALL.map(Role::name)))).with("external_id", maybe(text()));
    may_have_ended(user.with("created_at", moment())).named("User")
}

/// What [`show_ended`] adds.
pub(super) fn may_have_ended(members: Members) -> Members {
    members.may("ended", object().with("position", position()).with("fresh", flag()).open())
}

/// What is shown of something that was removed.
pub(super) fn removed(name: &str) -> Shape {
    may_have_ended(object().with(name, text()).with("removed", flag())).open()
}

/// Says which entry a change brought with it, if it ended something.
pub(super) fn show_ended(shown: &mut Value, ended: Option<Ended>) {
    if let (Some(object), Some(ended)) = (shown.as_object_mut(), ended) {
        object.insert("ended".to_owned(), json!({ "position": ended.position.to_string(), "fresh": ended.fresh }));
    }
}

/// Hashing is slow on purpose, so it runs where it holds nobody up.
async fn hash(password: Option<String>) -> Result<Option<String>, Problem> {
    let Some(password) = password else { return Ok(None) };
    let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await;
    let hashed = hashed.map_err(|_| Problem::internal())?;
    hashed.map(Some).map_err(|why| Problem::refused(why.to_string()))
}

fn check_user_name(name: &str) -> Result<(), Problem> {
    user_name::check(name).map_err(Problem::refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_removes_and_absence_keeps() {
        let change: ChangedUser = serde_json::from_str(r#"{"email":null}"#).unwrap();
        assert_eq!((change.email, change.display_name), (Some(None), None));
        assert!(serde_json::from_str::<ChangedUser>(r#"{"enable":false}"#).is_err());
    }
}
