//! Users: made, shown, changed and removed by a provisioning system. What restricts an account ends what it holds, in the same
//! transaction, by the rules that hold for every other way to change it.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{Door, Lane, LedgerError, Reads, User};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    call::{Call, answered},
    error::{ScimError, answer},
    patch::Patch,
    resource::{Shown, location, whole},
    wanted::Wanted,
};
use crate::{app::App, clock::fresh_id, password};

/// `POST /Users` (RFC 7644 section 3.3).
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let shown = shown(&call)?;
        let mut wanted = Wanted::read(&call.body()?)?;
        let password_hash = match wanted.password.take() {
            Some(password) => Some(hash(&password).await?),
            None => None,
        };
        // The id is never chosen by people, and so never reused: it is the subject of tokens.
        let user = wanted.fresh(User::new(fresh_id("u_"), "", call.app.now()), password_hash);
        let (made, record) = (user.clone(), call.record());
        call.app
            .submit(Lane::Issuing, move |door| {
                door.add_user(&made)?;
                record.write(door, &made.id)
            })
            .await?;
        let place = HeaderValue::from_str(&location(&call.app, &user.id)).map_err(|_| ScimError::internal())?;
        let mut response = show(&call, &user, &shown, StatusCode::CREATED);
        response.headers_mut().insert(header::LOCATION, place);
        Ok(response)
    })
    .await
}

/// `GET /Users/{id}` (section 3.4.1).
pub(super) async fn read(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let shown = shown(&call)?;
        call.record_read().await?;
        Ok(show(&call, &load(&call.app, &id).await?, &shown, StatusCode::OK))
    })
    .await
}

/// `PUT /Users/{id}` (section 3.5.1). What is left out is removed, but an account stays enabled or disabled, and a password.
pub(super) async fn replace(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let body = call.body()?;
        change(&call, id, move |_| Wanted::read(&body)).await
    })
    .await
}

/// `PATCH /Users/{id}` (section 3.5.2): all of it, or nothing.
pub(super) async fn patch(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let patch = Patch::read(&call.body()?)?;
        change(&call, id, move |mut resource| {
            patch.apply(&mut resource)?;
            Wanted::read(&resource)
        })
        .await
    })
    .await
}

/// `DELETE /Users/{id}` (section 3.6).
pub(super) async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let (initiator, record) = (call.initiator.clone(), call.record());
        let removed = call.app.submit(Lane::Ending, {
            let id = id.clone();
            move |door| {
                if door.find_user(&id)?.is_none() {
                    return Ok(false);
                }
                record.write(door, &id)?;
                door.delete_user(&id, &initiator)?;
                Ok(true)
            }
        });
        if removed.await? { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(ScimError::not_found(&id)) }
    })
    .await
}

/// Makes a user what they are wanted to be. That is worked out twice: beforehand, to hash a password where that holds nobody up,
/// and again on what is there in the transaction.
async fn change<W>(call: &Call, id: String, wanted: W) -> Result<Response, ScimError>
where
    W: Fn(Map<String, Value>) -> Result<Wanted, ScimError> + Send + 'static,
{
    let shown = shown(call)?;
    let present = load(&call.app, &id).await?;
    let first = wanted(whole(&call.app, &present))?;
    // Before it is compared: an answer that depended on the password would let a directory's token find it out by trying.
    refuse_password_of_administrator(&present, &first)?;
    let fresh = match &first.password {
        Some(password) => Some(FreshPassword::of(&call.app, password, present.password_hash).await?),
        None => None,
    };
    let (app, initiator, record) = (call.app.clone(), call.initiator.clone(), call.record());
    // An ending may hang on it, and endings go first.
    let changed = call.app.submit(Lane::Ending, move |door| {
        let Some(before) = door.find_user(&id)? else { return Ok(Err(ScimError::not_found(&id))) };
        let wanted = match wanted(whole(&app, &before)) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = refuse_password_of_administrator(&before, &wanted) {
            return Ok(Err(why));
        }
        let password_hash = fresh.and_then(|fresh| fresh.unless_same(&before));
        record.write(door, &id)?;
        door.change_user(&id, &wanted.change(password_hash), &initiator)?;
        after(door, &id).map(Ok)
    });
    let user = changed.await??;
    Ok(show(call, &user, &shown, StatusCode::OK))
}

fn after(door: &mut Door<'_>, id: &str) -> Result<User, LedgerError> {
    door.find_user(id)?.ok_or(LedgerError::Refused("there is no such user"))
}

fn refuse_password_of_administrator(user: &User, wanted: &Wanted) -> Result<(), ScimError> {
    if wanted.password.is_some() && user.role.is_some() {
        return Err(ScimError::forbidden("the password of a user who administers this server is not changed by SCIM"));
    }
    Ok(())
}

/// A password as it came, and the hash that it is the same as, if it is no new one: a directory that sends it again and again
/// must not sign people out again and again.
struct FreshPassword {
    hash: String,
    same_as: Option<String>,
}

impl FreshPassword {
    async fn of(app: &App, given: &str, known: Option<String>) -> Result<Self, ScimError> {
        let is_same = known.is_some() && password::check(&app.pace, known.clone(), given).await;
        Ok(Self { hash: hash(given).await?, same_as: known.filter(|_| is_same) })
    }

    fn unless_same(self, user: &User) -> Option<String> {
        let is_same = self.same_as.is_some() && self.same_as == user.password_hash;
        (!is_same).then_some(self.hash)
    }
}

async fn hash(given: &str) -> Result<String, ScimError> {
    password::make(Zeroizing::new(given.to_owned())).await.map_err(|why| ScimError::invalid_value(why.to_string()))
}

async fn load(app: &App, id: &str) -> Result<User, ScimError> {
    app.records.store.find_user(id).await?.ok_or_else(|| ScimError::not_found(id))
}

fn shown(call: &Call) -> Result<Shown, ScimError> {
    Shown::read(call.find("attributes"), call.find("excludedAttributes"))
}

fn show(call: &Call, user: &User, shown: &Shown, status: StatusCode) -> Response {
    answer(status, &Value::Object(shown.of(whole(&call.app, user))))
}
