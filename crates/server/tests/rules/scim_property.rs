//! Whatever a directory does, in whatever order: the accounts are what a simple model says, and each restricting step, and no
//! other, ends what the user holds.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Cases, TestCaseError, TestRunner},
};
use rescind_ledger::Reads;
use serde_json::{Value, json};

use crate::{
    house::{House, text},
    scim::Directory,
};

#[derive(Clone, Debug)]
enum Step {
    Create { name: usize, active: bool },
    Rename { who: usize, name: usize },
    Switch { who: usize, active: bool, by: Shape },
    Show { who: usize, name: Option<u8> },
    Delete { who: usize },
    Find { name: usize },
}

/// How a patch is written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Path,
    Pathless,
    Text,
    Replace,
}

#[derive(Clone, Debug, PartialEq)]
struct Account {
    name: usize,
    active: bool,
    shown: Option<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, name) = (0..4_usize, 0..4_usize);
    let shape = prop_oneof![Just(Shape::Path), Just(Shape::Pathless), Just(Shape::Text), Just(Shape::Replace)];
    let step = prop_oneof![
        3 => (name.clone(), any::<bool>()).prop_map(|(name, active)| Step::Create { name, active }),
        2 => (who.clone(), name.clone()).prop_map(|(who, name)| Step::Rename { who, name }),
        4 => (who.clone(), any::<bool>(), shape).prop_map(|(who, active, by)| Step::Switch { who, active, by }),
        2 => (who.clone(), any::<Option<u8>>()).prop_map(|(who, name)| Step::Show { who, name }),
        1 => who.prop_map(|who| Step::Delete { who }),
        2 => name.prop_map(|name| Step::Find { name }),
    ];
    vec(step, 1..25)
}

fn name(name: usize) -> String {
    format!("User{name}")
}

struct Model<'a> {
    directory: Directory<'a>,
    /// By id, in the order in which they were made.
    accounts: BTreeMap<String, Account>,
    ids: Vec<String>,
    endings: usize,
}

impl Model<'_> {
    fn is_taken(&self, wanted: usize, but: Option<&str>) -> bool {
        self.accounts.iter().any(|(id, account)| account.name == wanted && Some(id.as_str()) != but)
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Create { name: wanted, active } => {
                let body = json!({ "userName": name(*wanted), "active": active, "externalId": wanted.to_string() });
                let (status, made) = self.directory.call("POST", "/Users", Some(&body)).await;
                if self.is_taken(*wanted, None) {
                    assert_eq!((status, &made["scimType"]), (StatusCode::CONFLICT, &json!("uniqueness")));
                    return;
                }
                assert_eq!(status, StatusCode::CREATED, "{made}");
                let id = text(&made, "id");
                assert!(!self.ids.contains(&id), "an id comes back");
                self.ids.push(id.clone());
                self.accounts.insert(id, Account { name: *wanted, active: *active, shown: None });
            }
            Step::Rename { who, name: wanted } => {
                let operation = json!({ "op": "Replace", "path": "userName", "value": name(*wanted) });
                let Some(id) = self.ids.get(*who).cloned() else { return };
                let taken = self.is_taken(*wanted, Some(&id));
                let change = |account: &mut Account| account.name = *wanted;
                self.patch(&id, &operation, taken, change, |before, after| before.name != after.name).await;
            }
            Step::Switch { who, active, by } => {
                let operation = match by {
                    Shape::Path | Shape::Replace => json!({ "op": "replace", "path": "active", "value": active }),
                    Shape::Pathless => json!({ "op": "Add", "value": { "active": active } }),
                    Shape::Text => {
                        json!({ "op": "Replace", "value": [{ "active": if *active { "True" } else { "False" } }] })
                    }
                };
                let Some(id) = self.ids.get(*who).cloned() else { return };
                let change = |account: &mut Account| account.active = *active;
                self.patch(&id, &operation, false, change, |before, after| before.active && !after.active).await;
            }
            Step::Show { who, name } => {
                let operation = match name {
                    Some(name) => json!({ "op": "add", "path": "displayName", "value": name.to_string() }),
                    None => json!({ "op": "remove", "path": "displayName" }),
                };
                let Some(id) = self.ids.get(*who).cloned() else { return };
                self.patch(&id, &operation, false, |account| account.shown = *name, |_, _| false).await;
            }
            Step::Delete { who } => {
                let Some(id) = self.ids.get(*who) else { return };
                let (status, _) = self.directory.call("DELETE", &format!("/Users/{id}"), None).await;
                let known = self.accounts.remove(id).is_some();
                assert_eq!(status, if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND });
                self.endings += usize::from(known);
            }
            Step::Find { name: wanted } => self.find(*wanted).await,
        }
    }

    async fn find(&self, wanted: usize) {
        for filter in [
            format!("userName eq \"{}\"", name(wanted).to_uppercase()),
            format!("userName co \"{}\" and not (active eq null)", name(wanted)),
        ] {
            let found = self.directory.find(&filter).await;
            let expected = self.accounts.iter().find(|(_, account)| account.name == wanted);
            assert_eq!(found["totalResults"], json!(usize::from(expected.is_some())), "{filter}");
            assert_eq!(found["Resources"][0]["id"].as_str(), expected.map(|(id, _)| id.as_str()));
        }
    }

    async fn patch(
        &mut self,
        id: &str,
        operation: &Value,
        taken: bool,
        change: impl Fn(&mut Account),
        restricts: impl Fn(&Account, &Account) -> bool,
    ) {
        let body = json!({ "Operations": [operation] });
        let (status, answer) = self.directory.call("PATCH", &format!("/Users/{id}"), Some(&body)).await;
        let Some(account) = self.accounts.get_mut(id) else {
            assert_eq!(status, StatusCode::NOT_FOUND);
            return;
        };
        if taken {
            assert_eq!(status, StatusCode::CONFLICT);
            return;
        }
        assert_eq!(status, StatusCode::OK, "{answer}");
        let before = account.clone();
        change(account);
        self.endings += usize::from(restricts(&before, account));
    }

    async fn holds(&self) {
        for id in &self.ids {
            let (status, shown) = self.directory.call("GET", &format!("/Users/{id}"), None).await;
            let Some(account) = self.accounts.get(id) else {
                assert_eq!(status, StatusCode::NOT_FOUND);
                continue;
            };
            let expected =
                (json!(name(account.name)), json!(account.active), json!(account.shown.map(|it| it.to_string())));
            assert_eq!((shown["userName"].clone(), shown["active"].clone(), shown["displayName"].clone()), expected);
        }
        let entries = self.directory.house.app.records.store.entries_before(None, 1000).await.unwrap();
        assert_eq!(entries.len(), self.endings);
        let (_, listed) = self.directory.call("GET", "/Users?count=0", None).await;
        // Alice and Bob were there before.
        assert_eq!(listed["totalResults"], json!(self.accounts.len() + 2));
    }
}

#[test]
fn after_any_steps_the_accounts_and_what_was_ended_are_what_a_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Cases { cases: 24, failure_persistence: None, ..Cases::default() });
    let ran = runner.run(&steps(), |steps| {
        let run = || {
            runtime.block_on(async {
                let house = House::open().await;
                let directory = Directory::of(&house).await;
                let mut model = Model { directory, accounts: BTreeMap::new(), ids: Vec::new(), endings: 0 };
                for step in &steps {
                    model.take(step).await;
                    model.holds().await;
                }
                drop(model);
                house.close().await;
            });
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        outcome.map_err(|_| TestCaseError::fail("the model and the server disagree"))
    });
    ran.unwrap();
}
