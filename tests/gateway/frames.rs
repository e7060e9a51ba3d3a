//! Requests of HTTP/2 that no client would send, byte by byte (RFC 9113 and 7541).

use crate::wire::Wire;

/// What a server makes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// It takes the stream or the connection for broken.
    Reset,
    Status(u16),
}

/// Sends a request that has no body, with these headers as they are.
pub(crate) async fn ask(wire: &mut Wire, headers: &[(&str, &[u8])]) -> Answer {
    connect(wire).await;
    request(wire, 1, headers).await;
    answer(wire).await
}

/// Begins to speak HTTP/2.
pub(crate) async fn connect(wire: &mut Wire) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    wire.send(bytes).await;
}

/// Sends a request that has no body as this stream.
pub(crate) async fn request(wire: &mut Wire, stream: u32, headers: &[(&str, &[u8])]) {
    let mut block = Vec::new();
    for (name, value) in headers {
        // A literal that nobody remembers, with a name of its own.
        block.push(0);
        for text in [name.as_bytes(), value] {
            assert!(text.len() < 127, "longer ones are written in another way");
            block.push(text.len() as u8);
            block.extend_from_slice(text);
        }
    }
    wire.send(frame(HEADERS, END_OF_ALL, stream, &block)).await;
}

/// What comes next that is an answer.
pub(crate) async fn answer(wire: &mut Wire) -> Answer {
    loop {
        let head = wire.read_exactly(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = wire.read_exactly(length as usize).await;
        match head[3] {
            HEADERS => return Answer::Status(status(&payload)),
            RST_STREAM | GOAWAY => return Answer::Reset,
            _ => {}
        }
    }
}

/// The status of a response, which comes first, and of which only those that the
/// static table has are known here.
fn status(block: &[u8]) -> u16 {
    let mut rest = block.iter().skip_while(|byte| **byte & 0xe0 == 0x20);
    match rest.next() {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        other => panic!("{other:?} is another status"),
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The ends of the stream and of its headers.
const END_OF_ALL: u8 = 0x05;
const GOAWAY: u8 = 7;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
