//! A device that is revoked while somebody signs in on it.

use std::{future::poll_fn, pin::pin, task::Poll};

use rescind_ledger::{Device, Target};

use super::stage::{PASSWORD, Stage, administrator};
use crate::{
    external_id::{ExternalId, ExternalIdKind},
    pace::{Pace, Script},
    protocol::sign_in::{Credentials, SignInError, sign_in},
};

const ID: &str = "d_tablet";

fn tablet(stage: &Stage, enabled: bool) -> Device {
    let external_ids = vec![("mdm".to_owned(), "tablet".to_owned())];
    Device { id: ID.to_owned(), name: "Tablet".to_owned(), external_ids, enabled, created_at: stage.app.now() }
}

#[tokio::test]
async fn rule_1_a_sign_in_under_way_dies_of_the_cut_off_of_its_device_wherever_it_stands() {
    let script = Script::default();
    let stage = Stage::paced(Pace::Stepped(script.clone())).await;
    let device = tablet(&stage, true);
    stage.write(move |door| door.put_device(&device, &administrator())).await;
    let names = [ExternalId::read(ExternalIdKind::Mdm, "tablet").unwrap()];
    for step in ["stamp", "read device", "read user", "submit"] {
        let credentials =
            Credentials { user_name: "ada", password: PASSWORD, address: None, user_agent: None, device_names: &names };
        let mut signing_in = pin!(sign_in(&stage.app, credentials));
        let mut reached = Vec::new();
        drop(script.take());
        while reached.last() != Some(&step) {
            let pending = poll_fn(|context| Poll::Ready(signing_in.as_mut().poll(context).is_pending())).await;
            assert!(pending, "{step} was not reached: {reached:?}");
            reached.extend(script.take());
        }
        stage.end(Target::Device { device: ID.to_owned() }).await;
        let outcome = signing_in.await;
        match step {
            // It has read nothing yet, so that it begins after the revocation.
            "stamp" => assert_eq!(outcome.unwrap().session.device.as_deref(), Some(ID)),
            _ => assert!(matches!(outcome, Err(SignInError::Revoked)), "{step}"),
        }
    }
}

#[tokio::test]
async fn a_device_that_is_switched_off_is_refused_whatever_the_password() {
    let stage = Stage::set().await;
    for (enabled, expected) in [(true, true), (false, false), (true, true)] {
        let device = tablet(&stage, enabled);
        stage.write(move |door| door.put_device(&device, &administrator())).await;
        for password in [PASSWORD, "wrong"] {
            let names = [ExternalId::read(ExternalIdKind::Mdm, "TABLET").unwrap()];
            let credentials =
                Credentials { user_name: "ada", password, address: None, user_agent: None, device_names: &names };
            let outcome = sign_in(&stage.app, credentials).await;
            let refused = matches!(outcome, Err(SignInError::DeviceDisabled));
            assert_eq!((refused, outcome.is_ok()), (!expected, expected && password == PASSWORD));
        }
    }
}
