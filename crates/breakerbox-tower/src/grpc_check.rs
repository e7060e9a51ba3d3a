//! gRPC's own health check, without generated code.
//!
//! The messages of `grpc.health.v1` have one field each, so writing one and
//! reading one takes less than a protobuf library in every build would.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use breakerbox::{CheckError, HealthCheck, Verdict};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use tower_service::Service;

use crate::grpc;
use crate::ready::ready;

/// Asks an endpoint by `grpc.health.v1.Health/Check`, through the very service
/// that serves its calls.
///
/// `SERVING` means that it is well.
pub struct GrpcCheck<B> {
    body: PhantomData<fn() -> B>,
    service: String,
}

impl<B> GrpcCheck<B> {
    /// Asks for this service, such as `shop.v1.Prices`; an empty name asks for the
    /// server as a whole.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            body: PhantomData,
            service: service.into(),
        }
    }

    fn request(&self) -> Request<B>
    where
        B: From<Bytes>,
    {
        let mut request = Request::new(B::from(question(&self.service)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(CHECK);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        request
    }
}

#[async_trait]
impl<S, B, R> HealthCheck<S> for GrpcCheck<B>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Error: Into<CheckError> + Send,
    S::Future: Send,
    B: From<Bytes> + Send + 'static,
    R: Body<Data = Bytes> + Send,
    R::Error: Into<CheckError>,
{
    async fn check(&self, endpoint: S) -> Result<(), CheckError> {
        let response = async { ready(endpoint).await?.call(self.request()).await };
        let response = response.await.map_err(Into::into)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
        let trailers = body.trailers().unwrap_or(&head.headers);
        if grpc::verdict(trailers) != Some(Verdict::Success) {
            return Err(refusal(&head, trailers).into());
        }
        match answer(&body.to_bytes()) {
            Some(SERVING) => Ok(()),
            status => Err(format!("{:?} is not serving: {status:?}", self.service).into()),
        }
    }
}

impl<B> fmt::Debug for GrpcCheck<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcCheck")
            .field("service", &self.service)
            .finish()
    }
}

fn refusal(head: &http::response::Parts, trailers: &HeaderMap) -> String {
    let told = |name| trailers.get(name).and_then(|value| value.to_str().ok());
    format!(
        "the health check was answered {}, grpc-status {}, {:?}",
        head.status,
        told("grpc-status").unwrap_or("missing"),
        told("grpc-message").unwrap_or_default()
    )
}

/// A `HealthCheckRequest`, framed: not compressed, its length, field 1.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(FIELD_1_BYTES);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("the name of a service is short"));
    framed.unsplit(message);
    framed.freeze()
}

fn put_varint(message: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        message.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.put_u8(value as u8);
}

/// The status in a framed `HealthCheckResponse`; 0 is left out on the wire. None
/// if it is anything else.
fn answer(framed: &[u8]) -> Option<u8> {
    match framed {
        [0, 0, 0, 0, 0] => Some(0),
        [0, 0, 0, 0, 2, FIELD_1_NUMBER, status] => Some(*status),
        _ => None,
    }
}

const CHECK: &str = "/grpc.health.v1.Health/Check";
const FIELD_1_BYTES: u8 = 0x0a;
const FIELD_1_NUMBER: u8 = 0x08;
const LARGEST_ANSWER: usize = 1_024;
const SERVING: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r57_a_question_is_framed_protobuf() {
        assert_eq!(question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(question("a.B")[..], *b"\0\0\0\0\x05\x0a\x03a.B");
        let long = "x".repeat(300);
        let framed = question(&long);
        assert_eq!(framed[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
        assert_eq!(framed.len(), 5 + 3 + 300);
    }

    #[test]
    fn r57_an_answer_is_a_status_or_nonsense() {
        for (framed, expected) in [
            (&b"\0\0\0\0\0"[..], Some(0)),
            (b"\0\0\0\0\x02\x08\x01", Some(1)),
            (b"\0\0\0\0\x02\x08\x02", Some(2)),
            (b"", None),
            (b"\0\0\0\0\x02\x08", None),
            (b"\x01\0\0\0\x02\x08\x01", None),
        ] {
            assert_eq!(answer(framed), expected, "{framed:?}");
        }
    }
}
