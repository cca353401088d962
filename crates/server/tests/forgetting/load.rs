//! The load: the same sign-ins, tokens, refreshes and revocations of every kind, hour after hour.

use std::time::Duration;

use rescind::clock::{fresh_id, random};
use rescind_ledger::{
    Consent, Door, Hash, Initiator, Kind, LedgerError, Minted, Order, Presented, PushedRequest, Reason, Secret, Target,
    UserChange, redeem, refresh,
};

use crate::world::{Circumstances, Given, World, access_token, issuer, refresh_token};

const USERS: u64 = 60;
const CLIENTS: u64 = 6;
const DEVICES: u64 = 12;
const AUDIENCES: u64 = 4;

/// In one step: people who sign in, and revocations of each kind that is never reused. The index is cut into parts whose
/// sizes move in jumps, so that a small load would show the jumps and not the forgetting.
const SIGN_INS: u64 = 30;
const ENDINGS: u64 = 40;
/// Revocations of each living kind.
const CUT_OFFS: u64 = 2;

/// What is always going on.
#[derive(Default)]
pub(crate) struct Load {
    steps: u64,
    /// What was given a step ago, to be refreshed now.
    before: Vec<Given>,
}

fn user(number: u64) -> String {
    format!("busy-user-{}", number % USERS)
}

fn client(number: u64) -> String {
    format!("busy-client-{}", number % CLIENTS)
}

fn device(number: u64) -> String {
    format!("busy-device-{}", number % DEVICES)
}

fn audience(number: u64) -> String {
    format!("https://busy-api-{}.example", number % AUDIENCES)
}

impl Load {
    pub(crate) fn begin(world: &World) -> Self {
        world.add_people((0..USERS).map(user), (0..CLIENTS).map(client));
        Self::default()
    }

    /// One step of it.
    pub(crate) fn step(&mut self, world: &World) {
        self.steps += 1;
        let first = self.steps * SIGN_INS;
        let fresh: Vec<Given> = (first..first + SIGN_INS).map(|number| draw(world, number)).collect();
        let consents: Vec<(Consent, PushedRequest)> = fresh.iter().map(|given| remembered(world, given)).collect();
        let given = fresh.clone();
        let work = move |door: &mut Door<'_>| {
            for (given, (consent, request)) in given.iter().zip(&consents) {
                door.sign_in(&given.sign_in())?;
                door.remember_consent(consent)?;
                door.push_request(request, u64::MAX)?;
                door.issue_code(&given.code, Some(&request.handle))?;
                redeem(door, &given.code, &given.minted())?;
                door.use_assertion(&given.grant.client, &given.grant.id, given.code.expires_at)?;
            }
            Ok(())
        };
        world.submit(work).wait().unwrap();
        let refreshed: Vec<_> = self.before.drain(..).map(|given| refresh_once(world, given)).collect();
        for ticket in refreshed {
            let answer = ticket.wait();
            assert!(matches!(answer, Ok(_) | Err(LedgerError::Revoked)), "{answer:?}");
        }
        let (orders, disabled) = (orders(self.steps, &fresh), user(self.steps));
        let work = move |door: &mut Door<'_>| {
            let admin = Initiator::Administrator("load".to_owned());
            orders.iter().try_for_each(|order| door.end(order).map(drop))?;
            let enabled = |enabled| UserChange { enabled: Some(enabled), ..UserChange::default() };
            door.change_user(&disabled, &enabled(false), &admin)?;
            door.change_user(&disabled, &enabled(true), &admin)?;
            door.touch("s_unknown", door.now())
        };
        world.submit(work).wait().unwrap();
        self.before = fresh;
    }
}

fn draw(world: &World, number: u64) -> Given {
    world.draw(&Circumstances {
        user: user(number),
        client: client(number),
        audience: audience(number),
        device: number.is_multiple_of(3).then(|| device(number)),
        key: None,
        offline: number.is_multiple_of(2),
    })
}

fn remembered(world: &World, given: &Given) -> (Consent, PushedRequest) {
    let (now, lives) = (world.now(), &world.app.config.lifetimes);
    let consent = Consent {
        user: given.session.user.clone(),
        client: given.grant.client.clone(),
        scopes: vec![given.grant.scope.clone()],
        audiences: given.grant.audiences.clone(),
        position: given.session.position,
        auth_time: given.session.started_at,
        at: now,
        expires_at: now.plus(lives.consent),
    };
    let request = PushedRequest {
        handle: Hash(random()),
        client: given.grant.client.clone(),
        parameters: "{}".to_owned(),
        position: given.session.position,
        issued_at: now,
        expires_at: now.plus(lives.pushed_request),
    };
    (consent, request)
}

fn refresh_once(world: &World, given: Given) -> rescind_ledger::Ticket<rescind_ledger::Refreshed> {
    let (now, ttl) = (world.now(), world.app.config.lifetimes.access_token);
    let next = Secret::form(Kind::RefreshToken, &random()).hash();
    let minted = Minted {
        access: access_token(&given.grant, None, Hash(random()), now, now.plus(ttl)),
        refresh: Some(refresh_token(&given.grant, next, Some(given.refresh.hash), now)),
        grant: given.grant,
        status: None,
    };
    let presented = Presented { token: given.refresh, successor: Some(next), grace: Duration::from_secs(30) };
    world.submit(move |door| refresh(door, &presented, &minted))
}

/// Revocations of each kind: some of what was given just now, more of what is gone or never was, which costs the same.
fn orders(step: u64, fresh: &[Given]) -> Vec<Order> {
    let mut targets = Vec::new();
    for given in fresh.iter().take(3) {
        targets.push(Target::Token { token: given.access.id.clone() });
        targets.push(Target::Grant { grant: given.grant.id.clone() });
        targets.push(Target::Session { session: given.session.id.clone() });
    }
    for _ in 3..ENDINGS {
        targets.push(Target::Token { token: fresh_id("") });
        targets.push(Target::Grant { grant: fresh_id("g_") });
        targets.push(Target::Session { session: fresh_id("s_") });
        targets.push(Target::Key { key: fresh_id("k_") });
    }
    for number in step * CUT_OFFS..(step + 1) * CUT_OFFS {
        targets.extend(cut_offs(number));
    }
    let one = |(place, target): (usize, Target)| Order {
        idempotency_key: (place % 2 == 0).then(|| format!("step {step}, order {place}")),
        ..Order::new(target, Reason::Policy, Initiator::Source("load".to_owned()))
    };
    targets.into_iter().enumerate().map(one).collect()
}

fn cut_offs(number: u64) -> [Target; 8] {
    let (subject, client, audience, device) = (user(number), client(number), audience(number), device(number));
    let issuer = issuer();
    [
        Target::Subject { issuer: issuer.clone(), subject: subject.clone() },
        Target::Client { client: client.clone() },
        Target::Audience { audience: audience.clone() },
        Target::Device { device: device.clone() },
        Target::SubjectClient { issuer: issuer.clone(), subject: subject.clone(), client: client.clone() },
        Target::SubjectAudience { issuer, subject, audience: audience.clone() },
        Target::ClientAudience { client: client.clone(), audience },
        Target::DeviceClient { device, client },
    ]
}

/// The one that ends all the rest.
pub(crate) fn everything() -> Order {
    Order::new(Target::Everything, Reason::KeyCompromise, Initiator::Administrator("load".to_owned()))
}
