//! What one operation takes and answers, said in its line of a table: `|it| it.json(of::<NewUser>()).gives(201, user())`.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::{
    Content, Header, RefOr, Required, Response,
    path::{Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    response::ResponseBuilder,
};

use super::{
    answers::{JSON, connection_content, reason},
    shape::{Component, Shape, number_within, text},
};
use crate::sources::scim::SCIM_JSON;

/// The media type of forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of merge patches (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";

/// What one operation takes and answers.
#[derive(Default)]
pub struct Description {
    pub(super) text: Option<&'static str>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    pub(super) answers: BTreeMap<u16, Response>,
    pub(super) refusals: BTreeSet<u16>,
    pub(super) components: Vec<Component>,
}

impl Description {
    /// More than the summary says.
    #[must_use]
    pub fn says(self, text: &'static str) -> Self {
        Self { text: Some(text), ..self }
    }

    /// A parameter of the query that need not be there.
    #[must_use]
    pub fn query(self, name: &str, shape: Shape, about: &str) -> Self {
        self.parameter(ParameterIn::Query, Required::False, name, shape, about)
    }

    /// A parameter of the query without which nothing goes.
    #[must_use]
    pub fn needs_query(self, name: &str, shape: Shape, about: &str) -> Self {
        self.parameter(ParameterIn::Query, Required::True, name, shape, about)
    }

    /// A header that need not be there.
    #[must_use]
    pub fn header(self, name: &str, shape: Shape, about: &str) -> Self {
        self.parameter(ParameterIn::Header, Required::False, name, shape, about)
    }

    /// A header without which nothing goes.
    #[must_use]
    pub fn needs_header(self, name: &str, shape: Shape, about: &str) -> Self {
        self.parameter(ParameterIn::Header, Required::True, name, shape, about)
    }

    /// What stands in a place of the path. Without this, it is any text.
    #[must_use]
    pub fn place(self, name: &str, shape: Shape, about: &str) -> Self {
        self.parameter(ParameterIn::Path, Required::True, name, shape, about)
    }

    /// A value that would do, for the parameter before.
    #[must_use]
    pub fn such_as(mut self, value: &str) -> Self {
        if let Some(parameter) = self.parameters.pop() {
            self.parameters.push(ParameterBuilder::from(parameter).example(Some(value.into())).build());
        }
        self
    }

    /// The parameters of a listing.
    #[must_use]
    pub fn pages(self) -> Self {
        self.query("cursor", text(), "The `next` of the page before.").limit()
    }

    /// How much of a listing is asked for.
    #[must_use]
    pub fn limit(self) -> Self {
        self.query("limit", number_within(1, 500), "How many items a page has; 100 if nobody says.")
    }

    fn parameter(mut self, place: ParameterIn, required: Required, name: &str, shape: Shape, about: &str) -> Self {
        self.components.extend(shape.components);
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        self.parameters.push(parameter.description(Some(about)).schema(Some(shape.schema)).build());
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, shape: Shape) -> Self {
        self.takes(&[JSON], shape, Required::True)
    }

    /// A JSON body that may be left out.
    #[must_use]
    pub fn json_if_any(self, shape: Shape) -> Self {
        self.takes(&[JSON], shape, Required::False)
    }

    /// A merge patch.
    #[must_use]
    pub fn patch(self, shape: Shape) -> Self {
        self.takes(&[JSON, MERGE_PATCH], shape, Required::True)
    }

    /// A body as SCIM has it.
    #[must_use]
    pub fn scim(self, shape: Shape) -> Self {
        self.takes(&[SCIM_JSON, JSON], shape, Required::True)
    }

    /// A form.
    #[must_use]
    pub fn form(self, shape: Shape) -> Self {
        self.takes(&[FORM], shape, Required::True)
    }

    /// A form that may be left out.
    #[must_use]
    pub fn form_if_any(self, shape: Shape) -> Self {
        self.takes(&[FORM], shape, Required::False)
    }

    fn takes(mut self, media_types: &[&str], shape: Shape, required: Required) -> Self {
        let mut body = RequestBodyBuilder::new().required(Some(required));
        for media_type in media_types {
            body = body.content(*media_type, Content::new(Some(shape.schema.clone())));
        }
        self.components.extend(shape.components);
        self.body = Some(body.build());
        self
    }

    /// An answer in JSON.
    #[must_use]
    pub fn gives(self, status: u16, shape: Shape) -> Self {
        self.answers(status, JSON, shape)
    }

    /// An answer without a body.
    #[must_use]
    pub fn gives_nothing(self, status: u16) -> Self {
        self.answer(status, |answer| answer)
    }

    /// A page for people.
    #[must_use]
    pub fn gives_page(self, status: u16) -> Self {
        self.answers(status, HTML, text())
    }

    /// Plain text.
    #[must_use]
    pub fn gives_text(self, status: u16) -> Self {
        self.answers(status, TEXT, text())
    }

    /// 303 to somewhere else.
    #[must_use]
    pub fn redirects(self, about: &'static str) -> Self {
        let location = Header::builder().description(Some(about)).schema(Some(text().schema)).build();
        self.answer(303, |answer| answer.header("Location", location))
    }

    /// An answer of some media type; a status may have several.
    #[must_use]
    pub fn answers(mut self, status: u16, media_type: &str, shape: Shape) -> Self {
        self.components.extend(shape.components);
        self.answer(status, |answer| answer.content(media_type, Content::new(Some(shape.schema))))
    }

    fn answer(mut self, status: u16, more: impl FnOnce(ResponseBuilder) -> ResponseBuilder) -> Self {
        let known = self.answers.remove(&status).map_or_else(
            || connection_content(status, ResponseBuilder::new().description(reason(status))),
            ResponseBuilder::from,
        );
        self.answers.insert(status, more(known).build());
        self
    }

    /// Refusals beyond those that every operation of its kind has, in the form that they have there.
    #[must_use]
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }
}

/// The schema inside.
impl From<Shape> for RefOr<utoipa::openapi::Schema> {
    fn from(shape: Shape) -> Self {
        shape.schema
    }
}
