use std::fmt;

use serde::Deserialize;

/// The name of a pool or an upstream.
///
/// It becomes a part of the names of breakers and health checks, which have `/`,
/// `@` and brackets between their parts, so it has none of them itself.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
        match !name.is_empty() && name.chars().all(is_plain) {
            true => Ok(Self(name)),
            false => Err(format!(
                "{name:?} is no name, expected letters, digits, '-', '_' and '.'"
            )),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
