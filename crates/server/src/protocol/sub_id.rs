//! The body of a global token revocation: one subject identifier (RFC 9493), read strictly. Pure: who is meant is found out
//! elsewhere.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    peer::percent_decoded,
    protocol::user_attribute::{Attribute, VALUE_LIMIT},
};

/// Whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubId {
    /// All of one user: one, or the `aliases` whose format is known here (section 3.2.8).
    pub identifiers: Vec<Identifier>,
}

/// One way of naming one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// `account` (section 3.2.1): the two halves of an `acct:` URI, decoded.
    Account { user: String, host: String },
    /// `email` (section 3.2.2).
    Email(String),
    /// `iss_sub` (section 3.2.3).
    Subject { issuer: String, subject: String },
    /// `opaque` (section 3.2.4): our own id of the user.
    Id(String),
    /// Janssen's form: the name of an attribute as the format, and its value as `id`.
    Attribute(Attribute, String),
}

/// Why a body is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body must be a JSON object with the one member `sub_id`, and no member twice")]
    Body,
    #[error(
        "`sub_id` must be an object with a `format` and exactly the members of that format, none of them empty (RFC 9493)"
    )]
    Malformed,
    #[error("an e-mail address has two parts with an `@` between them")]
    Email,
    #[error("an account is an `acct:` URI, such as acct:alice@id.example (RFC 7565)")]
    Account,
    #[error("`aliases` names the same subject in 1 to 16 other formats (RFC 9493 section 3.2.8)")]
    Aliases,
    #[error("a part of the subject identifier is longer than 1024 bytes")]
    TooLong,
    #[error("this format is not supported here; supported: account, aliases, email, iss_sub, opaque")]
    Unsupported,
}

/// Nobody has more names. Each may cost a question to the store.
const MOST_ALIASES: usize = 16;

impl SubId {
    /// Reads a body. With `attribute_formats` a format may also be an attribute's name, as Janssen has it.
    ///
    /// # Errors
    /// If it is not one well-formed subject identifier of a known format. Members that belong to no format are refused
    /// (section 3), and so are those given twice, on which two readers could disagree.
    pub fn read(body: &[u8], attribute_formats: bool) -> Result<Self, Unreadable> {
        let Ok(Json::Object(members)) = serde_json::from_slice(body) else { return Err(Unreadable::Body) };
        let [(name, sub_id)] = members.as_slice() else { return Err(Unreadable::Body) };
        if name != "sub_id" {
            return Err(Unreadable::Body);
        }
        let found = Members::of(sub_id)?;
        let identifiers = match found.format {
            "aliases" => found.aliases(attribute_formats)?,
            _ => vec![found.identifier(attribute_formats)?],
        };
        Ok(Self { identifiers })
    }
}

/// An object that says which format it has.
struct Members<'a> {
    format: &'a str,
    /// Without the format.
    others: Vec<(&'a str, &'a Json)>,
}

impl<'a> Members<'a> {
    fn of(json: &'a Json) -> Result<Self, Unreadable> {
        let Json::Object(members) = json else { return Err(Unreadable::Malformed) };
        let mut format = None;
        let mut others = Vec::new();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("format", Json::Text(text)) => format = Some(text.as_str()),
                ("format", _) => return Err(Unreadable::Malformed),
                (name, value) => others.push((name, value)),
            }
        }
        Ok(Self { format: format.ok_or(Unreadable::Malformed)?, others })
    }

    fn identifier(&self, attribute_formats: bool) -> Result<Identifier, Unreadable> {
        if attribute_formats && let Some(attribute) = self.attribute() {
            return Ok(Identifier::Attribute(attribute, self.only("id")?));
        }
        match self.format {
            "account" => account(&self.only("uri")?),
            "email" => email(self.only("email")?),
            "iss_sub" => {
                let [issuer, subject] = self.texts(["iss", "sub"])?;
                Ok(Identifier::Subject { issuer, subject })
            }
            "opaque" => Ok(Identifier::Id(self.only("id")?)),
            _ => Err(Unreadable::Unsupported),
        }
    }

    /// The attribute whose name stands where a format should. `email` is both; which one is meant, the other member says.
    fn attribute(&self) -> Option<Attribute> {
        let has_id = self.others.iter().any(|(name, _)| *name == "id");
        Attribute::find(self.format).filter(|_| has_id)
    }

    /// An alias of a format that nobody knows here is no mistake: the sender need not know which ones are (section 3.2.8).
    fn aliases(&self, attribute_formats: bool) -> Result<Vec<Identifier>, Unreadable> {
        let [("identifiers", Json::List(items))] = self.others.as_slice() else { return Err(Unreadable::Aliases) };
        if items.is_empty() || items.len() > MOST_ALIASES {
            return Err(Unreadable::Aliases);
        }
        let mut known = Vec::new();
        for item in items {
            let alias = Members::of(item)?;
            match alias.identifier(attribute_formats) {
                Ok(identifier) => known.push(identifier),
                Err(Unreadable::Unsupported) if alias.format == "aliases" => return Err(Unreadable::Aliases),
                Err(Unreadable::Unsupported) => {}
                Err(why) => return Err(why),
            }
        }
        if known.is_empty() { Err(Unreadable::Unsupported) } else { Ok(known) }
    }

    fn only(&self, name: &str) -> Result<String, Unreadable> {
        let [text] = self.texts([name])?;
        Ok(text)
    }

    /// Exactly these members, each a text that is not empty.
    fn texts<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], Unreadable> {
        if self.others.len() != N {
            return Err(Unreadable::Malformed);
        }
        let mut texts = [const { String::new() }; N];
        for (name, place) in names.into_iter().zip(&mut texts) {
            let found = self.others.iter().find(|(known, _)| *known == name);
            let Some((_, Json::Text(text))) = found else { return Err(Unreadable::Malformed) };
            if text.is_empty() {
                return Err(Unreadable::Malformed);
            }
            if text.len() > VALUE_LIMIT {
                return Err(Unreadable::TooLong);
            }
            place.clone_from(text);
        }
        Ok(texts)
    }
}

/// Whether it can be delivered to is not asked: it is only compared.
fn email(address: String) -> Result<Identifier, Unreadable> {
    let sound = address.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if sound { Ok(Identifier::Email(address)) } else { Err(Unreadable::Email) }
}

/// RFC 7565 section 7: `acct:` userpart `@` host, where an `@` of the user part is percent-encoded.
fn account(uri: &str) -> Result<Identifier, Unreadable> {
    let sub_delims = b"!$&'()*+,;=";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte) || sub_delims.contains(&byte);
    let (scheme, rest) = uri.split_once(':').ok_or(Unreadable::Account)?;
    let (user, host) = rest.split_once('@').ok_or(Unreadable::Account)?;
    let sound = scheme.eq_ignore_ascii_case("acct")
        && !user.is_empty()
        && !host.is_empty()
        && user.bytes().all(plain)
        // An IPv6 address stands in brackets.
        && host.bytes().all(|byte| plain(byte) || b"[:]".contains(&byte));
    if !sound {
        return Err(Unreadable::Account);
    }
    let decoded = |part| percent_decoded(part).ok_or(Unreadable::Account);
    Ok(Identifier::Account { user: decoded(user)?, host: decoded(host)? })
}

/// JSON whose objects have no member twice. Numbers and the like belong to no format here.
enum Json {
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            // The list is too long whatever else stands in it.
            if items.len() > MOST_ALIASES {
                list.next_element::<IgnoredAny>()?;
                continue;
            }
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.len() == MOST_ALIASES || members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("a member twice, or more of them than any format has"));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests;
