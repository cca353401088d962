//! Listings of what has a name: searched, sorted, and paged so that nothing is skipped or shown twice while others come and go.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_ledger::{NameFilter, NameSort, StoreError, Timestamp};
use serde_json::{Value, json};

use super::{call::Query, problem::Problem};
use crate::openapi::{
    Description,
    shape::{Shape, flag, name, one_of, page_of},
};

/// The parameters of such a listing, if the things in it can be switched off.
pub(super) const PARAMETERS: [&str; 5] = ["search", "enabled", "sort", "cursor", "limit"];
/// The same where they cannot.
pub(super) const ALWAYS_ON: [&str; 4] = ["search", "sort", "cursor", "limit"];

/// By what they are sorted.
pub(super) const SORTS: [&str; 2] = ["name", "created_at"];

impl Query<'_> {
    /// The order that is asked for, as its place among these names, and whether it goes down: `-` stands before the name then.
    pub(super) fn sort(self, names: &[&'static str], usual: (usize, bool)) -> Result<(usize, bool), Problem> {
        let Some(text) = self.find("sort") else { return Ok(usual) };
        let (plain, down) = text.strip_prefix('-').map_or((text, false), |plain| (plain, true));
        let place = names.iter().position(|name| *name == plain);
        place.map(|place| (place, down)).ok_or_else(|| {
            let known = names.join(", ");
            Problem::invalid(format!("`sort` is one of {known}, with `-` before it for the other direction"))
        })
    }

    /// A parameter that is `true`, `false`, or not there.
    pub(super) fn find_flag(self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.find(name).map(|_| self.flag(name, false)).transpose()
    }
}

/// Reads which of them are asked for, and in which order.
pub(super) fn filter(query: Query<'_>, sorts: &[&'static str; 2]) -> Result<NameFilter, Problem> {
    let (place, descending) = query.sort(sorts, (0, false))?;
    Ok(NameFilter {
        search: query.find("search").map(str::to_owned),
        enabled: query.find_flag("enabled")?,
        sort: if place == 0 { NameSort::Name } else { NameSort::CreatedAt },
        descending,
    })
}

/// Says what such a listing takes and gives.
pub(super) fn describe(it: Description, item: Shape, sorts: &[&'static str; 2], switched: bool) -> Description {
    let it = if switched { it.query("enabled", flag(), "Only those that are switched on, or off.") } else { it };
    let it = it.query("search", name(), "How one of the names begins, in letters of either case.");
    sorted(it, sorts).pages().gives(200, page_of(item))
}

/// Says in which orders a listing goes.
pub(super) fn sorted(it: Description, sorts: &[&'static str]) -> Description {
    let words: Vec<String> = sorts.iter().flat_map(|sort| [(*sort).to_owned(), format!("-{sort}")]).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    it.query("sort", one_of(&words), "In which order; with `-` in the other direction.")
}

/// What something in memory is listed by.
pub(super) struct Names<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) created_at: Timestamp,
}

/// One page of things that are held in memory: those of whom the id or the name begins as asked.
pub(super) fn page<T>(
    all: &[T],
    query: Query<'_>,
    filter: &NameFilter,
    names: impl Fn(&T) -> Names<'_>,
    show: impl Fn(&T) -> Value,
) -> Result<Value, Problem> {
    let begin = filter.search.as_ref().map(|search| search.to_lowercase());
    let found = |names: &Names<'_>| {
        let begins = |text: &str| begin.as_ref().is_none_or(|begin| text.to_lowercase().starts_with(begin));
        // Nobody looks for an API by the scheme of its identifier.
        let behind_scheme = names.id.split_once("://").is_some_and(|(_, rest)| begins(rest));
        begins(names.id) || behind_scheme || begins(names.name)
    };
    let place = |item: &T| {
        let Names { id, name, created_at } = names(item);
        let (name, made_at) = match filter.sort {
            NameSort::Name => (name.to_lowercase(), 0),
            NameSort::CreatedAt => (String::new(), created_at.0),
        };
        (name, made_at, id.to_owned())
    };
    let mut rest: Vec<(Place, &T)> =
        all.iter().filter(|item| found(&names(item))).map(|item| (place(item), item)).collect();
    rest.sort_by(|(one, _), (other, _)| if filter.descending { other.cmp(one) } else { one.cmp(other) });
    if let Some(cursor) = query.find("cursor") {
        let after = read_cursor(filter, cursor).ok_or(StoreError::Cursor)?;
        rest.retain(|(place, _)| if filter.descending { *place < after } else { *place > after });
    }
    let limit = usize::try_from(query.limit()?).unwrap_or(usize::MAX);
    let more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().filter(|_| more).map(|(place, _)| cursor(filter, place));
    Ok(json!({ "items": rest.iter().map(|(_, item)| show(item)).collect::<Vec<_>>(), "next": next }))
}

/// Name, moment and id: by the first two things are sorted, and the last breaks ties.
type Place = (String, i64, String);

/// What a cursor belongs to: to go on with it under another filter would skip or repeat.
type Asked = (Option<String>, Option<bool>, bool, bool);

fn asked(filter: &NameFilter) -> Asked {
    (filter.search.clone(), filter.enabled, filter.sort == NameSort::Name, filter.descending)
}

fn cursor(filter: &NameFilter, place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(json!([asked(filter), place]).to_string())
}

fn read_cursor(filter: &NameFilter, cursor: &str) -> Option<Place> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (of, place): (Asked, Place) = serde_json::from_slice(&text).ok()?;
    Some(place).filter(|_| of == asked(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(sort: NameSort, descending: bool) -> NameFilter {
        NameFilter { sort, descending, ..NameFilter::default() }
    }

    #[test]
    fn a_cursor_goes_on_only_where_it_was_given() {
        let place = ("ada".to_owned(), 0, "c_1".to_owned());
        let up = filter(NameSort::Name, false);
        let given = cursor(&up, &place);
        assert_eq!(read_cursor(&up, &given), Some(place));
        for other in [
            filter(NameSort::Name, true),
            filter(NameSort::CreatedAt, false),
            NameFilter { search: Some("a".to_owned()), ..NameFilter::default() },
            NameFilter { enabled: Some(true), ..NameFilter::default() },
        ] {
            assert_eq!(read_cursor(&other, &given), None, "{other:?}");
        }
        assert_eq!(read_cursor(&up, "x"), None);
    }
}
