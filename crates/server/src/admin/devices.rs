//! Managed devices. They are switched off, never removed: a sign-in on one must go on meaning that one.

use axum::response::Response;
use rescind_ledger::{Device, Lane, LedgerError, Reads, StoreError, Target, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, created, ok, patched, unchanged},
    guard, names,
    problem::Problem,
    target::load_device,
    users::{may_have_ended, show_ended, yes},
};
use crate::{
    app::App,
    clock::fresh_id,
    external_id,
    openapi::shape::{Shape, moment, object, of, text},
};

/// A device as people write it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewDevice, examples(json!({ "name": "Ada's phone", "external_ids": [{ "kind": "udid", "value": "00008110-000A1D2E3F40001E" }] })))]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceForm {
    #[schema(min_length = 1)]
    name: String,
    #[serde(default)]
    external_ids: Vec<ExternalId>,
    #[serde(default = "yes")]
    enabled: bool,
}

/// A name by which others know the device, such as `udid`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExternalId {
    kind: String,
    value: String,
}

pub(super) async fn add(call: Call) -> Result<Response, Problem> {
    let form: DeviceForm = call.body()?;
    let device = form.device(fresh_id("d_"), call.app.now())?;
    let shown = show_device(&device);
    let (initiator, new) = (call.initiator.clone(), device.clone());
    match call.app.submit(Lane::Issuing, move |door| door.put_device(&new, &initiator)).await {
        Ok(_) => Ok(created(&shown)),
        Err(why) => Err(refusal(&call.app, &device, why).await),
    }
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&names::PARAMETERS)?;
    let filter = names::filter(query, &names::SORTS)?;
    let page = call.app.records.store.devices(&filter, query.find("cursor"), query.limit()?).await?;
    Ok(ok(&json!({ "items": page.items.iter().map(show_device).collect::<Vec<_>>(), "next": page.next })))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    Ok(ok(&show_device(&load_device(&call.app, call.id()?).await?)))
}

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    let patch: Value = call.body()?;
    let before = load_device(&call.app, call.id()?).await?;
    let after = patched(&DeviceForm::of(&before), &patch)?.device(before.id.clone(), before.created_at)?;
    let query = call.query(&guard::PARAMETERS)?;
    if before.enabled && !after.enabled {
        guard::allow_change(&call, query, "change", &Target::Device { device: before.id.clone() }).await?;
    }
    let mut shown = show_device(&after);
    let (initiator, new) = (call.initiator.clone(), after.clone());
    let changing = call.app.submit(Lane::Ending, move |door| {
        unchanged(door.find_device(&before.id)?.as_ref(), &before)?;
        door.put_device(&new, &initiator)
    });
    match changing.await {
        Ok(ended) => {
            show_ended(&mut shown, ended);
            Ok(ok(&shown))
        }
        Err(why) => Err(refusal(&call.app, &after, why).await),
    }
}

/// A conflict says which of the names is another device's.
async fn refusal(app: &App, device: &Device, why: LedgerError) -> Problem {
    if !matches!(why, LedgerError::Store(StoreError::Conflict(_))) {
        return why.into();
    }
    for (kind, value) in &device.external_ids {
        match app.records.store.find_device_by_external_id(kind, value).await {
            Ok(Some(other)) if other.id != device.id => {
                return Problem::taken(&format!("a device with the `{kind}` id `{value}`"));
            }
            Ok(_) => {}
            Err(why) => return why.into(),
        }
    }
    why.into()
}

/// What [`show_device`] writes.
pub(super) fn shown() -> Shape {
    let device = object().and(of::<DeviceForm>()).with("id", text()).with("created_at", moment());
    may_have_ended(device).named("Device")
}

fn show_device(device: &Device) -> Value {
    let mut shown = serde_json::to_value(DeviceForm::of(device)).unwrap_or_default();
    if let Some(object) = shown.as_object_mut() {
        object.insert("id".to_owned(), json!(device.id));
        object.insert("created_at".to_owned(), json!(device.created_at));
    }
    shown
}

impl DeviceForm {
    fn of(device: &Device) -> Self {
        let pair = |(kind, value): &(String, String)| ExternalId { kind: kind.clone(), value: value.clone() };
        Self {
            name: device.name.clone(),
            external_ids: device.external_ids.iter().map(pair).collect(),
            enabled: device.enabled,
        }
    }

    fn device(self, id: String, created_at: Timestamp) -> Result<Device, Problem> {
        if self.name.trim().is_empty() {
            return Err(Problem::refused("a device has a name"));
        }
        let mut external_ids: Vec<(String, String)> = Vec::new();
        for written in self.external_ids {
            let read = external_id::ExternalId::named(&written.kind, &written.value);
            let pair = read.map_err(|why| Problem::refused(why.to_string()))?.into_pair();
            if !external_ids.contains(&pair) {
                external_ids.push(pair);
            }
        }
        Ok(Device { id, name: self.name, external_ids, enabled: self.enabled, created_at })
    }
}
