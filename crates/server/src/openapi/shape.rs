//! Words for what requests and answers look like: a small vocabulary over the types of utoipa. What is read or written by
//! a type of its own is described by that type ([`of`]); what is put together by hand has its shape beside the hand.

use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{AdditionalProperties, AnyOf, Array, Object, ObjectBuilder, Schema, SchemaType, Type},
    },
};

/// A named schema among the components of the document.
pub(super) type Component = (String, RefOr<Schema>);

/// A schema, and the components that it refers to.
#[derive(Clone)]
pub struct Shape {
    pub(super) schema: RefOr<Schema>,
    pub(super) components: Vec<Component>,
}

impl Shape {
    fn plain(schema: impl Into<Schema>) -> Self {
        Self { schema: RefOr::T(schema.into()), components: Vec::new() }
    }

    /// As an object without a name, if it is one.
    fn into_object(mut self) -> (Option<Object>, Vec<Component>) {
        if let RefOr::Ref(reference) = &self.schema {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default().to_owned();
            let found = self.components.iter().position(|(known, _)| *known == name);
            if let Some(place) = found {
                self.schema = self.components.remove(place).1;
            }
        }
        match self.schema {
            RefOr::T(Schema::Object(object)) => (Some(object), self.components),
            _ => (None, self.components),
        }
    }
}

/// What a type reads or writes.
#[must_use]
pub fn of<T: ToSchema>() -> Shape {
    let mut components = Vec::new();
    T::schemas(&mut components);
    let name = T::name().into_owned();
    components.push((name.clone(), T::schema()));
    Shape { schema: RefOr::Ref(Ref::from_schema_name(name)), components }
}

/// Any text.
#[must_use]
pub fn text() -> Shape {
    Shape::plain(Object::with_type(Type::String))
}

/// A text that is not empty.
#[must_use]
pub fn name() -> Shape {
    Shape::plain(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).build())
}

/// A text of this form, which is a regular expression.
#[must_use]
pub fn pattern(pattern: &str) -> Shape {
    Shape::plain(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build())
}

/// One of these texts.
#[must_use]
pub fn one_of(words: &[&str]) -> Shape {
    let words = words.iter().map(|word| Value::from(*word));
    Shape::plain(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build())
}

/// A place in the ledger, `epoch-seq`.
#[must_use]
pub fn position() -> Shape {
    pattern("^[0-9]+-[0-9]+$")
}

/// A whole number that is not negative.
#[must_use]
pub fn number() -> Shape {
    Shape::plain(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build())
}

/// A whole number.
#[must_use]
pub fn integer() -> Shape {
    Shape::plain(Object::with_type(Type::Integer))
}

/// A whole number within limits.
#[must_use]
pub fn number_within(least: u32, most: u32) -> Shape {
    let limits = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most));
    Shape::plain(limits.build())
}

/// A moment in milliseconds since 1970.
#[must_use]
pub fn moment() -> Shape {
    number()
}

/// `true` or `false`.
#[must_use]
pub fn flag() -> Shape {
    Shape::plain(Object::with_type(Type::Boolean))
}

/// A list.
#[must_use]
pub fn list_of(item: Shape) -> Shape {
    Shape { schema: RefOr::T(Schema::Array(Array::new(item.schema))), components: item.components }
}

/// `null`.
#[must_use]
pub fn null() -> Shape {
    Shape::plain(Object::with_type(Type::Null))
}

/// The shape, or `null`.
#[must_use]
pub fn maybe(shape: Shape) -> Shape {
    any_of([shape, null()])
}

/// Any of these.
#[must_use]
pub fn any_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
    let (mut any, mut components) = (AnyOf::new(), Vec::new());
    for shape in shapes {
        any.items.push(shape.schema);
        components.extend(shape.components);
    }
    Shape { schema: RefOr::T(Schema::AnyOf(any)), components }
}

/// A JSON object with whatever members.
#[must_use]
pub fn free_object() -> Shape {
    Shape::plain(Object::with_type(Type::Object))
}

/// Any JSON value.
#[must_use]
pub fn anything() -> Shape {
    Shape::plain(Object::with_type(SchemaType::AnyValue))
}

/// An object, member by member.
#[must_use]
pub fn object() -> Members {
    Members { object: ObjectBuilder::new().schema_type(Type::Object), components: Vec::new() }
}

