//! Records to try a store with; each differs from the next in every member that tells them apart.

use rescind_ledger::{
    AccessToken, Api, Authentication, Client, ClientAuthMethod, Code, Consent, Device, Entry, Grant, Hash, Initiator,
    Position, PushedRequest, Reason, RefreshToken, Rotation, Session, SessionValidation, Target, Timestamp,
    TokenFormat, User,
};

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn position(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

pub(crate) fn hash(name: &str) -> Hash {
    Hash::of(name)
}

pub(crate) fn entry(position: Position, target: Target) -> Entry {
    Entry {
        position,
        time: at(i64::try_from(position.seq).unwrap()),
        target,
        reason: Reason::UserRequest,
        initiator: Initiator::Administrator("local".to_owned()),
        note: None,
        before: None,
    }
}

/// Entry number `seq` of epoch 1, made at second `seq`.
pub(crate) fn nth_entry(seq: u64) -> Entry {
    entry(position(seq), Target::Grant { grant: format!("g{seq}") })
}

pub(crate) fn user(id: &str, user_name: &str) -> User {
    User {
        email: Some(format!("{id}@example.org")),
        password_hash: Some("$argon2id$…".to_owned()),
        ..User::new(id, user_name, at(1))
    }
}

pub(crate) fn client(id: &str) -> Client {
    Client {
        secret_hash: Some(hash(id)),
        redirect_uris: vec!["https://client.example/cb".to_owned()],
        grant_types: vec!["authorization_code".to_owned()],
        scopes: vec!["openid".to_owned()],
        rotation: Rotation::EachUse,
        ..Client::new(id.to_owned(), format!("Client {id}"), ClientAuthMethod::ClientSecretBasic, at(1))
    }
}

pub(crate) fn api(audience: &str) -> Api {
    Api {
        audience: audience.to_owned(),
        name: "API".to_owned(),
        scopes: vec!["read".to_owned()],
        token_format: TokenFormat::Opaque,
        access_token_secs: Some(300),
        session_validation: SessionValidation::default(),
        created_at: at(1),
    }
}

pub(crate) fn device(id: &str) -> Device {
    Device {
        id: id.to_owned(),
        name: format!("Device {id}"),
        external_ids: vec![("mdm".to_owned(), id.to_uppercase())],
        enabled: true,
        created_at: at(1),
    }
}

/// Started at second 100, expires at second 1000.
pub(crate) fn session(id: &str) -> Session {
    Session {
        id: id.to_owned(),
        cookie: hash(&format!("cookie {id}")),
        user: "u".to_owned(),
        source: "password".to_owned(),
        device: Some("d".to_owned()),
        ip: Some("192.0.2.1".to_owned()),
        user_agent: None,
        position: position(7),
        started_at: at(100),
        touched_at: at(100),
        idle_secs: 600,
        expires_at: at(1000),
    }
}

pub(crate) fn authentication(session: &str, secs: i64) -> Authentication {
    Authentication {
        session: session.to_owned(),
        position: position(7),
        at: at(secs),
        methods: vec!["pwd".to_owned(), "otp".to_owned()],
    }
}

/// Issued at second 100, expires at second 1000.
pub(crate) fn grant(id: &str) -> Grant {
    Grant {
        id: id.to_owned(),
        client: "c".to_owned(),
        user: Some("u".to_owned()),
        session: Some("s".to_owned()),
        session_bound: true,
        device: Some("d".to_owned()),
        scope: "openid read".to_owned(),
        audiences: vec!["https://a.example".to_owned(), "https://b.example/\"quoted\"".to_owned()],
        position: position(7),
        auth_time: Some(at(90)),
        nonce: Some("n-0S6".to_owned()),
        issued_at: at(100),
        expires_at: at(1000),
    }
}

/// A token of a grant, with the grant's client, user, session and device.
pub(crate) fn access_token(id: &str, grant: &Grant) -> AccessToken {
    AccessToken {
        hash: hash(id),
        id: id.to_owned(),
        grant: grant.id.clone(),
        client: grant.client.clone(),
        user: grant.user.clone(),
        session: grant.session.clone(),
        session_validation: if grant.session_bound { SessionValidation::ALL } else { SessionValidation::NONE },
        device: grant.device.clone(),
        scope: grant.scope.clone(),
        audiences: grant.audiences.clone(),
        key: Some("k1".to_owned()),
        certificate: None,
        position: grant.position,
        auth_time: grant.auth_time,
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
    }
}

pub(crate) fn refresh_token(name: &str, grant: &str) -> RefreshToken {
    RefreshToken {
        hash: hash(name),
        grant: grant.to_owned(),
        parent: Some(hash("parent")),
        issued_at: at(100),
        expires_at: at(1000),
    }
}

pub(crate) fn code(name: &str) -> Code {
    Code {
        hash: hash(name),
        grant: grant(&format!("grant of {name}")),
        redirect_uri: "http://127.0.0.1:4711/cb".to_owned(),
        registered_redirect_uri: "http://127.0.0.1/cb".to_owned(),
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
        issued_at: at(100),
        expires_at: at(1000),
    }
}

pub(crate) fn consent(secs: i64) -> Consent {
    Consent {
        user: "u".to_owned(),
        client: "c".to_owned(),
        scopes: vec!["openid".to_owned()],
        audiences: vec!["https://a.example".to_owned()],
        position: position(7),
        auth_time: at(secs - 1),
        at: at(secs),
        expires_at: at(1000),
    }
}

pub(crate) fn pushed_request(name: &str) -> PushedRequest {
    PushedRequest {
        handle: hash(name),
        client: "c".to_owned(),
        parameters: r#"{"scope":"openid"}"#.to_owned(),
        position: position(7),
        issued_at: at(100),
        expires_at: at(1000),
    }
}
