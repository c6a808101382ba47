//! The texts of a step: templates, expressions, statements and names, each with its place.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::base::source::{Span, Spanned};

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

macro_rules! text_type {
    ($(#[doc = $doc:literal])+ $name:ident, $json_types:tt) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub Spanned<String>);

        impl $name {
            /// Returns the text.
            pub fn text(&self) -> &str {
                &self.0.value
            }

            /// Returns where it stands.
            pub fn span(&self) -> Span {
                self.0.span
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Spanned::<Scalar>::deserialize(deserializer).map(|text| Self(text.map(|scalar| scalar.0)))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let doc = concat!($($doc, "\n"),+);
                json_schema!({ "description": doc.trim(), "type": $json_types })
            }
        }
    };
}

text_type! {
    /// A text with `{{ }}` templates of parameters and earlier steps.
    Template, ["string", "number", "boolean"]
}
text_type! {
    /// A bare MiniJinja expression, without braces: `customer.status == 'suspended'`.
    Expression, ["string", "number", "boolean"]
}
text_type! {
    /// One SQL statement. Each `{{ }}` in it becomes a bind parameter; `{{ x | ident }}` is a quoted name.
    Sql, "string"
}
text_type! {
    /// The name of a step or branch: a letter or `_`, then letters, digits and `_`.
    Name, "string"
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A YAML scalar taken as the text that it is written as.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}
