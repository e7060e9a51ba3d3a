//! The configuration of a replay, or where it is wrong.
//!
//! A message without a line leaves one to compare a file with the manual. The
//! parser knows the place of what it refuses; a contradiction is only known by
//! the name of a setting, which is looked up here.

use std::fs;
use std::path::Path;

use breakerbox_core::{BreakerConfig, ConfigError, ConfigFile};
use toml::de::{DeTable, DeValue};

use super::refusal::Refusal;

/// Reads a configuration file.
pub(crate) fn read(path: &Path) -> Result<BreakerConfig, Refusal> {
    let name = path.display().to_string();
    let bytes =
        fs::read(path).map_err(|error| Refusal::of_file(&name, &error, "a readable TOML file"))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = line_at(&bytes, error.valid_up_to());
        Refusal::of_line(&name, line, "the line is not UTF-8, expected TOML")
    })?;
    let file: ConfigFile = toml::from_str(text).map_err(|error| {
        let line = line_at(&bytes, error.span().map_or(0, |span| span.start));
        Refusal::of_line(&name, line, in_one_line(error.message()))
    })?;
    BreakerConfig::try_from(file).map_err(|error| {
        let line = line_at(&bytes, place_of(&error, text).unwrap_or(0));
        Refusal::of_line(&name, line, error.to_string())
    })
}

/// Where the setting stands that `error` names or, where the file leaves that
/// one at its default, the setting that clashes with the default.
fn place_of(error: &ConfigError, text: &str) -> Option<usize> {
    place_of_key(text, error.key()).or_else(|| place_of_key(text, &clashing_key(text)?))
}

/// The byte at which a key such as `trip.failure_rate` stands.
fn place_of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
    for parent in parents.split_terminator('.') {
        let (_, value) = table.iter().find(|(name, _)| name.get_ref() == parent)?;
        let DeValue::Table(inner) = value.get_ref() else {
            return None;
        };
        table = inner;
    }
    let (name, _) = table.iter().find(|(name, _)| name.get_ref() == last)?;
    Some(name.span().start)
}

/// The first key without which the file makes sense.
fn clashing_key(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let makes_sense_without = |key: &String| {
        let mut rest = table.clone();
        rest.remove(key);
        rest.try_into::<ConfigFile>()
            .is_ok_and(|file| BreakerConfig::try_from(file).is_ok())
    };
    table.keys().find(|key| makes_sense_without(key)).cloned()
}

fn in_one_line(said: &str) -> String {
    // The one thing that the parser refuses without saying what is allowed.
    said.replace("duplicate key", "duplicate key, expected each key once")
        .replace('\n', ", ")
}

/// The line, counted from 1, that this byte is in.
fn line_at(bytes: &[u8], place: usize) -> u64 {
    let breaks = bytes.iter().take(place).filter(|byte| **byte == b'\n');
    breaks.count() as u64 + 1
}
