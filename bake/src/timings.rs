//! Where the time of a bake went: spans on a time line, and how many bytes went where.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

/// Gathers spans and bytes from all threads.
#[derive(Debug)]
pub struct Timings {
    began: Instant,
    spans: Mutex<Vec<Span>>,
    bytes: [AtomicU64; Bytes::ALL.len()],
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// What was done, e.g. `hash`.
    pub phase: &'static str,
    /// The output that it was done for, if it was for one.
    pub output: Option<String>,
    /// How long after the beginning of everything it began.
    #[serde(serialize_with = "in_milliseconds")]
    pub start: Duration,
    /// How long it took.
    #[serde(serialize_with = "in_milliseconds")]
    pub length: Duration,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// Read from the build output to know what is in it.
    Hashed,
    /// Read from the build output or the store to be compressed, hashed in a payload or written.
    Read,
    /// Compressed, as they were before.
    Compressed,
    /// Not compressed because they had been before.
    Reused,
    /// Written to the store.
    Stored,
    /// Written to outputs.
    Written,
}

impl Bytes {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Hashed, Self::Read, Self::Compressed, Self::Reused, Self::Stored, Self::Written];

    /// Returns the word for them.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::Read => "read",
            Self::Compressed => "compressed",
            Self::Reused => "reused",
            Self::Stored => "stored",
            Self::Written => "written",
        }
    }
}

fn in_milliseconds<S: serde::Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(time.as_secs_f64() * 1e3)
}

impl Default for Timings {
    fn default() -> Self {
        let bytes = Bytes::ALL.map(|_| AtomicU64::new(0));
        Self { began: Instant::now(), spans: Mutex::default(), bytes }
    }
}

impl Timings {
    /// Adds bytes that went somewhere.
    pub fn add(&self, bytes: Bytes, count: u64) {
        self.bytes[bytes as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Returns how many bytes went somewhere.
    pub fn bytes(&self, bytes: Bytes) -> u64 {
        self.bytes[bytes as usize].load(Ordering::Relaxed)
    }

    /// Returns what took time, in the order in which it ended.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how long it is since the beginning.
    pub fn total(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns everything as trace events, which chrome://tracing, Perfetto and speedscope open.
    ///
    /// Times are microseconds since the beginning. Each output has a row of its own.
    pub fn trace(&self) -> Value {
        let spans = self.spans();
        let mut rows: Vec<Option<&str>> = vec![None];
        for span in &spans {
            if !rows.contains(&span.output.as_deref()) {
                rows.push(span.output.as_deref());
            }
        }
        let row = |output: Option<&str>| rows.iter().position(|row| *row == output);
        let names = rows.iter().enumerate().map(|(row, output)| {
            let name = output.unwrap_or("bake");
            json!({ "ph": "M", "pid": 1, "tid": row, "name": "thread_name", "args": { "name": name } })
        });
        let events = spans.iter().map(|span| {
            let (start, length) = (span.start.as_secs_f64() * 1e6, span.length.as_secs_f64() * 1e6);
            let row = row(span.output.as_deref());
            json!({ "ph": "X", "pid": 1, "tid": row, "name": span.phase, "ts": start, "dur": length })
        });
        let counted: serde_json::Map<String, Value> = Bytes::ALL
            .iter()
            .map(|bytes| (bytes.word().into(), self.bytes(*bytes).into()))
            .collect();
        let events: Vec<Value> = names.chain(events).collect();
        json!({ "traceEvents": events, "displayTimeUnit": "ms", "otherData": counted })
    }
}

/// Times something until it is dropped.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    timings: Option<&'a Timings>,
    phase: &'static str,
    output: Option<String>,
    start: Instant,
}

/// Starts timing something, if somebody wants to know.
pub fn time<'a>(
    timings: Option<&'a Timings>,
    phase: &'static str,
    output: Option<&str>,
) -> Stopwatch<'a> {
    let output = timings.and(output).map(str::to_owned);
    Stopwatch { timings, phase, output, start: Instant::now() }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        let Some(timings) = self.timings else { return };
        let (phase, output) = (self.phase, self.output.take());
        let start = self.start.duration_since(timings.began);
        let span = Span { phase, output, start, length: self.start.elapsed() };
        timings.spans.lock().unwrap_or_else(PoisonError::into_inner).push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_a_row_for_each_output_and_every_span() {
        let timings = Timings::default();
        {
            let _all = time(Some(&timings), "scan", None);
            drop(time(Some(&timings), "write", Some("a.deb")));
            drop(time(None, "write", Some("nobody asks")));
        }
        timings.add(Bytes::Read, 7);
        timings.add(Bytes::Read, 1);
        let phases: Vec<_> = timings.spans().into_iter().map(|span| span.phase).collect();
        assert_eq!(phases, ["write", "scan"]);
        let trace = timings.trace();
        let events = trace["traceEvents"].as_array().unwrap();
        let rows: Vec<_> = events.iter().filter(|event| event["ph"] == "M").collect();
        assert_eq!(rows[0]["args"]["name"], "bake");
        assert_eq!(rows[1]["args"]["name"], "a.deb");
        let spans: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
        assert_eq!((&spans[0]["tid"], &spans[1]["tid"]), (&json!(1), &json!(0)));
        assert!(spans[1]["dur"].as_f64().unwrap() >= spans[0]["dur"].as_f64().unwrap());
        assert_eq!(trace["otherData"]["read"], 8);
    }
}
