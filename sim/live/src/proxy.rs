//! The way to a server: a small TCP proxy that delays, holds, drops and resets.
//!
//! A connection has two directions, each of two threads: one reads and notes when, one passes on
//! what has waited long enough, if the way is open. So a delay takes nothing of the bandwidth,
//! and what is held arrives at once in the end, in order, a close like any byte.
//!
//! What is dropped cannot be sent again, as TCP would: a connection that was there when the drop
//! began never passes anything again, nor that it was closed. One that is made meanwhile waits, as
//! one does whose first packets are lost, and goes on when the drop is over.
//!
//! While nobody listens at the server's port nobody does at the proxy's.

#![expect(clippy::disallowed_methods, reason = "no simulation runs on these threads")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::server::free_port;

/// A proxy on loopback. Its threads end with the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: Arc<Way>,
}

/// What all connections go by.
#[derive(Debug, Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
    /// Both ends of every connection.
    ends: Mutex<Vec<TcpStream>>,
}

#[derive(Debug, Default)]
struct State {
    /// One way.
    delay: Duration,
    /// Nothing passes.
    shut: bool,
    /// How many drops have begun.
    drops: u64,
}

/// What one end has said, and when; nothing: it has closed.
type Said = (Instant, Option<Vec<u8>>);

impl Proxy {
    /// One before the server at `port`.
    pub fn before(port: u16) -> Result<Proxy, Error> {
        let own = free_port()?;
        let way = Arc::new(Way::default());
        let known = Arc::clone(&way);
        thread::spawn(move || {
            loop {
                let listener = is_listened_at(port).then(|| {
                    TcpListener::bind((Ipv4Addr::LOCALHOST, own)).and_then(|listener| {
                        listener.set_nonblocking(true)?;
                        Ok(listener)
                    })
                });
                match listener {
                    Some(Ok(listener)) => listen(&listener, port, &known),
                    Some(Err(_)) | None => thread::sleep(AGAIN),
                }
            }
        });
        Ok(Proxy { port: own, way })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything takes so much longer, each way.
    pub fn delay(&self, by: Duration) {
        self.change(|state| state.delay = by);
    }

    /// Nothing passes, and everything is kept, until [`Proxy::open`].
    pub fn hold(&self) {
        self.change(|state| state.shut = true);
    }

    /// Nothing passes, and nobody is told, until [`Proxy::open`]; what is under way is lost.
    pub fn drop_all(&self) {
        self.change(|state| {
            state.shut = true;
            state.drops += 1;
        });
    }

    /// Everything passes.
    pub fn open(&self) {
        self.change(|state| state.shut = false);
    }

    /// Both ends of every connection find it closed.
    pub fn reset(&self) {
        for stream in lock(&self.way.ends).drain(..) {
            // One that is closed already is what was wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut lock(&self.way.state));
        self.way.changed.notify_all();
    }
}

impl Way {
    /// Returns when what was said at `at` may pass; whether it may at all on a connection that
    /// was made after so many drops.
    fn may_pass(&self, at: Instant, made_after: u64) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.drops > made_after {
                return false;
            }
            let wait = (at + state.delay).saturating_duration_since(Instant::now());
            state = if state.shut {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if wait.is_zero() {
                return true;
            } else {
                let waited = self.changed.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

/// A thread that panicked has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often it looks for connections, and for a server.
const AGAIN: Duration = Duration::from_millis(3);

/// Whether anybody listens at a port of loopback: then it cannot be had.
fn is_listened_at(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// Takes connections as long as there is a server.
fn listen(listener: &TcpListener, port: u16, way: &Arc<Way>) {
    while is_listened_at(port) {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(AGAIN);
            continue;
        };
        let way = Arc::clone(way);
        thread::spawn(move || {
            // One that the server does not take is closed.
            let _ = client.set_nonblocking(false).and_then(|()| connect(port, client, &way));
        });
    }
}

fn connect(port: u16, client: TcpStream, way: &Arc<Way>) -> io::Result<()> {
    let made_after = lock(&way.state).drops;
    // The server hears of a connection when its first packet arrives.
    if !way.may_pass(Instant::now(), made_after) {
        // A second drop: this one is never heard of.
        lock(&way.ends).push(client);
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        lock(&way.ends).push(stream.try_clone()?);
    }
    pass(client.try_clone()?, server.try_clone()?, way, made_after);
    pass(server, client, way, made_after);
    Ok(())
}

/// One direction.
fn pass(mut from: TcpStream, mut to: TcpStream, way: &Arc<Way>, made_after: u64) {
    let (said, heard): (Sender<Said>, Receiver<Said>) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            let part = (read > 0).then(|| bytes[..read].to_vec());
            // Nobody listens any more on a connection that is dead.
            if said.send((Instant::now(), part)).is_err() || read == 0 {
                return;
            }
        }
    });
    let way = Arc::clone(way);
    thread::spawn(move || {
        for (at, part) in heard {
            if !way.may_pass(at, made_after) {
                return;
            }
            let passed = part.is_some_and(|part| to.write_all(&part).is_ok());
            if !passed {
                // However it ends, the other side is to know. It may have more to say, which must
                // not be answered with a reset: that takes away what it has not read.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    });
}
