//! Lists of users (RFC 7644 sections 3.4.2 and 3.4.3): what a filter finds, in an order, a page of it. How much is looked at is
//! bounded, so that one question about ten million users does not hold up everybody else.

use std::{cmp::Ordering, sync::Arc};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use rescind_ledger::{NameFilter, Reads, User, UserOrder};
use serde_json::{Map, Value, json};

use super::{
    attribute::Attribute,
    call::{Call, answered},
    error::{ScimError, answer},
    filter::Filter,
    matching::{Found, found, matches, member},
    resource::{Shown, whole},
};
use crate::app::App;

/// The most resources that one answer has.
pub(super) const MOST_RESULTS: u32 = 500;
const USUAL_RESULTS: u32 = 100;
/// The most users that are looked at for a filter or an order that no index helps with.
pub(super) const MOST_LOOKED_AT: u32 = 20_000;
/// The most users that are counted.
pub(super) const MOST_COUNTED: u32 = 1_000_000;
/// How many are looked at in one go; others get their turn in between.
const STRETCH: u32 = 200;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// What is asked for.
struct Question {
    filter: Option<Filter>,
    sort: Option<Sort>,
    /// How many come before the first that is shown.
    skip: u32,
    count: u32,
    shown: Shown,
}

struct Sort {
    by: Attribute,
    descending: bool,
}

/// `GET /Users`.
pub(super) async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let number = |name: &'static str| call.find(name).map(|text| whole_number(name, text.parse().ok())).transpose();
        let question = Question {
            filter: call.find("filter").map(Filter::read).transpose()?,
            sort: sort(call.find("sortBy"), call.find("sortOrder"))?,
            skip: skip(number("startIndex")?),
            count: count(number("count")?),
            shown: Shown::read(call.find("attributes"), call.find("excludedAttributes"))?,
        };
        question.answer(&call).await
    })
    .await
}

/// `POST /Users/.search`: the same with the question in the body.
pub(super) async fn search(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let body = call.body()?;
        let number = |name: &'static str| match member(&body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => whole_number(name, value.as_i64()).map(Some),
        };
        let filter = text(&body, "filter")?;
        let names = |name: &'static str| attributes(&body, name);
        let question = Question {
            filter: filter.filter(|text| !text.is_empty()).map(Filter::read).transpose()?,
            sort: sort(text(&body, "sortBy")?, text(&body, "sortOrder")?)?,
            skip: skip(number("startIndex")?),
            count: count(number("count")?),
            shown: Shown::read(names("attributes")?.as_deref(), names("excludedAttributes")?.as_deref())?,
        };
        question.answer(&call).await
    })
    .await
}

fn text<'a>(body: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, ScimError> {
    match member(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ScimError::invalid_value(format!("{name} is a text"))),
    }
}

fn attributes(body: &Map<String, Value>, name: &'static str) -> Result<Option<String>, ScimError> {
    match member(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| ScimError::invalid_value(format!("{name} is a list of texts")))?;
            Ok(Some(names.join(",")))
        }
        Some(_) => Err(ScimError::invalid_value(format!("{name} is a list of texts"))),
    }
}

fn whole_number(name: &'static str, number: Option<i64>) -> Result<i64, ScimError> {
    number.ok_or_else(|| ScimError::invalid_value(format!("{name} is a whole number")))
}

/// Whatever is below 1 is 1 (RFC 7644 section 3.4.2.4).
fn skip(start_index: Option<i64>) -> u32 {
    u32::try_from(start_index.unwrap_or(1).max(1) - 1).unwrap_or(u32::MAX)
}

fn count(count: Option<i64>) -> u32 {
    let count = count.unwrap_or(USUAL_RESULTS.into()).clamp(0, MOST_RESULTS.into());
    u32::try_from(count).unwrap_or(USUAL_RESULTS)
}

fn sort(by: Option<&str>, order: Option<&str>) -> Result<Option<Sort>, ScimError> {
    let descending = match order.map(str::to_ascii_lowercase).as_deref() {
        None | Some("ascending" | "") => false,
        Some("descending") => true,
        Some(_) => return Err(ScimError::invalid_value("sortOrder is ascending or descending")),
    };
    let Some(by) = by.filter(|by| !by.is_empty()) else { return Ok(None) };
    let by = Attribute::read(by).ok_or_else(|| ScimError::invalid_value("sortBy is no attribute's name"))?;
    Ok(Some(Sort { by, descending }))
}

impl Question {
    async fn answer(self, call: &Call) -> Result<Response, ScimError> {
        call.record_read().await?;
        let (total, page) = match self.stored_order() {
            Some(order) => self.in_order(&call.app, order).await?,
            None => self.selected(&call.app).await?,
        };
        let resources: Vec<Value> = page.into_iter().map(|found| Value::Object(self.shown.of(found))).collect();
        let body = json!({
            "schemas": [LIST],
            "totalResults": total,
            "startIndex": u64::from(self.skip) + 1,
            "itemsPerPage": resources.len(),
            "Resources": resources,
        });
        Ok(answer(StatusCode::OK, &body))
    }

