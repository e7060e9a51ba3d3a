use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::{Response, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What a server does, one after the other, once it has the head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Begins to answer with 200 and a body of so many bytes, or of unknown length.
    Begin(Option<usize>),
    /// Hangs up, or ends the stream, as if it had crashed.
    Break,
    /// Ends the body of an answer.
    End,
    /// Waits until the test says so.
    Pause,
    /// Reads the upload until it has this much.
    Receive(usize),
    /// Answers 413 whole and takes nothing more, as HTTP says that it may.
    Refuse,
    /// Refuses the stream, or hangs up where there is none.
    RefuseStream,
    /// Sends a piece of the body.
    Send(&'static str),
    /// Ends the stream for no error, though more was promised.
    Truncate,
}

use Does::{Begin, Break, End, Pause, Receive, Refuse, RefuseStream, Send, Truncate};

/// A server of one request.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    go_on: Arc<Semaphore>,
}

impl Upstream {
    pub(crate) async fn start(version: Version, does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let go_on = Arc::new(Semaphore::new(0));
        let pause = Arc::clone(&go_on);
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // Else a piece may wait for the other side's leave.
            stream.set_nodelay(true).unwrap();
            let mut exchange = match version {
                Version::HTTP_2 => Exchange::Http2(Http2::accept(stream).await),
                _ => Exchange::Http1(Http1::accept(stream).await),
            };
            for does in does {
                match does {
                    Pause => pause.acquire().await.unwrap().forget(),
                    does => exchange = exchange.act(*does).await,
                }
            }
        });
        Self { address, go_on }
    }

    /// Lets it go on where it pauses.
    pub(crate) fn go_on(&self) {
        self.go_on.add_permits(1);
    }
}

enum Exchange {
    Http1(Http1),
    Http2(Http2),
    Over,
}

impl Exchange {
    async fn act(self, does: Does) -> Self {
        match self {
            Self::Http1(exchange) => exchange.act(does).await.map_or(Self::Over, Self::Http1),
            Self::Http2(exchange) => exchange.act(does).await.map_or(Self::Over, Self::Http2),
            Self::Over => Self::Over,
        }
    }
}

struct Http1 {
    is_chunked: bool,
    stream: TcpStream,
}

impl Http1 {
    async fn accept(mut stream: TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        Self {
            is_chunked: false,
            stream,
        }
    }

    async fn act(mut self, does: Does) -> Option<Self> {
        match does {
            Begin(length) => self.begin(length).await,
            Break | RefuseStream => {
                self.stream.set_zero_linger().unwrap();
                return None;
            }
            End if self.is_chunked => self.write("0\r\n\r\n").await,
            End => {}
            Pause => unreachable!("the server does that"),
            Receive(bytes) => self.receive(bytes).await,
            Truncate => return None,
            // What it has not read makes a reset of its hanging up.
            Refuse => {
                let answer = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch";
                self.write(answer).await;
                return None;
            }
            Send(text) if self.is_chunked => {
                self.write(&format!("{:x}\r\n{text}\r\n", text.len())).await;
            }
            Send(text) => self.write(text).await,
        }
        Some(self)
    }

    async fn begin(&mut self, length: Option<usize>) {
        self.is_chunked = length.is_none();
        let framing = match length {
            None => "transfer-encoding: chunked".to_owned(),
            Some(length) => format!("content-length: {length}"),
        };
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        self.write(&head).await;
    }

    async fn receive(&mut self, bytes: usize) {
        let mut read = Vec::new();
        // The letters of the upload, and not those of its framing.
        while read.iter().filter(|byte| **byte == b'x').count() < bytes {
            read.push(self.stream.read_u8().await.unwrap());
        }
    }

    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }
}

struct Http2 {
    body: RecvStream,
    connection: JoinHandle<()>,
    respond: server::SendResponse<Bytes>,
    send: Option<SendStream<Bytes>>,
}

impl Http2 {
    async fn accept(stream: TcpStream) -> Self {
        let mut connection = server::handshake(stream).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let connection = tokio::spawn(async move { while connection.accept().await.is_some() {} });
        Self {
            body: request.into_body(),
            connection,
            respond,
            send: None,
        }
    }

    async fn act(mut self, does: Does) -> Option<Self> {
        match does {
            Begin(length) => self.send = Some(self.begin(StatusCode::OK, length)),
            Break => {
                self.connection.abort();
                return None;
            }
            End => self.send("", true),
            Pause => unreachable!("the server does that"),
            Receive(bytes) => {
                let mut read = 0;
                while read < bytes {
                    read += self.body.data().await.unwrap().unwrap().len();
                }
            }
            Refuse => {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                let mut send = self.begin(status, Some(4));
                send.send_data("much".into(), true).unwrap();
                // Without its body read, h2 resets the stream for no error then, as in
                // RFC 9113, 8.1.
                return None;
            }
            RefuseStream => self.respond.send_reset(Reason::REFUSED_STREAM),
            Send(text) => self.send(text, false),
            Truncate => {
                let send = self.send.as_mut().expect("it has begun to answer");
                send.send_reset(Reason::NO_ERROR);
            }
        }
        Some(self)
    }

    fn begin(&mut self, status: StatusCode, length: Option<usize>) -> SendStream<Bytes> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        if let Some(length) = length {
            let headers = response.headers_mut();
            headers.insert("content-length", length.into());
        }
        self.respond.send_response(response, false).unwrap()
    }

    fn send(&mut self, text: &'static str, is_last: bool) {
        let send = self.send.as_mut().expect("it has begun to answer");
        send.send_data(text.into(), is_last).unwrap();
    }
}
