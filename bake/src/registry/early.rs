//! Answers that come while a body is still being sent.
//!
//! A registry that wants a new token, or finds a body too long, answers at once and closes the
//! connection. Whoever is still sending then sees a broken pipe, although the answer lies in the
//! socket and says what is wrong. So between the socket and TLS stands a transport that, once
//! sending has failed, pretends that everything else was sent, so that the answer is read next.

use std::cell::Cell;
use std::io;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

thread_local! {
    /// Whether sending failed in the exchange that this thread makes. An exchange is made by one
    /// thread from beginning to end, and ureq has no way to hand anything to a pooled connection.
    static CUT: Cell<bool> = const { Cell::new(false) };
}

/// Says that an exchange begins on this thread.
pub(super) fn begin() {
    CUT.set(false);
}

/// Returns whether the other side stopped reading during the exchange of this thread.
pub(super) fn was_cut() -> bool {
    CUT.get()
}

/// Puts the transport into the chain of connectors, above the socket.
#[derive(Debug)]
pub(super) struct EarlyAnswers;

/// The transport.
#[derive(Debug)]
pub(super) struct Patient<T> {
    inner: T,
    cut: bool,
}

impl<In: Transport> Connector<In> for EarlyAnswers {
    type Out = Patient<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Patient { inner, cut: false }))
    }
}

impl<T: Transport> Transport for Patient<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.cut {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if is_closed(&error) => {
                self.cut = true;
                CUT.set(true);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        !self.cut && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