    /// The order in which the store itself can page, if everybody is asked for.
    fn stored_order(&self) -> Option<UserOrder> {
        match (&self.filter, &self.sort) {
            (Some(_), _) => None,
            (None, None) => Some(UserOrder::Id),
            (None, Some(sort)) => match (sort.by.name.as_str(), sort.descending) {
                ("username", false) => Some(UserOrder::UserName),
                ("username", true) => Some(UserOrder::UserNameDescending),
                ("id", false) => Some(UserOrder::Id),
                _ => None,
            },
        }
    }

    async fn in_order(&self, app: &App, order: UserOrder) -> Result<(u32, Vec<Map<String, Value>>), ScimError> {
        let total = app.records.store.count_users(MOST_COUNTED + 1).await?;
        if total > MOST_COUNTED {
            return Err(ScimError::too_many(format!("there are more than {MOST_COUNTED} users: ask with a filter")));
        }
        let users = app.records.store.users_in_order(order, self.skip, self.count).await?;
        Ok((total, users.iter().map(|user| whole(app, user)).collect()))
    }

    async fn selected(&self, app: &App) -> Result<(u32, Vec<Map<String, Value>>), ScimError> {
        let mut matching = match self.filter.as_ref().map_or(Found::Anywhere, found) {
            Found::Anywhere => self.scanned(app).await?,
            way => self.matching(app, &candidates(app, way).await?),
        };
        if let Some(sort) = &self.sort {
            matching.sort_by(|one, other| sort.compare(one, other));
        }
        let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let page = matching.into_iter().skip(place(self.skip)).take(place(self.count)).collect();
        Ok((total, page))
    }

    fn matching(&self, app: &App, users: &[User]) -> Vec<Map<String, Value>> {
        let holds = |resource: &Map<String, Value>| self.filter.as_ref().is_none_or(|filter| matches(filter, resource));
        users.iter().map(|user| whole(app, user)).filter(holds).collect()
    }

    async fn scanned(&self, app: &App) -> Result<Vec<Map<String, Value>>, ScimError> {
        let total = app.records.store.count_users(MOST_LOOKED_AT + 1).await?;
        if total > MOST_LOOKED_AT {
            let why = "no index helps with this filter or order, and there are more users than one request looks at";
            return Err(ScimError::too_many(format!("{why} ({MOST_LOOKED_AT})")));
        }
        let (mut matching, mut cursor) = (Vec::new(), None);
        loop {
            let page = app.records.store.users(&NameFilter::default(), cursor.as_deref(), STRETCH).await?;
            matching.extend(self.matching(app, &page.items));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(matching);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The users among whom all are of whom the filter may hold.
async fn candidates(app: &App, way: Found<'_>) -> Result<Vec<User>, ScimError> {
    let store = &app.records.store;
    let users = match way {
        Found::ById(id) => store.find_user(id).await?.into_iter().collect(),
        Found::ByUserName(name) => store.find_user_by_name(name).await?.into_iter().collect(),
        Found::ByExternalId(id) => store.find_users_by_external_id(id, MOST_LOOKED_AT + 1).await?,
        Found::ByEmail(email) => store.find_users_by_email(email, MOST_LOOKED_AT + 1).await?,
        Found::Anywhere => Vec::new(),
    };
    if users.len() > usize::try_from(MOST_LOOKED_AT).unwrap_or(usize::MAX) {
        return Err(ScimError::too_many(format!("more than {MOST_LOOKED_AT} users have that value")));
    }
    Ok(users)
}

impl Sort {
    /// Without regard to case; whoever has no such value comes last (RFC 7644 section 3.4.2.3), or first if descending.
    fn compare(&self, one: &Map<String, Value>, other: &Map<String, Value>) -> Ordering {
        let order = match (self.key(one), self.key(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        if self.descending { order.reverse() } else { order }
    }

    fn key(&self, resource: &Map<String, Value>) -> Option<String> {
        let value = member(resource, &self.by.name)?;
        let value = value.as_array().map_or(Some(value), |several| several.first())?;
        let value = match value {
            Value::Object(parts) => member(parts, self.by.part.as_deref().unwrap_or("value"))?,
            plain => plain,
        };
        match value {
            Value::String(text) => Some(text.to_lowercase()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_at_one_and_has_a_bound() {
        assert_eq!((skip(None), skip(Some(-3)), skip(Some(0)), skip(Some(1)), skip(Some(7))), (0, 0, 0, 0, 6));
        assert_eq!(
            (count(None), count(Some(-1)), count(Some(0)), count(Some(9)), count(Some(i64::MAX))),
            (100, 0, 0, 9, 500)
        );
        assert_eq!(skip(Some(i64::MAX)), u32::MAX);
    }
}
