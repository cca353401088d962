//! What must hold after a schedule, asked of the server's own functions.

use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use rescind::{
    app::App,
    protocol::{
        consent, introspect,
        issue::{Next, Progress, advance},
    },
};
use rescind_ledger::{
    AccessToken, Filter, Hash, Initiator, Page, Position, Reads, Session, StoreError, Target, UserChange,
};

use crate::{
    operations::{Ends, Held, Operation},
    scheduler::{Actor, Run},
    stage::{ISSUER, Scene},
};

/// Something that must not be.
#[derive(Debug)]
pub(crate) struct Violation(pub(crate) String);

/// What a credential rests on: a target, and the move with which its authentication began (`None`: before the schedule).
type Ground = (Ends, Option<usize>);

/// Something that somebody may hold, or that lies in the store.
struct Credential {
    what: What,
    whose: String,
    grounds: Vec<Ground>,
    /// Whether it can be used up, so that it may be dead for another reason.
    consumable: bool,
}

enum What {
    Access(Box<AccessToken>),
    Consent,
    Held(Held),
}

fn target(scene: &Scene, ends: Ends) -> Target {
    match ends {
        Ends::Client => Target::Client { client: scene.client.id.clone() },
        Ends::CodeGrant => Target::Grant { grant: scene.code_grant.id.clone() },
        Ends::Grant => Target::Grant { grant: scene.grant.id.clone() },
        Ends::Session => Target::Session { session: scene.session.id.clone() },
        Ends::User => Target::Subject { issuer: ISSUER.to_owned(), subject: scene.user.id.clone() },
    }
}

/// Where each target of the scene was ended, by the index that requests ask.
pub(crate) fn positions(app: &App, scene: &Scene) -> [Option<Position>; 5] {
    Ends::ALL.map(|ends| app.live.position_of(&target(scene, ends)))
}

/// From the acknowledgement on, nothing from before the schedule is honoured.
pub(crate) fn nothing_old_lives(app: &App, scene: &Scene, ends: Ends) -> Result<(), Violation> {
    for credential in old(scene) {
        let rests_on_it = credential.grounds.iter().any(|(ground, _)| *ground == ends);
        if rests_on_it && is_alive(app, scene, &credential.what) {
            return Err(Violation(format!("{} is honoured after its end was acknowledged", credential.whose)));
        }
    }
    Ok(())
}

fn since(move_number: Option<usize>, grounds: &[Ends]) -> Vec<Ground> {
    grounds.iter().map(|ends| (*ends, move_number)).collect()
}

const OF_GRANT: [Ends; 4] = [Ends::Client, Ends::Grant, Ends::Session, Ends::User];
const OF_CODE: [Ends; 4] = [Ends::Client, Ends::CodeGrant, Ends::Session, Ends::User];

/// What there was before the schedule.
fn old(scene: &Scene) -> Vec<Credential> {
    let old = |what, whose: &str, grounds: &[Ends], consumable| Credential {
        what,
        whose: format!("the {whose} from before"),
        grounds: since(None, grounds),
        consumable,
    };
    let held = What::Held;
    vec![
        old(held(Held::Access(scene.access.clone())), "access token", &OF_GRANT, false),
        old(held(Held::Refresh(scene.refresh.clone())), "refresh token", &OF_GRANT, true),
        old(held(Held::Code(scene.code.clone())), "code", &OF_CODE, true),
        old(held(Held::Session(Box::new(scene.session.clone()))), "session", &[Ends::Session, Ends::User], false),
        old(What::Consent, "consent", &[Ends::Client, Ends::User], false),
    ]
}

/// What an operation and everything that comes of it rests on.
fn grounds(actor: &Actor) -> Vec<Ground> {
    match actor.operation {
        Operation::Issue => since(actor.begun, &[Ends::Client]),
        Operation::ExchangeCode => since(None, &OF_CODE),
        Operation::Refresh => since(None, &OF_GRANT),
        Operation::Authorize | Operation::Consent => since(None, &[Ends::Client, Ends::Session, Ends::User]),
        Operation::SignIn | Operation::SignInStampedLate => since(actor.begun, &[Ends::User]),
        Operation::Reauthenticate => since(None, &[Ends::Session, Ends::User]),
        _ => Vec::new(),
    }
}

