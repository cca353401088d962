//! The files that pages load (stylesheets, scripts, the logo), built into the program.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

#[derive(rust_embed::Embed)]
#[folder = "assets/"]
struct Assets;

/// The file name with the hash of the content in it: `rescind.css` → `rescind.1f….css`.
#[must_use]
pub fn versioned(name: &str) -> String {
    match Assets::get(name).zip(name.rsplit_once('.')) {
        Some((file, (stem, kind))) => format!("{stem}.{}.{kind}", version(&file)),
        None => name.to_owned(),
    }
}

/// The first 64 bits of the content's SHA-256.
fn version(file: &rust_embed::EmbeddedFile) -> String {
    file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The answer for `/assets/{name}`.
///
/// Only a name that carries the hash of what is served may be kept for long: while nodes of two versions stand side by
/// side, one may be asked for the other's file.
#[must_use]
pub fn answer(name: &str) -> Response {
    let (plain, asked) = without_version(name);
    let Some((file, media_type)) = Assets::get(&plain).zip(media_type(&plain)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let version = version(&file);
    let caching = if asked == Some(version.as_str()) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\"")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::ETAG, etag),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    ];
    (headers, file.data.into_owned()).into_response()
}

/// `rescind.1f….css` → (`rescind.css`, `1f…`).
fn without_version(name: &str) -> (String, Option<&str>) {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [stem, version, kind] => (format!("{stem}.{kind}"), Some(version)),
        _ => (name.to_owned(), None),
    }
}

fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}
