use breakerbox_tower::Origin;
use http::Uri;
use http::uri::PathAndQuery;
use serde::{Deserialize, Deserializer, de};

use super::{Name, read};

/// A server that requests may go to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) name: Name,
    #[serde(default, deserialize_with = "tier")]
    pub(crate) tier: u8,
    #[serde(deserialize_with = "server")]
    pub(crate) url: Uri,
    #[serde(default = "one", deserialize_with = "weight")]
    pub(crate) weight: u16,
}

impl Upstream {
    /// Where it is.
    pub(super) fn address(&self) -> (String, u16) {
        let host = self.url.host().unwrap_or_default().to_ascii_lowercase();
        (host, self.url.port_u16().unwrap_or(80))
    }

    /// The name of its endpoint, such as `north@10.0.0.7:8080(/healthz)`.
    ///
    /// At another address, or asked otherwise, it is another endpoint. A pool adds
    /// that before it removes the one of before, so the two need different names.
    /// The bracket keeps a path from looking like the name of a health check,
    /// which is that of its endpoint and `/check`.
    pub(crate) fn endpoint(&self, check: Option<&PathAndQuery>) -> String {
        let (name, address) = (&self.name, self.url.authority());
        let address = address.map_or("", |authority| authority.as_str());
        match check {
            Some(path) => format!("{name}@{address}({path})"),
            None => format!("{name}@{address}"),
        }
    }
}

const fn one() -> u16 {
    1
}

fn tier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    read::whole(deserializer, 0..=u8::MAX)
}

fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    read::whole(deserializer, 1..=u16::MAX)
}

fn server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uri, D::Error> {
    let text = String::deserialize(deserializer)?;
    let uri: Uri = text.parse().map_err(de::Error::custom)?;
    if uri.scheme_str() == Some("https") {
        return Err(de::Error::custom(format!(
            "{text:?} asks for TLS, which the gateway does not speak with servers: \
             expected one such as \"http://10.0.0.7:8080\""
        )));
    }
    Origin::new((), &uri).map_err(de::Error::custom)?;
    if uri.scheme_str() == Some("http") && has_an_address_only(&uri) {
        return Ok(uri);
    }
    Err(de::Error::custom(format!(
        "{text:?} is not the URL of a server, expected one such as \"http://10.0.0.7:8080\""
    )))
}

/// Whether there is nothing but a host and perhaps a port, and that is a number a
/// port can have: `Uri` reads any text there, and says then that there is none.
fn has_an_address_only(uri: &Uri) -> bool {
    let (authority, host) = (uri.authority(), uri.host().unwrap_or_default());
    authority.is_some_and(|authority| match authority.port_u16() {
        None => authority == host,
        Some(0) => false,
        Some(port) => *authority == *format!("{host}:{port}"),
    })
}
