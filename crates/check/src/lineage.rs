//! Where a credential comes from, and the form of it that the index is asked with.

use crate::{Effect, Fingerprint, FingerprintKey, Position, TargetRef};

/// Room for the message of a common target; a longer one grows it.
const MESSAGE: usize = 192;

/// Everything by which a credential can be ended, and the position at which it was stamped. What is `None` does not
/// bind the credential: one that outlives its session is given no `session` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage<'a> {
    /// `jti`
    pub token: Option<&'a str>,
    /// The grant's id.
    pub grant: Option<&'a str>,
    /// `sid`, for credentials bound to their session.
    pub session: Option<&'a str>,
    /// The managed device's id.
    pub device: Option<&'a str>,
    /// `(iss, sub)`
    pub subject: Option<(&'a str, &'a str)>,
    /// `client_id`
    pub client: Option<&'a str>,
    /// Identifiers of the resource servers it is for.
    pub audiences: &'a [String],
    /// `kid` of the key that signed it.
    pub key: Option<&'a str>,
    /// The stamp: the least position over the lineage.
    pub position: Position,
    /// When the authentication was from which it descends, or when it was issued if there was none, in milliseconds since 1970.
    /// Inherited like the stamp: nothing younger ever takes its place.
    pub root_time: i64,
}

impl<'a> Lineage<'a> {
    /// A lineage that names nothing yet: only an entry for everything reaches it.
    #[must_use]
    pub fn at(position: Position, root_time: i64) -> Self {
        Self {
            token: None,
            grant: None,
            session: None,
            device: None,
            subject: None,
            client: None,
            audiences: &[],
            key: None,
            position,
            root_time,
        }
    }

    /// All targets that reach this credential: the never-reused ones first, then the living ones and their pairs.
    pub fn targets(&self) -> impl Iterator<Item = TargetRef<'a>> + use<'a> {
        let Self { token, grant, session, device, subject, client, audiences, key, .. } = *self;
        let ending = [
            token.map(TargetRef::Token),
            grant.map(TargetRef::Grant),
            session.map(TargetRef::Session),
            key.map(TargetRef::Key),
        ];
        let living = [
            Some(TargetRef::Everything),
            device.map(TargetRef::Device),
            subject.map(|(issuer, subject)| TargetRef::Subject { issuer, subject }),
            client.map(TargetRef::Client),
            subject.zip(client).map(|((issuer, subject), client)| TargetRef::SubjectClient { issuer, subject, client }),
            device.zip(client).map(|(device, client)| TargetRef::DeviceClient { device, client }),
        ];
        let per_audience = audiences.iter().flat_map(move |audience| {
            let audience = audience.as_str();
            [
                Some(TargetRef::Audience(audience)),
                subject.map(|(issuer, subject)| TargetRef::SubjectAudience { issuer, subject, audience }),
                client.map(|client| TargetRef::ClientAudience { client, audience }),
            ]
        });
        ending.into_iter().chain(living).chain(per_audience).flatten()
    }

    /// The fingerprints of all targets with the stamp and the root time: what the verdict needs, and nothing else.
    #[must_use]
    pub fn trace(&self, key: &FingerprintKey) -> Trace {
        let mut never_reused = 0;
        let mut prints = Vec::with_capacity(10 + 3 * self.audiences.len());
        let mut message = Vec::with_capacity(MESSAGE);
        // From within the iterator: a chain of chains asked for one item at a time looks each time where it was.
        self.targets().for_each(|target| {
            never_reused += u32::from(!target.is_living());
            prints.push(target.fingerprint_within(key, &mut message).0);
        });
        Trace { position: self.position, root_time: self.root_time, never_reused, prints }
    }
}

/// The fingerprints of a credential's targets, its stamp and its root time, worked out before the index is asked. The order is
/// that of [`Lineage::targets`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    position: Position,
    root_time: i64,
    never_reused: u32,
    prints: Vec<u64>,
}

impl Trace {
    /// The stamp.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// When the authentication was from which the credential descends, in milliseconds since 1970.
    #[must_use]
    pub fn root_time(&self) -> i64 {
        self.root_time
    }

    /// The same targets with another stamp.
    #[must_use]
    pub fn with_position(self, position: Position) -> Self {
        Self { position, ..self }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.prints.capacity() * size_of::<u64>()
    }

    /// What the credential can be ended by, in the order of [`Lineage::targets`].
    pub fn targets(&self) -> impl Iterator<Item = Fingerprint> {
        self.prints.iter().copied().map(Fingerprint)
    }

    /// Whether entries that are not yet in any index end the credential, by the rule of [`crate::Index::verdict`]: `effect`
    /// says what those for a target do.
    #[must_use]
    pub fn is_ended_among<'e>(&self, effect: impl Fn(Fingerprint) -> Option<&'e Effect>) -> bool {
        self.prints.iter().enumerate().any(|(number, print)| {
            let found = effect(Fingerprint(*print));
            found.is_some_and(|found| found.ends(self.is_living(number), self.position, self.root_time))
        })
    }

    pub(crate) fn prints(&self) -> &[u64] {
        &self.prints
    }

    /// Whether the target with this number in the order of [`Lineage::targets`] lives on after an entry.
    pub(crate) fn is_living(&self, number: usize) -> bool {
        number >= self.never_reused as usize
    }
}
