use std::error::Error;
use std::time::Duration;

use axum::body::Bytes;
use breakerbox::Verdict;
use breakerbox_tower::{Classify, Http, IdleTimeoutBody, Unsettled, body_verdict};
use http::Response;
use http_body_util::{Collected, Either};

use crate::connections::Returning;

/// Judges as [`Http`] does; a body that comes no further is one that breaks.
///
/// It belongs to a route and not to a server, which a reload would not change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge {
    pub(crate) idle_timeout: Duration,
}

impl<E: Error + 'static> Classify<Response<Whole>, E> for Judge {
    type Watched = <Http as Classify<Response<Limited>, E>>::Watched;

    fn verdict(&self, result: &Result<Response<Whole>, E>) -> Option<Verdict> {
        Http.verdict(result)
    }

    fn watch(&self, response: Response<Whole>, unsettled: Option<Unsettled>) -> Self::Watched {
        let limited = response.map(|body| IdleTimeoutBody::new(body, self.idle_timeout));
        let watched = Classify::<_, E>::watch(&Http, limited, unsettled);
        watched.map(|body| body.judge_break_by(|error| body_verdict(&**error)))
    }
}

type Whole = Either<Collected<Bytes>, Returning>;
type Limited = IdleTimeoutBody<Whole>;
