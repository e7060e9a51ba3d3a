//! Circuit breakers and failover pools as tower middleware.
//!
//! A breaker around an HTTP client is easily wrong in two ways: each application
//! of a layer makes a breaker of its own, which sees a fraction of the calls; and
//! a response is judged by its head, so a server that breaks every body in the
//! middle looks well. Here a layer holds one breaker, however often it is
//! applied, and the verdict waits for the end of the body.
//!
//! - [`BreakerLayer`] guards any service with one breaker.
//! - [`PoolService`] calls one of several services that stand in for one another.
//! - [`Http`] and [`Grpc`] judge answers, [`Limited`] those of servers that limit this
//!   process as a whole; [`http`], [`grpc`] and [`error_verdict`]
//!   have the rules as plain functions, for use without tower.
//! - [`Origin`] and [`Lazy`] make endpoints of a pool: of a client and the server
//!   it shall call, or of a make-service. [`Lazy`] and [`Renewable`] are left for a
//!   new service when the endpoint's breaker opens, or when they are old.
//! - [`Gather`] reads small bodies before their response is handed on, so that a
//!   broken one can be asked for again.
//! - [`EarlyAnswer`] and [`IdleTimeoutBody`] keep clients that stall, and uploads that
//!   are refused, from looking like servers that fail.
//! - [`HttpCheck`] and [`GrpcCheck`] check the health of a pool's endpoints.
//!
//! # Examples
//!
//! ```
//! use breakerbox::{BreakerBox, BreakerConfig};
//! use breakerbox_tower::{BreakerLayer, Http};
//! use tower::{ServiceBuilder, service_fn};
//! # use std::convert::Infallible;
//! # use ::http::{Request, Response};
//! # use http_body_util::Empty;
//! # type Body = Empty<bytes::Bytes>;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let breakers = BreakerBox::start("checkout").await?;
//! let catalogue = breakers.breaker("catalogue", BreakerConfig::new()).await?;
//! # let client = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::new())) });
//! let client = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(catalogue, Http))
//!     .service(client);
//! # let _: &dyn std::any::Any = &client;
//! # Ok(())
//! # }
//! ```

mod age;
mod body;
mod breaker;
mod classify;
mod early_answer;
mod error;
mod gather;
pub mod grpc;
mod grpc_check;
pub mod http;
mod http_check;
mod idle_timeout;
mod kept;
mod lazy;
mod lock;
mod origin;
mod pool;
mod ready;
mod renewable;
mod replay;
mod unsettled;

pub use body::WatchedBody;
pub use breaker::{BreakerLayer, BreakerService};
pub use classify::{ByResult, Classify, Grpc, Http, Limited};
pub use early_answer::{EarlyAnswer, EarlyAnswerIo};
pub use error::{body_verdict, error_verdict};
pub use gather::{BrokenBody, Gather, GatherError, GatherService};
pub use grpc_check::GrpcCheck;
pub use http_check::HttpCheck;
pub use idle_timeout::{IdleTimeout, IdleTimeoutBody};
pub use lazy::{Lazy, LazyError, NotMade};
pub use origin::{InvalidOrigin, Origin};
pub use pool::PoolService;
pub use renewable::Renewable;
pub use replay::{ReplayBody, ReplayError};
pub use unsettled::Unsettled;
