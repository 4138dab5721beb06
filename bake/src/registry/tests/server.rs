//! A server that answers every request as a closure says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// One request as it was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What to do about a request.
pub(super) enum Reply {
    /// Answer with these headers and this body.
    Answer(u16, Vec<(String, String)>, String),
    /// Close the connection without a word.
    Close,
    /// Say nothing for a while, then close.
    Stall(Duration),
}

pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Reply::Answer(status, headers.iter().map(own).collect(), body.to_owned())
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn new(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let handler: Arc<Handler> = Arc::new(handler);
        Self::raw(move |stream, seen| converse(stream, &*handler, seen))
    }

    /// Makes a server that closes connections of TLS without a word.
    pub(super) fn silent_about_tls(
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let handler: Arc<Handler> = Arc::new(handler);
        Self::make(Some(b""), move |stream, seen| converse(stream, &*handler, seen))
    }

    /// Makes a server that speaks TLS, or whatever the closure speaks.
    pub(super) fn tls(
        connection: impl Fn(TcpStream, &Mutex<Vec<Seen>>) + Send + Sync + 'static,
    ) -> Self {
        Self::make(None, connection)
    }

    /// Makes a server that does what it likes with every connection.
    pub(super) fn raw(
        connection: impl Fn(TcpStream, &Mutex<Vec<Seen>>) + Send + Sync + 'static,
    ) -> Self {
        Self::make(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"), connection)
    }

    fn make(
        to_tls: Option<&'static [u8]>,
        connection: impl Fn(TcpStream, &Mutex<Vec<Seen>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (their_seen, their_stop) = (Arc::clone(&seen), Arc::clone(&stop));
        let connection = Arc::new(connection);
        let connections = Arc::new(AtomicUsize::new(0));
        let their_connections = Arc::clone(&connections);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if their_stop.load(Ordering::Relaxed) {
                    return;
                }
                let (connection, seen) = (connection.clone(), Arc::clone(&their_seen));
                let connections = Arc::clone(&their_connections);
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    // What is held back when the connection ends is lost.
                    stream.set_nodelay(true).unwrap();
                    let mut first = [0];
                    match (stream.peek(&mut first), to_tls) {
                        // A handshake of TLS, which this server does not speak.
                        (Ok(1), Some(to_tls)) if first[0] == 0x16 => {
                            // What is not read turns the end of the connection into a reset.
                            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                                stream.write_all(to_tls).ok();
                            }
                            stream.shutdown(Shutdown::Both).ok();
                        }
                        (Ok(1), _) => {
                            connections.fetch_add(1, Ordering::Relaxed);
                            connection(stream, &seen);
                        }
                        _ => {}
                    }
                });
            }
        });
        Self { address, seen, connections, stop, thread: Some(thread) }
    }

    /// Returns the server's name as a registry.
    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns how many connections were made and used.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Reads the head of a request; `None` at the end of the connection.
pub(super) fn head(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut seen = Seen {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        ..Seen::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(seen) };
        seen.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn converse(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(mut seen) = head(&mut reader) {
        let len = seen.header("content-length").map_or(0, |len| len.parse().unwrap());
        let mut body = vec![0; len];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        seen.body = body;
        log.lock().unwrap().push(seen.clone());
        match handler(&seen) {
            Reply::Answer(status, headers, body) => {
                let mut text = format!("HTTP/1.1 {status} Status\r\n");
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
                if seen.method != "HEAD" {
                    text.push_str(&body);
                }
                if stream.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
            Reply::Close => return,
            Reply::Stall(time) => return std::thread::sleep(time),
        }
    }
}
