-- Everything there is. Times are milliseconds since 1970; a position is (epoch, seq); lists are JSON arrays of text.
-- Secondary indexes end in the primary key by themselves, which gives listings their order: newest first, then key.

CREATE TABLE meta (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    -- Says that a head marker belongs to this database and not to another.
    database_id  BLOB    NOT NULL,
    -- Transactions ever committed: tells an old copy of the file even if no entry was made since.
    commits      INTEGER NOT NULL,
    floor_epoch  INTEGER NOT NULL,
    floor_seq    INTEGER NOT NULL,
    -- Under which name everything was issued; unknown before the first start.
    issuer       TEXT,
    -- The last audit record that was forgotten: the chain begins after it.
    audit_floor_seq   INTEGER NOT NULL,
    audit_floor_hash  BLOB    NOT NULL,
    -- Outbox rows up to here are expanded into deliveries.
    expanded_epoch    INTEGER NOT NULL,
    expanded_seq      INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, randomblob(16), 0, 1, 0, NULL, 0, zeroblob(32), 1, 0);

CREATE TABLE epochs (
    epoch      INTEGER PRIMARY KEY,
    opened_at  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL
) STRICT;
INSERT INTO epochs VALUES (1, 0, 0);

CREATE TABLE entries (
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    target     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    initiator  TEXT    NOT NULL,
    note       TEXT,
    -- Ends only what descends from an authentication before this, if it is conditioned.
    issued_before  INTEGER,
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_time ON entries (time);

-- Entries that are still to be told to receivers or to be counted.
CREATE TABLE outbox (
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

-- When entries were durable and in force: a row for each stretch that was committed together.
CREATE TABLE effects (
    epoch       INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    first_seq   INTEGER NOT NULL,
    durable_at  INTEGER NOT NULL,
    applied_at  INTEGER NOT NULL,
    -- Nobody noted it: it was then at the latest.
    at_latest   INTEGER NOT NULL,
    PRIMARY KEY (epoch, last_seq)
) STRICT, WITHOUT ROWID;

-- What each entry has ended.
CREATE TABLE tallies (
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    receiver    TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    made_at     INTEGER NOT NULL,
    first_at    INTEGER,
    last_at     INTEGER,
    next_at     INTEGER,
    last_error  TEXT,
    PRIMARY KEY (epoch, seq, receiver)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (receiver, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_pending ON deliveries (epoch, seq) WHERE state = 'pending';
CREATE INDEX deliveries_given_up ON deliveries (receiver) WHERE state = 'gave_up';
CREATE INDEX deliveries_tried ON deliveries (receiver, last_at) WHERE last_at IS NOT NULL;

CREATE TABLE attempts (
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    receiver  TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    error     TEXT,
    PRIMARY KEY (epoch, seq, receiver, number)
) STRICT, WITHOUT ROWID;

-- What a user was called until that was changed or the user was deleted: it held for every entry up to that position.
CREATE TABLE past_identities (
    user_id       TEXT    NOT NULL,
    epoch         INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    user_name     TEXT    NOT NULL,
    email         TEXT,
    display_name  TEXT,
    PRIMARY KEY (user_id, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX past_identities_by_position ON past_identities (epoch, seq);

-- The audit trail: each record's hash covers its text, its number and the hash before.
CREATE TABLE audit (
    seq   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    body  TEXT    NOT NULL,
    hash  BLOB    NOT NULL
) STRICT;

CREATE TABLE audit_heads (
    seq    INTEGER PRIMARY KEY,
    hash   BLOB    NOT NULL,
    at     INTEGER NOT NULL,
    token  TEXT    NOT NULL
) STRICT;

-- Every change of a setting; the last one of each name is in force.
CREATE TABLE setting_changes (
    version    INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    -- JSON; none: back to the default.
    value      TEXT,
    initiator  TEXT    NOT NULL,
    note       TEXT
) STRICT;
CREATE INDEX setting_changes_by_name ON setting_changes (name, version);

CREATE TABLE idempotency (
    initiator  TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    target     TEXT    NOT NULL,
    issued_before  INTEGER,
    at         INTEGER NOT NULL,
    PRIMARY KEY (initiator, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_position ON idempotency (epoch, seq);

CREATE TABLE horizons (
    id     INTEGER PRIMARY KEY,
    since  INTEGER NOT NULL,
    secs   INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id             TEXT    PRIMARY KEY,
    user_name      TEXT    NOT NULL,
    -- The user name in lower case: SQLite itself knows the case of ASCII only.
    folded_name    TEXT    NOT NULL UNIQUE,
    -- Its SHA-256, by which those may ask who must not see names.
    name_hash      BLOB    NOT NULL UNIQUE,
    email          TEXT,
    -- The address in lower case. Several users may share one.
    folded_email   TEXT,
    display_name   TEXT,
    folded_display_name  TEXT,
    password_hash  TEXT,
    enabled        INTEGER NOT NULL,
    role           TEXT,
    external_id    TEXT,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX users_with_role ON users (id) WHERE role IS NOT NULL;
CREATE INDEX users_by_external_id ON users (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_by_creation ON users (created_at);
CREATE INDEX users_disabled ON users (folded_name) WHERE enabled = 0;
CREATE INDEX users_disabled_by_creation ON users (created_at) WHERE enabled = 0;
CREATE INDEX users_by_display_name ON users (folded_display_name) WHERE folded_display_name IS NOT NULL;
CREATE INDEX users_by_email ON users (folded_email) WHERE folded_email IS NOT NULL;

CREATE TABLE clients (
    id    TEXT PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apis (
    audience  TEXT PRIMARY KEY,
    body      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    id           TEXT    PRIMARY KEY,
    body         TEXT    NOT NULL,
    -- Of its body: the name in lower case, and what it can be listed by.
    folded_name  TEXT    NOT NULL,
    enabled      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_name ON devices (folded_name);
CREATE INDEX devices_by_creation ON devices (created_at);
-- By which names others know a device.
CREATE TABLE device_external_ids (
    kind          TEXT  NOT NULL,
    value         TEXT  NOT NULL,
    folded_value  TEXT  NOT NULL,
    device_id     TEXT  NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_external_ids_by_value ON device_external_ids (folded_value, device_id);
CREATE INDEX device_external_ids_by_device ON device_external_ids (device_id);
CREATE INDEX devices_disabled ON devices (folded_name) WHERE enabled = 0;
CREATE INDEX devices_disabled_by_creation ON devices (created_at) WHERE enabled = 0;

-- The scripts there are, each with the version that is in use.
CREATE TABLE scripts (
    name         TEXT    PRIMARY KEY,
    version      INTEGER NOT NULL,
    asked_order  INTEGER NOT NULL,
    enabled      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Every version that was ever stored, those of scripts that are gone as well.
CREATE TABLE script_versions (
    name       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    source     TEXT    NOT NULL,
    stored_at  INTEGER NOT NULL,
    stored_by  TEXT    NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- Orders that wait for another administrator or for their time, and what became of them.
CREATE TABLE pending_orders (
    id          TEXT    PRIMARY KEY,
    state       TEXT    NOT NULL,
    initiator   TEXT    NOT NULL,
    key         TEXT,
    ordered_at  INTEGER NOT NULL,
    -- When the clock has to be looked at; none once it is over.
    due_at      INTEGER,
    closed_at   INTEGER,
    body        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pending_orders_by_key ON pending_orders (initiator, key) WHERE key IS NOT NULL;
CREATE INDEX pending_orders_by_time ON pending_orders (ordered_at);
CREATE INDEX pending_orders_due ON pending_orders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX pending_orders_closed ON pending_orders (closed_at) WHERE closed_at IS NOT NULL;

-- Decisions about many users, and how far they have come.
CREATE TABLE bulk_jobs (
    id          TEXT    PRIMARY KEY,
    ordered_at  INTEGER NOT NULL,
    closed_at   INTEGER,
    body        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_jobs_by_time ON bulk_jobs (ordered_at);
CREATE INDEX bulk_jobs_open ON bulk_jobs (ordered_at) WHERE closed_at IS NULL;
CREATE INDEX bulk_jobs_closed ON bulk_jobs (closed_at) WHERE closed_at IS NOT NULL;

-- The users of a job, as many in a row as one transaction takes.
CREATE TABLE bulk_pieces (
    job    TEXT    NOT NULL,
    place  INTEGER NOT NULL,
    users  TEXT    NOT NULL,
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_failures (
    job      TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    user_id  TEXT    NOT NULL,
    why      TEXT    NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    name    TEXT    PRIMARY KEY,
    sealed  BLOB    NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id          TEXT    PRIMARY KEY,
    cookie      BLOB    NOT NULL UNIQUE,
    user_id     TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    device_id   TEXT,
    ip          TEXT,
    user_agent  TEXT,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    touched_at  INTEGER NOT NULL,
    idle_secs   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- When its time runs out if nothing more happens in it; none once it has ended.
    due_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_start ON sessions (started_at);
CREATE INDEX sessions_by_user ON sessions (user_id, started_at);
-- Those that count against the most that a user may have: few, however many have ended.
CREATE INDEX sessions_live ON sessions (user_id, started_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_by_device ON sessions (device_id, started_at) WHERE device_id IS NOT NULL;
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at) WHERE due_at IS NULL;

CREATE TABLE authentications (
    id          INTEGER PRIMARY KEY,
    session_id  TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    methods     TEXT    NOT NULL
) STRICT;
CREATE INDEX authentications_by_session ON authentications (session_id, at);

CREATE TABLE consents (
    id          INTEGER PRIMARY KEY,
    user_id     TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    audiences   TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    -- Of the sign-in it was given in.
    auth_time   INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_by_user ON consents (user_id, client_id, at);
CREATE INDEX consents_by_expiry ON consents (expires_at);

CREATE TABLE pushed_requests (
    hash        BLOB    PRIMARY KEY,
    client_id   TEXT    NOT NULL,
    parameters  TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);

CREATE TABLE pushed_request_uses (
    hash  BLOB    PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A grant's columns stand in the same order in `codes`. Rows lie in the order in which they were written, so that many of
-- them can be counted at once.
CREATE TABLE grants (
    number         INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    client_id      TEXT    NOT NULL,
    user_id        TEXT,
    session_id     TEXT,
    session_bound  INTEGER NOT NULL,
    device_id      TEXT,
    scope          TEXT    NOT NULL,
    audiences      TEXT    NOT NULL,
    epoch          INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    auth_time      INTEGER,
    nonce          TEXT,
    issued_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_by_issue ON grants (issued_at);
CREATE INDEX grants_by_client ON grants (client_id, issued_at);
CREATE INDEX grants_by_user ON grants (user_id, issued_at) WHERE user_id IS NOT NULL;
CREATE INDEX grants_by_session ON grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_device ON grants (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE codes (
    hash                     BLOB    PRIMARY KEY,
    redirect_uri             TEXT    NOT NULL,
    registered_redirect_uri  TEXT    NOT NULL,
    code_challenge           TEXT    NOT NULL,
    issued_at                INTEGER NOT NULL,
    expires_at               INTEGER NOT NULL,
    grant_id                 TEXT    NOT NULL,
    client_id                TEXT    NOT NULL,
    user_id                  TEXT,
    session_id               TEXT,
    session_bound            INTEGER NOT NULL,
    device_id                TEXT,
    scope                    TEXT    NOT NULL,
    audiences                TEXT    NOT NULL,
    epoch                    INTEGER NOT NULL,
    seq                      INTEGER NOT NULL,
    auth_time                INTEGER,
    nonce                    TEXT,
    grant_issued_at          INTEGER NOT NULL,
    grant_expires_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE code_uses (
    hash  BLOB    PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Issuance writes here most, so a listing by session or device goes by way of the grants, and one by audience looks at
-- each row it passes. Rows lie in the order in which they were written: the hash is random, and each row would be a page of its own.
CREATE TABLE access_tokens (
    number         INTEGER PRIMARY KEY,
    hash           BLOB    NOT NULL UNIQUE,
    id             TEXT    NOT NULL UNIQUE,
    grant_id       TEXT    NOT NULL,
    client_id      TEXT    NOT NULL,
    user_id        TEXT,
    session_id     TEXT,
    -- Bits, as the ledger's `SessionValidation` has them.
    session_validation  INTEGER NOT NULL,
    device_id      TEXT,
    scope          TEXT    NOT NULL,
    audiences      TEXT    NOT NULL,
    key_id         TEXT,
    certificate    TEXT,
    epoch          INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    auth_time      INTEGER,
    issued_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX access_tokens_by_issue ON access_tokens (issued_at);
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id, issued_at);
CREATE INDEX access_tokens_by_client ON access_tokens (client_id, issued_at);
-- With all that decides whether a token counts: those of one user can be counted without their rows, which lie apart.
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, issued_at, number, id, grant_id, client_id, session_id,
    session_validation, device_id, audiences, key_id, epoch, seq, auth_time, expires_at) WHERE user_id IS NOT NULL;
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

-- Whose status stands where. A list and its references go together, once its last token has expired: until then it can
-- also be said how it stood at an earlier moment.
CREATE TABLE status_lists (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    opened_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX status_lists_by_expiry ON status_lists (expires_at);

-- Read a list at a time, in order.
CREATE TABLE status_references (
    list     INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    -- The token's lineage, its stamp, its root time and when it was issued, in one piece.
    lineage  BLOB    NOT NULL,
    PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE logout_status_jwts (
    hash        BLOB    PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    grant_id    TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    session_id  TEXT    NOT NULL,
    device_id   TEXT,
    key_id      TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    auth_time   INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    list        TEXT    NOT NULL,
    idx         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_status_jwts_by_expiry ON logout_status_jwts (expires_at);

CREATE TABLE refresh_tokens (
    hash        BLOB    PRIMARY KEY,
    grant_id    TEXT    NOT NULL,
    parent      BLOB,
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id, issued_at);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- Grants of users that have refresh tokens, with when tokens were last issued for them: what counts against the most that a
-- user may have at one application.
CREATE TABLE refresh_grants (
    grant_id        TEXT    PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    client_id       TEXT    NOT NULL,
    last_issued_at  INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_grants_by_use ON refresh_grants (user_id, client_id, last_issued_at);
CREATE INDEX refresh_grants_by_expiry ON refresh_grants (expires_at);

CREATE TABLE refresh_uses (
    hash  BLOB    PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE assertions (
    client_id   TEXT    NOT NULL,
    jti         TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX assertions_by_expiry ON assertions (expires_at);
