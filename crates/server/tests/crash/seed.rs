//! People who hold a token before the server is started: signing each of them in would take longer than the test.

use rescind::{
    app::Opened,
    clock::{Clock, fresh_id, random},
    pace::Pace,
};
use rescind_ledger::{AccessToken, Grant, Hash, Kind, Lane, Minted, Secret, SessionValidation, User};

use crate::server::{ISSUER, Place, configured};

/// Somebody with one token.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) user: String,
    pub(crate) token: String,
}

/// Writes down so many of them; the tokens are for `client`, which exists, and live an hour.
pub(crate) fn holders(place: &Place, client: &str, count: usize) -> Vec<Holder> {
    let Opened { app, mut writer } = Opened::open(configured(&place.data(), ""), Clock::System, Pace::Free).unwrap();
    let (now, position) = (app.now(), app.live.stamp());
    let mut holders = Vec::new();
    let mut rows = Vec::new();
    for number in 0..count {
        let user = User::new(fresh_id("u_"), format!("holder-{number}"), now);
        let token = Secret::form(Kind::AccessToken, &random()).reveal().to_owned();
        let grant = Grant {
            id: fresh_id("g_"),
            client: client.to_owned(),
            user: Some(user.id.clone()),
            session: None,
            session_bound: false,
            device: None,
            scope: "read".to_owned(),
            audiences: vec![ISSUER.to_owned()],
            position,
            auth_time: Some(now),
            nonce: None,
            issued_at: now,
            expires_at: now.plus(std::time::Duration::from_secs(3600)),
        };
        holders.push(Holder { user: user.id.clone(), token: token.clone() });
        rows.push((user, Minted { access: access(&grant, &token), grant, refresh: None, status: None }));
    }
    let ticket = app.queue.submit(Lane::Issuing, move |door| {
        rows.iter().try_for_each(|(user, minted)| door.add_user(user).and_then(|()| door.mint(minted)))
    });
    writer.turn(&|| now);
    ticket.wait().unwrap();
    holders
}

fn access(grant: &Grant, token: &str) -> AccessToken {
    AccessToken {
        hash: Hash::of(token),
        id: fresh_id(""),
        grant: grant.id.clone(),
        client: grant.client.clone(),
        user: grant.user.clone(),
        session: None,
        session_validation: SessionValidation::NONE,
        device: None,
        scope: grant.scope.clone(),
        audiences: grant.audiences.clone(),
        key: None,
        certificate: None,
        position: grant.position,
        auth_time: grant.auth_time,
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
    }
}
