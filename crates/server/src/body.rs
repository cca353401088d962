//! A body, gathered whole and within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

/// Why there is no whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ungathered {
    TooLarge,
    /// It broke off, or was never well-formed.
    Broken,
}

/// The whole body, of at most `most` bytes; one that arrived in one piece, as most do, is not copied.
pub(crate) async fn gather(mut body: impl Body<Data = Bytes> + Unpin, most: usize) -> Result<Bytes, Ungathered> {
    let most_u64 = u64::try_from(most).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most_u64 {
        return Err(Ungathered::TooLarge);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Ungathered::Broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > most {
            return Err(Ungathered::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
