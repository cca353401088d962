//! What is issued, in its columns: the two records with the most of them.

use rescind_ledger::{AccessToken, Code};
use rusqlite::{Connection, params};

use super::cells::bound;

pub(super) fn insert_code(connection: &Connection, code: &Code, audiences: &str) -> rusqlite::Result<()> {
    let grant = &code.grant;
    let (epoch, seq) = bound(grant.position);
    connection
        .prepare_cached(
            "INSERT INTO codes (hash, redirect_uri, registered_redirect_uri, code_challenge, issued_at, expires_at, grant_id, \
             client_id, user_id, session_id, session_bound, device_id, scope, audiences, epoch, seq, auth_time, nonce, \
             grant_issued_at, grant_expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(params![
                code.hash.0,
                code.redirect_uri,
                code.registered_redirect_uri,
                code.code_challenge,
                code.issued_at.0,
                code.expires_at.0,
                grant.id,
                grant.client,
                grant.user,
                grant.session,
                grant.session_bound,
                grant.device,
                grant.scope,
                audiences,
                epoch,
                seq,
                grant.auth_time.map(|at| at.0),
                grant.nonce,
                grant.issued_at.0,
                grant.expires_at.0
            ])?;
    Ok(())
}

pub(super) fn insert_access_token(
    connection: &Connection,
    token: &AccessToken,
    audiences: &str,
) -> rusqlite::Result<()> {
    let (epoch, seq) = bound(token.position);
    connection
        .prepare_cached(
            "INSERT INTO access_tokens (hash, id, grant_id, client_id, user_id, session_id, session_validation, device_id, \
             scope, audiences, key_id, certificate, epoch, seq, auth_time, issued_at, expires_at) VALUES (?1, ?2, ?3, \
             ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
                token.hash.0,
                token.id,
                token.grant,
                token.client,
                token.user,
                token.session,
                token.session_validation.bits(),
                token.device,
                token.scope,
                audiences,
                token.key,
                token.certificate,
                epoch,
                seq,
                token.auth_time.map(|at| at.0),
                token.issued_at.0,
                token.expires_at.0
            ])?;
    Ok(())
}