/// Judges a schedule that has come to its end.
pub(crate) fn judge(run: &mut Run<'_>) -> Result<(), Violation> {
    one_use_of_what_is_used_once(run)?;
    for number in 0..2 {
        success_is_true(run, number)?;
    }
    let mut credentials = old(run.scene);
    credentials.extend(made(run)?);
    verdicts(run, &credentials)?;
    nothing_exceeds_the_client(run)?;
    if run.actors.iter().any(|actor| actor.operation == Operation::DisableUser) {
        enable(run);
        verdicts(run, &credentials)?;
    }
    proof(run)
}

/// What the operations brought forth, handed out or not.
fn made(run: &Run<'_>) -> Result<Vec<Credential>, Violation> {
    let mut made = Vec::new();
    for actor in &run.actors {
        for held in actor.answer.iter().flat_map(|answer| &answer.holds) {
            let whose = format!("what {:?} gave ({})", actor.operation, name(held));
            let proof = *held == Held::Proof;
            if !proof {
                made.push(Credential {
                    what: What::Held(held.clone()),
                    whose,
                    grounds: grounds(actor),
                    consumable: false,
                });
            }
        }
    }
    made.extend(left_behind(run, &made)?);
    Ok(made)
}

/// What lies in the store but was handed to nobody: it belongs to the operation that was given up.
fn left_behind(run: &Run<'_>, handed_out: &[Credential]) -> Result<Vec<Credential>, Violation> {
    let given_up = run.actors.iter().find(|actor| actor.answer.is_none());
    let known = |hash: &Hash| {
        *hash == Hash::of(&run.scene.access)
            || handed_out
                .iter()
                .any(|one| matches!(&one.what, What::Held(Held::Access(text)) if Hash::of(text) == *hash))
    };
    let known_session = |id: &str| {
        id == run.scene.session.id
            || handed_out.iter().any(|one| matches!(&one.what, What::Held(Held::Session(session)) if session.id == id))
    };
    let tokens = tokens(run).into_iter().filter(|token| !known(&token.hash)).map(|token| What::Access(Box::new(token)));
    let sessions = sessions(run).into_iter().filter(|session| !known_session(&session.id));
    let left: Vec<_> = tokens.chain(sessions.map(|session| What::Held(Held::Session(Box::new(session))))).collect();
    let Some(actor) = given_up else {
        let why = "an operation that was refused left something behind".to_owned();
        return if left.is_empty() { Ok(Vec::new()) } else { Err(Violation(why)) };
    };
    let whose = format!("what {:?} left behind", actor.operation);
    let of_actor = |what| Credential { what, whose: whose.clone(), grounds: grounds(actor), consumable: false };
    Ok(left.into_iter().map(of_actor).collect())
}

fn tokens(run: &Run<'_>) -> Vec<AccessToken> {
    let filter = Filter { client: Some(run.scene.client.id.clone()), ..Filter::default() };
    all(run.stage.app.records.store.access_tokens(&filter, None, 100).now_or_never())
}

fn sessions(run: &Run<'_>) -> Vec<Session> {
    let filter = Filter { user: Some(run.scene.user.id.clone()), ..Filter::default() };
    all(run.stage.app.records.store.sessions(&filter, None, 100).now_or_never())
}

fn all<T>(page: Option<Result<Page<T>, StoreError>>) -> Vec<T> {
    page.unwrap().unwrap().items
}

fn name(held: &Held) -> &'static str {
    match held {
        Held::Access(_) => "access token",
        Held::Code(_) => "code",
        Held::Proof => "proof",
        Held::Refresh(_) => "refresh token",
        Held::Session(_) => "session",
    }
}

/// Whether something was ended after a credential's authentication began.
fn is_ended(run: &Run<'_>, grounds: &[Ground]) -> bool {
    grounds.iter().any(|(ground, begun)| {
        let came_later = |at: usize| begun.is_none_or(|begun| begun < at);
        run.ended.iter().any(|(ends, at)| ends == ground && came_later(*at))
    })
}

