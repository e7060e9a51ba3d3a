//! The log lines about a pool: only here is decided which line tells of what, at which
//! level and with which fields. `docs/logging.md` lists them.

use std::error::Error;

use breakerbox_core::EndpointStatus;
use tracing::{Level, event};

use super::dns::Family;
use crate::logging::{self, POOL};

/// Logs a change of an endpoint; a warning if the endpoint has got worse by itself.
pub(super) fn changed(pool: &str, endpoint: &str, from: EndpointStatus, to: EndpointStatus) {
    macro_rules! line {
        ($level:ident) => {
            event!(
                target: POOL,
                Level::$level,
                pool.name = pool,
                endpoint.name = endpoint,
                endpoint.from = %from,
                endpoint.to = %to,
                "endpoint changed"
            )
        };
    }
    logging::write(|| match to {
        EndpointStatus::Ejected { .. } | EndpointStatus::Unhealthy => line!(WARN),
        // An opening is the breaker's to warn of, and the rest was asked for or is good.
        _ => line!(INFO),
    });
}

/// Logs that an endpoint has not passed a health check.
pub(super) fn check_failed(endpoint: &str, error: &(dyn Error + 'static)) {
    logging::write(|| {
        event!(
            target: POOL,
            Level::DEBUG,
            endpoint.name = endpoint,
            error,
            "health check failed"
        );
    });
}

/// Logs that an update of a pool's endpoints was refused.
pub(super) fn not_updated(pool: &str, error: &str) {
    logging::write(|| {
        event!(
            target: POOL,
            Level::WARN,
            pool.name = pool,
            error,
            "endpoints not updated"
        );
    });
}

/// Logs that this process is out of something that a call needed: files, ports, memory.
pub(super) fn out_of_resources(pool: &str) {
    logging::write(|| {
        event!(
            target: POOL,
            Level::WARN,
            pool.name = pool,
            "out of local resources"
        );
    });
}

/// Logs that addresses of a host are left out, because there is no route to them.
pub(super) fn addresses_left_out(host: &str, family: Family) {
    logging::write(|| {
        event!(
            target: POOL,
            Level::WARN,
            dns.host = host,
            dns.family = %family,
            "no route to addresses"
        );
    });
}

/// Logs that no address of a host is left out any more.
pub(super) fn addresses_back(host: &str, family: Family) {
    logging::write(|| {
        event!(
            target: POOL,
            Level::INFO,
            dns.host = host,
            dns.family = %family,
            "addresses are back"
        );
    });
}
