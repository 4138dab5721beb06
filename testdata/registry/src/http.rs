//! HTTP/1.1 as a server sees it (RFC 9112): requests read from a connection, answers written to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The longest request line and headers together.
const MAX_HEAD: u64 = 64 << 10;
/// The most headers.
const MAX_HEADERS: usize = 128;
/// What a body is read by.
const BLOCK: usize = 64 << 10;
/// The first byte of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection, encrypted or not.
pub(crate) trait Duplex: Read + Write + Send {}

impl<T: Read + Write + Send> Duplex for T {}

/// Headers, by names in any case, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Returns the first header of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns every header of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str())
    }

    /// Adds a header.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes every header of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
    }

    /// Puts one header in the place of all of its name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }
}

/// How long a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path, as sent.
    pub(crate) path: String,
    /// What follows `?`, as sent.
    pub(crate) query: String,
    pub(crate) headers: Headers,
    framing: Framing,
}

impl Head {
    /// Returns the first value of a query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    /// Returns every value of a query parameter, decoded.
    pub(crate) fn parameters(&self, name: &str) -> Vec<String> {
        parameters(&self.query, name)
    }

    /// Returns the length that the body is announced to have; none if it is sent in chunks.
    pub(crate) fn announced(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }
}

/// Returns every value of a parameter in a query or form, decoded.
pub(crate) fn parameters(query: &str, name: &str) -> Vec<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(found, _)| decode(found) == name).map(|(_, value)| decode(value)).collect()
}

/// Decodes `%XX` and `+` (`application/x-www-form-urlencoded`).
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (first, _) => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Arc<[u8]>,
    /// Which part of `body` is sent.
    pub(crate) part: Range<usize>,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: Arc::default(), part: 0..0 }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.add(name, value);
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Arc<[u8]>>) -> Self {
        self.body = body.into();
        self.part = 0..self.body.len();
        self
    }

    /// Returns an error of the specification's list ("Error Codes").
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let error = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::json(status, &error)
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        let reply = Self::new(status).with("Content-Type", "application/json");
        reply.with_body(value.to_string().into_bytes())
    }
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Whether headers are all there is: the answer to a `HEAD`.
    pub(crate) head_only: bool,
    /// Whether no other request is read from the connection.
    pub(crate) last: bool,
    /// How much of the body is sent before the connection is cut.
    pub(crate) cut: Option<u64>,
    /// Bytes at a time, and the pause after them.
    pub(crate) drip: Option<(usize, Duration)>,
}

/// One connection.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Duplex>>,
    /// Whether the client waits to be told to send the body.
    expects: bool,
    /// What is left of a body, for the reader of it.
    left: Option<Framing>,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream: BufReader::with_capacity(BLOCK, stream), expects: false, left: None }
    }

    /// Reads the next request up to its body; none if the client is done.
    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        // A client that tries TLS first waits for an answer, and sends no line that would end.
        // Most servers that do not speak it answer so.
        if self.stream.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
            self.stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut limited = (&mut self.stream).take(MAX_HEAD);
        loop {
            let line = limited.read_until(b'\n', &mut bytes)?;
            if line == 0 {
                let clean = bytes.is_empty();
                return if clean { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if bytes.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let head =
            parse(&bytes).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        let expect = head.headers.first("Expect").unwrap_or_default();
        self.expects = expect.eq_ignore_ascii_case("100-continue");
        self.left = Some(head.framing);
        Ok(Some(head))
    }

    /// Returns whether a part of the request's body has not been read.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.left, None | Some(Framing::Length(0)))
    }

    /// Returns whether the client still waits to be told to send the body.
    pub(crate) fn expects(&self) -> bool {
        self.expects && self.has_body()
    }

    /// Reads up to `most` bytes of the body and appends them; `true` if that was all of it.
    ///
    /// What has been read before an error is appended too.
    pub(crate) fn body(&mut self, most: u64, into: &mut Vec<u8>) -> io::Result<bool> {
        if std::mem::take(&mut self.expects) && self.has_body() {
            self.stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.stream.get_mut().flush()?;
        }
        let mut most = most;
        match self.left {
            None => Ok(true),
            Some(Framing::Length(length)) => {
                let taken = self.copy(length.min(most), into);
                let taken = taken.inspect_err(|_| self.left = None)?;
                self.left = Some(Framing::Length(length - taken)).filter(|_| taken < length);
                Ok(self.left.is_none())
            }
            Some(Framing::Chunked) => loop {
                let size = self.chunk_size()?;
                if size == 0 {
                    self.trailers()?;
                    self.left = None;
                    return Ok(true);
                }
                let taken = self.copy(size.min(most), into)?;
                most -= taken;
                if taken < size {
                    return Ok(false); // In the middle of a chunk: the connection is of no more use.
                }
                self.line()?;
            },
        }
    }

    fn copy(&mut self, length: u64, into: &mut Vec<u8>) -> io::Result<u64> {
        let before = into.len();
        (&mut self.stream).take(length).read_to_end(into)?;
        let taken = (into.len() - before) as u64;
        if taken < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(taken) }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_HEAD).read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn chunk_size(&mut self) -> io::Result<u64> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let fail = |_| io::Error::new(io::ErrorKind::InvalidData, format!("chunk size `{size}`"));
        u64::from_str_radix(size, 16).map_err(fail)
    }

    fn trailers(&mut self) -> io::Result<()> {
        while !self.line()?.is_empty() {}
        Ok(())
    }

    /// Writes an answer and returns how many bytes of its body were sent.
    pub(crate) fn answer(&mut self, reply: &Reply, manner: Manner) -> io::Result<u64> {
        let reason = reason(reply.status);
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", reply.status);
        for (name, value) in &reply.headers.0 {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = reply.body.get(reply.part.clone()).unwrap_or_default();
        if reply.headers.first("Content-Length").is_none() && reply.status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if manner.last {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.flush()?;
        if manner.head_only {
            return Ok(0);
        }
        let cut = manner
            .cut
            .map_or(body.len(), |cut| body.len().min(usize::try_from(cut).unwrap_or(usize::MAX)));
        let (size, pause) = manner.drip.unwrap_or((BLOCK, Duration::ZERO));
        for block in body[..cut].chunks(size.max(1)) {
            stream.write_all(block)?;
            stream.flush()?;
            std::thread::sleep(pause);
        }
        Ok(cut as u64)
    }
}

fn parse(bytes: &[u8]) -> Result<Head, String> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    request.parse(bytes).map_err(|error| error.to_string())?;
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err("no request line".to_owned());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Headers::default();
    for header in &*request.headers {
        headers.add(header.name, String::from_utf8_lossy(header.value));
    }
    let coding = headers.first("Transfer-Encoding");
    let framing = match (coding, headers.first("Content-Length")) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        (None, Some(length)) => {
            Framing::Length(length.trim().parse().map_err(|_| format!("Content-Length: {length}"))?)
        }
        (None, None) => Framing::Length(0),
        (Some(_), _) => return Err("Transfer-Encoding and Content-Length do not agree".to_owned()),
    };
    let (path, query) = (path.to_owned(), query.to_owned());
    Ok(Head { method: method.to_owned(), path, query, headers, framing })
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301..=308 => "Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500..=599 => "Server Error",
        _ => "Answer",
    }
}