/// Dead is what began before an end of what it rests on; everything else lives.
fn verdicts(run: &Run<'_>, credentials: &[Credential]) -> Result<(), Violation> {
    let app = &run.stage.app;
    let disabled = app.live.look(|_, configuration| configuration.disabled_users.contains(&run.scene.user.id));
    for credential in credentials {
        let (ended, alive) = (is_ended(run, &credential.grounds), is_alive(app, run.scene, &credential.what));
        if ended && alive {
            return Err(Violation(format!("{} outlived the end of what it rests on", credential.whose)));
        }
        if !ended && !alive && !disabled && !credential.consumable {
            return Err(Violation(format!("{} is dead though nothing ended it", credential.whose)));
        }
    }
    Ok(())
}

fn is_alive(app: &App, scene: &Scene, what: &What) -> bool {
    let store = &app.records.store;
    match what {
        What::Access(token) => access_counts(app, token),
        What::Held(Held::Access(text) | Held::Refresh(text)) => {
            introspect::find(app, &scene.client, text).now_or_never().unwrap().unwrap().is_some()
        }
        What::Held(Held::Code(text)) => {
            let Some(code) = store.find_code(&Hash::of(text)).now_or_never().unwrap().unwrap() else { return false };
            let grant = &code.grant;
            let clock =
                app.records.clock_of(grant.session.as_deref(), grant.session_bound).now_or_never().unwrap().unwrap();
            app.live.grant_counts(grant, clock, app.now()).is_ok()
        }
        What::Held(Held::Session(session)) => {
            let known = app.records.find_session(&session.id).now_or_never().unwrap().unwrap();
            known.is_some_and(|known| app.live.session_counts(&known.current(), app.now()).is_ok())
        }
        What::Held(Held::Proof) => false,
        What::Consent => {
            let flow = scene.fresh_flow(app);
            let remembered = std::pin::pin!(consent::is_remembered(app, &flow, &scene.user.id));
            poll_through(remembered, || {}).unwrap()
        }
    }
}

fn access_counts(app: &App, token: &AccessToken) -> bool {
    let needed = token.session_validation.check_valid_authn_session;
    let clock = app.records.clock_of(token.session.as_deref(), needed).now_or_never().unwrap().unwrap();
    let trace = token.trace(app.live.issuer(), app.live.key());
    app.live.access_token_counts(token, &trace, clock, app.now()).is_ok()
}

/// Polls something whose steps nobody schedules.
fn poll_through<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>, mut meanwhile: impl FnMut()) -> T {
    for _ in 0..100 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        meanwhile();
    }
    panic!("it waits for nothing");
}

/// A fresh authorization request asks for the password again if, and only if, the newest proof is older than a cut-off.
fn proof(run: &mut Run<'_>) -> Result<(), Violation> {
    let undisturbed = run.ended.is_empty() && run.actors.iter().all(|one| one.operation != Operation::Reauthenticate);
    if undisturbed {
        return Ok(());
    }
    let (app, scene) = (run.stage.app.clone(), run.scene);
    let proofs = app.records.store.authentications(&scene.session.id).now_or_never().unwrap().unwrap().len();
    let again = run.actors.iter().filter(|actor| actor.operation == Operation::Reauthenticate);
    // Two new ones are of no interest: then nothing ended.
    let begun = if proofs > 1 { again.filter_map(|actor| actor.begun).max() } else { None };
    let ended = is_ended(run, &[(Ends::Client, begun), (Ends::Session, None), (Ends::User, None)]);
    let flow = scene.fresh_flow(&app);
    let asked = std::pin::pin!(advance(&app, &flow, Some(scene.session.cookie), Progress::Consented));
    let next = poll_through(asked, || run.stage.writer.turn(&|| app.now())).unwrap();
    match (ended, next) {
        (true, Next::Code(_)) => Err(Violation("a code was given for a sign-in from before a cut-off".to_owned())),
        (false, Next::Code(_)) | (true, _) => Ok(()),
        (false, _) => Err(Violation("the password is asked for though nothing ended".to_owned())),
    }
}

