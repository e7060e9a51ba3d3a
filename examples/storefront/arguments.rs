use std::time::Duration;

use crate::price_server::PriceServer;

/// What the program was asked to do.
pub(crate) enum Arguments {
    Help,
    Play,
    /// How the program starts its own price servers.
    PriceServer(PriceServer),
    Serve,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments = match words.next().as_deref() {
            None => Self::Play,
            Some("--help" | "-h") => Self::Help,
            Some("--price-server") => Self::price_server(&mut words)?,
            Some("--serve") => Self::Serve,
            Some(other) => return Err(unknown(other)),
        };
        match words.next() {
            None => Ok(arguments),
            Some(extra) => Err(unknown(&extra)),
        }
    }

    fn price_server(words: &mut impl Iterator<Item = String>) -> Result<Self, String> {
        // It is for whoever looks at the list of processes.
        let _name = words.next();
        Ok(Self::PriceServer(PriceServer {
            port: number("port", words.next())?,
            delay: Duration::from_millis(number("delay", words.next())?),
        }))
    }
}

fn number<N: std::str::FromStr>(what: &str, word: Option<String>) -> Result<N, String> {
    let word = word.ok_or_else(|| format!("--price-server needs a {what}"))?;
    word.parse()
        .map_err(|_| format!("{word:?} is not a {what}"))
}

fn unknown(word: &str) -> String {
    format!("unknown argument {word:?}")
}

pub(crate) const USAGE: &str = "\
usage: storefront [--serve]

Prices orders over HTTP with the help of two price servers and a worker, plays
an outage of the first server and a crash of the worker, and ends with exit
code 0 if every order was answered, otherwise 1.

  --serve   no outage: keep the shop open for curl until Ctrl-C
  --help    this text

RUST_LOG=breakerbox=debug adds the library's own log on stderr.
";
