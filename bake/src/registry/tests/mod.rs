//! Traces: which requests are made in which situation, in order.
