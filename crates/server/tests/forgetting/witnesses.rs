//! The witnesses: what was revoked on the first day, in every way there is, and people whom nobody revokes.

use rescind_check::Verdict;
use rescind_ledger::{Initiator, Order, Position, Reads, Reason, Target};

use crate::world::{Circumstances, Given, World, issuer};

/// One sign-in of the first day and the entry that ended it.
pub(crate) struct Revoked {
    given: Given,
    target: Target,
    entry: Position,
}

impl Revoked {
    /// One for each kind of target, each with people and things of its own.
    pub(crate) fn one_of_each_kind(world: &World) -> Vec<Self> {
        (0..13).map(|kind| Self::by(world, kind)).collect()
    }

    fn by(world: &World, kind: usize) -> Self {
        let of = Circumstances {
            user: format!("revoked-user-{kind}"),
            client: format!("revoked-client-{kind}"),
            audience: format!("https://revoked-{kind}.example"),
            device: Some(format!("revoked-device-{kind}")),
            key: Some(format!("revoked-key-{kind}")),
            offline: false,
        };
        world.add_people([of.user.clone()].into_iter(), [of.client.clone()].into_iter());
        let given = world.draw(&of);
        let target = target(kind, &given, of);
        let (kept, order) = (given.clone(), target.clone());
        let work = move |door: &mut rescind_ledger::Door<'_>| {
            door.sign_in(&kept.sign_in())?;
            door.issue_code(&kept.code, None)?;
            door.mint(&kept.minted())
        };
        world.submit(work).wait().unwrap();
        assert!(world.is_active(&given.grant.client, &given.access_text), "{target} has ended nothing yet");
        let order = Order::new(order, Reason::TokenLeaked, Initiator::Administrator("first day".to_owned()));
        let entry = world.submit(move |door| door.end(&order)).wait().unwrap().position;
        Self { given, target, entry }
    }

    /// Nothing that it covers is honoured, whether it has expired or not, whether its entry is remembered or not.
    pub(crate) fn is_not_honoured(&self, world: &World) {
        let Self { given, target, .. } = self;
        let (live, client) = (&world.app.live, &given.grant.client);
        let ended = |trace| assert_eq!(live.verdict(&trace), Verdict::Revoked, "{target}");
        ended(given.access.trace(live.issuer(), live.key()));
        assert!(!world.is_active(client, &given.access_text), "{target}");
        if self.reaches_the_grant() {
            assert!(!world.is_active(client, &given.refresh_text), "{target}");
            ended(given.grant.trace(live.issuer(), live.key()));
            let fields = [("grant_type", "refresh_token"), ("refresh_token", &given.refresh_text)];
            let (status, answer) = world.post("/token", client, &fields);
            assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()), "{target}");
        }
        if self.reaches_the_session() {
            ended(given.session.trace(live.issuer(), live.key()));
            assert!(live.session_counts(&given.session, world.now()).is_err(), "{target}");
        }
    }

    /// A token, and a key, end one access token; an API ends its tokens, and the grant for it alone.
    fn reaches_the_grant(&self) -> bool {
        use Target::{Audience, ClientAudience, Key, SubjectAudience, Token};
        !matches!(
            self.target,
            Token { .. } | Key { .. } | Audience { .. } | SubjectAudience { .. } | ClientAudience { .. }
        )
    }

    fn reaches_the_session(&self) -> bool {
        use Target::{Device, Everything, Session, Subject};
        matches!(self.target, Session { .. } | Subject { .. } | Device { .. } | Everything)
    }

    /// Whether the ledger still has the entry.
    pub(crate) fn is_remembered(&self, world: &World) -> bool {
        let kept = world.runtime.block_on(world.app.records.store.find_entry(self.entry)).unwrap();
        kept.is_some()
    }
}

fn target(kind: usize, given: &Given, of: Circumstances) -> Target {
    let Circumstances { user: subject, client, audience, .. } = of;
    let (issuer, device) = (issuer(), of.device.unwrap());
    match kind {
        0 => Target::Token { token: given.access.id.clone() },
        1 => Target::Grant { grant: given.grant.id.clone() },
        2 => Target::Session { session: given.session.id.clone() },
        3 => Target::Key { key: of.key.unwrap() },
        4 => Target::Device { device },
        5 => Target::Subject { issuer, subject },
        6 => Target::Client { client },
        7 => Target::Audience { audience },
        8 => Target::Everything,
        9 => Target::SubjectClient { issuer, subject, client },
        10 => Target::SubjectAudience { issuer, subject, audience },
        11 => Target::ClientAudience { client, audience },
        _ => Target::DeviceClient { device, client },
    }
}

const STEADY: &str = "steady";

/// A person who signs in every day and whose applications refresh their tokens ever after.
#[derive(Default)]
pub(crate) struct Steady {
    grants: Vec<(Given, String)>,
    pub(crate) answered: usize,
}

impl Steady {
    pub(crate) fn begin(world: &World) -> Self {
        world.add_people([STEADY.to_owned()].into_iter(), [STEADY.to_owned()].into_iter());
        Self::default()
    }

    pub(crate) fn sign_in(&mut self, world: &World) {
        let (user, client) = (STEADY.to_owned(), STEADY.to_owned());
        let of = Circumstances { user, client, audience: issuer(), offline: true, ..Circumstances::default() };
        let given = world.draw(&of);
        let kept = given.clone();
        let work = move |door: &mut rescind_ledger::Door<'_>| {
            door.sign_in(&kept.sign_in())?;
            door.mint(&kept.minted())
        };
        world.submit(work).wait().unwrap();
        self.grants.push((given.clone(), given.refresh_text));
    }

    /// Every grant that is within its life brings a token that works.
    pub(crate) fn is_honoured(&mut self, world: &World) {
        self.grants.retain(|(given, _)| given.grant.expires_at > world.now());
        for (_, refresh) in &mut self.grants {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            let (status, answer) = world.post("/token", STEADY, &fields);
            assert_eq!(status, 200, "{answer}");
            assert!(world.is_active(STEADY, answer["access_token"].as_str().unwrap()));
            answer["refresh_token"].as_str().unwrap().clone_into(refresh);
            self.answered += 1;
        }
    }

    /// Everything has ended; what was given before is refused.
    pub(crate) fn is_refused(&mut self, world: &World) {
        for (_, refresh) in self.grants.drain(..) {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            let (status, answer) = world.post("/token", STEADY, &fields);
            assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()));
        }
    }
}
