//! Whose fault it is when exchanges break off in which their clients had a part.
//!
//! A client that stops reading a download makes its server give up, and one that goes
//! away in the middle of an upload breaks that. To this side of the connection both
//! look like a server that breaks off, so one such call proves nothing: six clients
//! that stall would open a breaker for everybody. A server that does break its answers
//! shows it in another way: to clients that have nothing to do with each other, one
//! after the other, while its siblings serve theirs.

use super::EndpointId;

/// Decides who is to blame for exchanges that broke off while their clients had a part
/// in it.
#[derive(Clone, Debug, Default)]
pub struct Breaks {
    row: Option<Row>,
}

/// Calls in a row that broke off at one endpoint, and at no other meanwhile.
#[derive(Clone, Debug)]
struct Row {
    before: Judged,
    /// Each counts once.
    clients: Vec<u64>,
    endpoint: EndpointId,
}

/// How many calls of a pool have been judged, ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Judged {
    /// At the endpoint where the exchange broke off.
    pub here: u64,
    /// Successes at all other endpoints.
    pub successes_elsewhere: u64,
}

/// Who is to blame for an exchange that broke off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The endpoint: it broke off the exchanges of three different clients in a row,
    /// while its siblings served theirs.
    Endpoint,
    /// Nobody, as far as anybody knows.
    Nobody,
}

impl Breaks {
    /// An exchange of `client` broke off at an endpoint. A client that nobody knows
    /// proves nothing.
    pub fn record(&mut self, endpoint: EndpointId, client: Option<u64>, now: Judged) -> Blame {
        let row = self.row.take();
        let mut row = row
            .filter(|row| row.endpoint == endpoint && row.before.here == now.here)
            .unwrap_or_else(|| Row {
                before: now,
                clients: Vec::new(),
                endpoint,
            });
        if let Some(client) = client
            && !row.clients.contains(&client)
            && row.clients.len() < ENOUGH_CLIENTS
        {
            row.clients.push(client);
        }
        let others_are_served = now.successes_elsewhere > row.before.successes_elsewhere;
        let is_to_blame = row.clients.len() == ENOUGH_CLIENTS && others_are_served;
        if is_to_blame {
            // The failure that this one becomes is a judged call, and part of the row.
            row.before.here += 1;
        }
        self.row = Some(row);
        match is_to_blame {
            true => Blame::Endpoint,
            false => Blame::Nobody,
        }
    }
}

const ENOUGH_CLIENTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: EndpointId = EndpointId(0);
    const ELSEWHERE: EndpointId = EndpointId(1);

    /// What happens at a pool of two.
    enum Step {
        Breaks(EndpointId, Option<u64>),
        Judged(EndpointId),
    }
    use Step::{Breaks as B, Judged as J};

    /// Returns whom the last break is blamed on.
    fn play(steps: &[Step]) -> Blame {
        let (mut breaks, mut judged) = (Breaks::default(), [0_u64; 2]);
        let mut blame = Blame::Nobody;
        for step in steps {
            match step {
                B(endpoint, client) => {
                    let here = endpoint.0 as usize;
                    let now = Judged {
                        here: judged[here],
                        successes_elsewhere: judged[1 - here],
                    };
                    blame = breaks.record(*endpoint, *client, now);
                    judged[here] += u64::from(blame == Blame::Endpoint);
                }
                J(endpoint) => judged[endpoint.0 as usize] += 1,
            }
        }
        blame
    }

    #[test]
    fn r60_three_different_clients_in_a_row_at_one_endpoint_blame_it() {
        let broke = |client| B(HERE, Some(client));
        for (steps, blame) in [
            (
                &[broke(1), J(ELSEWHERE), broke(2), broke(3)][..],
                Blame::Endpoint,
            ),
            (
                &[broke(1), broke(2), J(ELSEWHERE), broke(3), broke(3)],
                Blame::Endpoint,
            ),
            (
                &[J(ELSEWHERE), broke(1), broke(1), broke(1), broke(1)],
                Blame::Nobody,
            ),
            (
                &[broke(1), J(ELSEWHERE), broke(2), broke(1), broke(2)],
                Blame::Nobody,
            ),
            (
                &[broke(1), J(ELSEWHERE), broke(2), J(HERE), broke(3)],
                Blame::Nobody,
            ),
            (
                &[
                    broke(1),
                    J(ELSEWHERE),
                    broke(2),
                    B(ELSEWHERE, Some(9)),
                    broke(3),
                ],
                Blame::Nobody,
            ),
            (&[J(ELSEWHERE), broke(1), broke(2), broke(3)], Blame::Nobody),
            (
                &[B(HERE, None), J(ELSEWHERE), B(HERE, None), B(HERE, None)],
                Blame::Nobody,
            ),
        ] {
            assert_eq!(play(steps), blame);
        }
    }

    #[test]
    fn r60_nobody_is_blamed_where_there_is_nobody_to_compare_with() {
        let steps: Vec<_> = (0..20).map(|client| B(HERE, Some(client))).collect();
        assert_eq!(play(&steps), Blame::Nobody);
    }
}
