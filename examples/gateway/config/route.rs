use std::fmt;

use http::uri::PathAndQuery;
use serde::Deserialize;

use super::Name;

/// Which requests go to which pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) pool: Name,
    pub(crate) prefix: Prefix,
}

/// The beginning of paths: `/api` is one of `/api` and `/api/1`, not of `/apiary`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn begins(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) const fn length(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(prefix: String) -> Result<Self, String> {
        let path = prefix.parse::<PathAndQuery>();
        match prefix.starts_with('/') && path.is_ok_and(|path| path.path() == prefix) {
            true => Ok(Self(prefix.trim_end_matches('/').to_owned())),
            false => Err(format!(
                "{prefix:?} begins no path, expected a prefix such as \"/\" or \"/api\""
            )),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("/"),
            prefix => f.write_str(prefix),
        }
    }
}
