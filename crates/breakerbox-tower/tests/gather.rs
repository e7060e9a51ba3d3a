//! Which bodies are read before their response is handed on.

#![cfg(test)]

use std::convert::Infallible;
use std::future::ready;

use breakerbox_tower::Gather;
use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Collected, Either, Full, StreamBody};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn a_body_of_known_length_is_read_up_to_the_limit() {
    for (text, is_read) in [("", true), ("1234", true), ("12345", false)] {
        let body = gathered(Full::from(text)).await;
        assert_eq!(matches!(body, Either::Left(_)), is_read, "{text:?}");
        assert_eq!(body.collect().await.unwrap().to_bytes(), text);
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_handed_on_as_it_comes() {
    let frame = Ok(Frame::data(Bytes::from_static(b"1")));
    let body = gathered(StreamBody::new(stream::iter([frame]))).await;
    assert!(matches!(body, Either::Right(_)));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "1");
}

/// The body of a response that had this one, where up to four bytes are read.
async fn gathered<B>(body: B) -> Either<Collected<Bytes>, B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut response = Some(Response::new(body));
    let service = service_fn(move |()| ready(Ok::<_, Infallible>(response.take().unwrap())));
    let gathered = Gather::up_to(4).layer(service).oneshot(()).await;
    gathered.unwrap().into_body()
}
