//! What an import would do: a pure comparison of the file with the users there are.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::file::Row;

/// What becomes of one user.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Add {
        user_name: String,
        body: Value,
    },
    /// Only the members that differ. `ends`: disabled, renamed or given a new password.
    Change {
        id: String,
        user_name: String,
        body: Value,
        ends: bool,
    },
}

/// The whole import.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// How many rows say what is so already.
    pub(super) unchanged: usize,
    /// (id, user name) of users who are enabled and not in the file. Whoever has a role is never among them.
    pub(super) missing: Vec<(String, String)>,
}

/// External ids of the file that several users have: nobody can say which of them is meant.
pub(super) fn shared_external_ids<'a>(rows: &'a [Row], users: &[Value]) -> Vec<&'a str> {
    let mut holders = HashMap::<&str, usize>::new();
    for id in users.iter().filter_map(|user| user["external_id"].as_str()) {
        *holders.entry(id).or_default() += 1;
    }
    rows.iter().filter_map(|row| row.find("external_id")).filter(|id| holders.get(id) > Some(&1)).collect()
}

/// A user is known by the external id of its row, or else by the user name, in any case.
pub(super) fn plan(rows: &[Row], users: &[Value], set_passwords: bool) -> Plan {
    let word = |user: &Value, member: &str| user.get(member).and_then(Value::as_str).map(str::to_owned);
    let by = |key: &dyn Fn(&Value) -> Option<String>| -> HashMap<String, &Value> {
        users.iter().filter_map(|user| Some((key(user)?, user))).collect()
    };
    let by_external_id = by(&|user| word(user, "external_id"));
    let by_name = by(&|user| word(user, "user_name").map(|name| name.to_lowercase()));
    let (mut plan, mut seen) = (Plan::default(), HashSet::new());
    for row in rows {
        let known = row.find("external_id").and_then(|id| by_external_id.get(id));
        let Some(user) = known.or_else(|| by_name.get(&row.user_name().to_lowercase())) else {
            plan.steps.push(Step::Add { user_name: row.user_name().to_owned(), body: json!(row.members) });
            continue;
        };
        let id = word(user, "id").unwrap_or_default();
        seen.insert(id.clone());
        let body = changes(row, user, set_passwords);
        if body.is_empty() {
            plan.unchanged += 1;
            continue;
        }
        let ends = ["user_name", "password"].iter().any(|member| body.contains_key(*member))
            || body.get("enabled") == Some(&Value::Bool(false));
        let user_name = row.user_name().to_owned();
        plan.steps.push(Step::Change { id, user_name, body: Value::Object(body), ends });
    }
    let left = users.iter().filter(|user| user["enabled"] == true && user["role"].is_null());
    let left = left.filter_map(|user| Some((word(user, "id")?, word(user, "user_name")?)));
    plan.missing = left.filter(|(id, _)| !seen.contains(id)).collect();
    plan
}

/// A password cannot be compared: setting it again would end everything again, so it is set only where that is asked for.
fn changes(row: &Row, user: &Value, set_passwords: bool) -> Map<String, Value> {
    let differs = |(name, value): &(&String, &Value)| match name.as_str() {
        "password" => set_passwords,
        name => user.get(name).unwrap_or(&Value::Null) != *value,
    };
    row.members.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(members: &Value) -> Row {
        Row { place: 1, members: members.as_object().unwrap().clone() }
    }

    fn user(id: &str, name: &str, more: &Value) -> Value {
        let mut user =
            json!({ "id": id, "user_name": name, "email": null, "enabled": true, "role": null, "external_id": null });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user
    }

    #[test]
    fn only_what_differs_is_sent() {
        let users = [user("u_1", "Ada", &json!({ "email": "ada@example.org" })), user("u_2", "bob", &json!({}))];
        let rows = [
            row(
                &json!({ "user_name": "Ada", "email": "ada@example.org", "enabled": true, "password": "secret secret" }),
            ),
            row(&json!({ "user_name": "bob", "enabled": false })),
            row(&json!({ "user_name": "eve" })),
        ];
        let found = plan(&rows, &users, false);
        assert_eq!((found.unchanged, found.steps.len()), (1, 2));
        assert_eq!(
            found.steps[0],
            Step::Change { id: "u_2".into(), user_name: "bob".into(), body: json!({ "enabled": false }), ends: true }
        );
        assert!(matches!(&found.steps[1], Step::Add { user_name, .. } if user_name == "eve"));
        assert_eq!(plan(&rows, &users, true).steps.len(), 3, "the password, if it is asked for");
    }

    #[test]
    fn an_external_id_knows_a_user_who_was_renamed() {
        let users = [user("u_1", "ada", &json!({ "external_id": "7" }))];
        let found = plan(&[row(&json!({ "user_name": "augusta", "external_id": "7" }))], &users, false);
        assert_eq!(
            found.steps,
            [Step::Change {
                id: "u_1".into(),
                user_name: "augusta".into(),
                body: json!({ "user_name": "augusta" }),
                ends: true
            }]
        );
        assert!(found.missing.is_empty());
    }

    #[test]
    fn an_external_id_that_two_users_have_names_nobody() {
        let of = |id: &str| json!({ "external_id": id });
        let users = [user("u_1", "ada", &of("7")), user("u_2", "bob", &of("7")), user("u_3", "eve", &of("8"))];
        let rows = ["7", "8", "9"].map(|id| row(&json!({ "user_name": id, "external_id": id })));
        assert_eq!(shared_external_ids(&rows, &users), ["7"]);
    }

    #[test]
    fn who_is_missing_is_enabled_and_no_administrator() {
        let users = [
            user("u_1", "ada", &json!({})),
            user("u_2", "bob", &json!({ "enabled": false })),
            user("u_3", "root", &json!({ "role": "administrator" })),
            user("u_4", "eve", &json!({})),
        ];
        let found = plan(&[row(&json!({ "user_name": "ADA" }))], &users, false);
        assert_eq!(found.missing, [("u_4".to_owned(), "eve".to_owned())]);
    }
}
