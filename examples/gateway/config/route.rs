use std::fmt;

use http::uri::PathAndQuery;
use serde::Deserialize;

use super::Name;
use crate::path;

/// Which requests go to which pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) pool: Name,
    pub(crate) prefix: Prefix,
}

/// The beginning of paths: `/api` is one of `/api` and `/api/1`, not of `/apiary`.
///
/// It is compared with the names of segments, as servers do that know parameters of
/// segments: `/api` also begins `/api;version=1/1`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn begins(&self, path: &str) -> bool {
        let mut names = path.split('/').map(path::name);
        self.0.split('/').all(|name| names.next() == Some(name))
    }

    pub(crate) const fn length(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(prefix: String) -> Result<Self, String> {
        let path = prefix.parse::<PathAndQuery>();
        let is_path = prefix.starts_with('/') && path.is_ok_and(|path| path.path() == prefix);
        match is_path && path::is_normal(&prefix) && !prefix.contains(';') {
            true => Ok(Self(prefix.trim_end_matches('/').to_owned())),
            false => Err(format!(
                "{prefix:?} begins no path, expected a prefix such as \"/\" or \"/api\", \
                 without dot segments, double slashes, semicolons and encoded letters"
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