/// An object under construction.
pub struct Members {
    object: ObjectBuilder,
    components: Vec<Component>,
}

impl Members {
    /// A member that is always there.
    #[must_use]
    pub fn with(self, name: &str, shape: Shape) -> Self {
        let mut members = self.may(name, shape);
        members.object = members.object.required(name);
        members
    }

    /// A member that need not be there.
    #[must_use]
    pub fn may(self, name: &str, shape: Shape) -> Self {
        let mut components = self.components;
        components.extend(shape.components);
        Self { object: self.object.property(name, shape.schema), components }
    }

    /// Members of several other objects in addition, with whatever holds of them.
    #[must_use]
    pub fn and(self, other: Shape) -> Self {
        let (object, components) = other.into_object();
        let mut members = self;
        members.components.extend(components);
        for (name, schema) in object.iter().flat_map(|object| &object.properties) {
            members.object = members.object.property(name.clone(), schema.clone());
        }
        for name in object.iter().flat_map(|object| &object.required) {
            members.object = members.object.required(name.clone());
        }
        members
    }

    /// Without a member of those others.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        let mut object = self.object.build();
        object.properties.remove(name);
        object.required.retain(|known| known != name);
        Self { object: object.into(), components: self.components }
    }

    /// One that would do.
    #[must_use]
    pub fn for_example(self, example: Value) -> Self {
        Self { object: self.object.examples([example]), components: self.components }
    }

    /// The object, to which no member may be added.
    #[must_use]
    pub fn closed(self) -> Shape {
        let object = self.object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
        Shape { schema: RefOr::T(object.build().into()), components: self.components }
    }

    /// The object, to which members may be added.
    #[must_use]
    pub fn open(self) -> Shape {
        Shape { schema: RefOr::T(self.object.build().into()), components: self.components }
    }

    /// The object as a component of that name.
    #[must_use]
    pub fn named(self, name: &str) -> Shape {
        let mut shape = self.open();
        shape.components.push((name.to_owned(), shape.schema));
        Shape { schema: RefOr::Ref(Ref::from_schema_name(name)), components: shape.components }
    }
}

/// A page of a listing.
#[must_use]
pub fn page_of(item: Shape) -> Shape {
    object().with("items", list_of(item)).with("next", maybe(text())).open()
}

/// What a type takes as a merge patch (RFC 7396): any of its members, each of which may be `null`, but not those that
/// never change.
#[must_use]
pub fn patch_of<T: ToSchema>(name: &str, fixed: &[&str]) -> Shape {
    let (object, mut components) = of::<T>().into_object();
    let mut object = patch(object.unwrap_or_default());
    for name in fixed {
        object.properties.remove(*name);
    }
    components.push((name.to_owned(), RefOr::T(object.into())));
    Shape { schema: RefOr::Ref(Ref::from_schema_name(name)), components }
}

fn patch(object: Object) -> Object {
    let mut patched = object;
    patched.required.clear();
    // An example of the whole is none of a change.
    (patched.example, patched.examples) = (None, Vec::new());
    for schema in patched.properties.values_mut() {
        let present = match std::mem::take(schema) {
            RefOr::T(Schema::Object(inner)) if !inner.properties.is_empty() => RefOr::T(patch(inner).into()),
            other => other,
        };
        *schema = if takes_null(&present) {
            present
        } else {
            maybe(Shape { schema: present, components: Vec::new() }).schema
        };
    }
    patched
}

fn takes_null(schema: &RefOr<Schema>) -> bool {
    let is_null = |known: &SchemaType| match known {
        SchemaType::Type(known) => *known == Type::Null,
        SchemaType::Array(several) => several.contains(&Type::Null),
        SchemaType::AnyValue => true,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::AnyOf(any)) => any.items.iter().any(takes_null),
        _ => false,
    }
}

/// For a member of a derived description: a shape that has no components.
#[must_use]
pub fn inline(shape: Shape) -> RefOr<Schema> {
    shape.schema
}

/// One of the words that serde writes for these values.
#[must_use]
pub fn words_of<T: serde::Serialize>(all: &[T]) -> Shape {
    let words: Vec<Value> = all.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    Shape::plain(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build())
}