/// No success is reported for what the store does not hold, and nothing is refused that nothing stands against.
fn success_is_true(run: &Run<'_>, number: usize) -> Result<(), Violation> {
    let actor = &run.actors[number];
    let Some(answer) = &actor.answer else { return Ok(()) };
    if !answer.succeeded {
        let disabled = run.actors.iter().any(|actor| actor.operation == Operation::DisableUser);
        let too_late = actor.operation == Operation::UpdateClient && is_ended(run, &since(None, &[Ends::Client]));
        let ended = actor.operation.ends().is_none() && (disabled || is_ended(run, &grounds(actor)));
        let justified = too_late || ended;
        let why = format!("{:?} was refused for nothing: {}", actor.operation, answer.says);
        return if justified { Ok(()) } else { Err(Violation(why)) };
    }
    let store = &run.stage.app.records.store;
    for held in &answer.holds {
        let stored = match held {
            Held::Access(text) => store.find_access_token(&Hash::of(text)).now_or_never().unwrap().unwrap().is_some(),
            Held::Code(text) => store.find_code(&Hash::of(text)).now_or_never().unwrap().unwrap().is_some(),
            Held::Refresh(text) => store.find_refresh_token(&Hash::of(text)).now_or_never().unwrap().unwrap().is_some(),
            Held::Session(session) => store.find_session(&session.id).now_or_never().unwrap().unwrap().is_some(),
            Held::Proof => store.authentications(&run.scene.session.id).now_or_never().unwrap().unwrap().len() > 1,
        };
        if !stored {
            return Err(Violation(format!("{:?} reports success for a {} not stored", actor.operation, name(held))));
        }
    }
    let ends_nothing =
        actor.operation.ends().is_some_and(|ends| run.stage.app.live.position_of(&target(run.scene, ends)).is_none());
    if ends_nothing {
        return Err(Violation(format!("{:?} reports success and ended nothing", actor.operation)));
    }
    Ok(())
}

/// A code is good for one exchange, a refresh token for one successor.
fn one_use_of_what_is_used_once(run: &Run<'_>) -> Result<(), Violation> {
    let both = |operation| run.actors.iter().all(|actor| actor.operation == operation);
    let answers = || run.actors.iter().filter_map(|actor| actor.answer.as_ref());
    if both(Operation::ExchangeCode) {
        let issued = answers().filter(|answer| answer.succeeded).count();
        let replayed = run.ended.iter().any(|(ends, _)| *ends == Ends::CodeGrant);
        let nobody_gave_up = answers().count() == 2;
        if issued > 1 || (nobody_gave_up && !(issued == 1 && replayed)) {
            return Err(Violation(format!("one code, {issued} exchanges, replay noticed: {replayed}")));
        }
    }
    if both(Operation::Refresh) {
        let mut heads: Vec<_> =
            answers().flat_map(|answer| &answer.holds).filter(|held| matches!(held, Held::Refresh(_))).collect();
        heads.dedup();
        let old = What::Held(Held::Refresh(run.scene.refresh.clone()));
        if heads.len() > 1 || (heads.len() == 1 && is_alive(&run.stage.app, run.scene, &old)) {
            return Err(Violation("a refresh token has more than one live successor".to_owned()));
        }
    }
    Ok(())
}

/// No token in force has a scope that its client has lost (DESIGN rule 4).
fn nothing_exceeds_the_client(run: &Run<'_>) -> Result<(), Violation> {
    let app = &run.stage.app;
    let client = app.live.client(&run.scene.client.id).unwrap();
    let exceeds = |token: &AccessToken| {
        let allowed = |scope: &str| client.scopes.iter().any(|one| one == scope);
        !token.scope.split(' ').all(allowed) && access_counts(app, token)
    };
    match tokens(run).iter().find(|token| exceeds(token)) {
        Some(token) => {
            Err(Violation(format!("a live token has `{}`, its client only {:?}", token.scope, client.scopes)))
        }
        None => Ok(()),
    }
}

/// Ending is not banning, and enabling revives nothing (DESIGN rule 3).
fn enable(run: &mut Run<'_>) {
    let (user, anybody) = (run.scene.user.id.clone(), Initiator::System("the oracle".to_owned()));
    let change = UserChange { enabled: Some(true), ..UserChange::default() };
    run.stage.at_once(move |door| door.change_user(&user, &change, &anybody));
}
