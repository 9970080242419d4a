//! The way to a server, as a small TCP proxy that can be reset.
//!
//! A connection is two threads that pass bytes on; a reset ends those that are open.

#![expect(clippy::disallowed_methods, reason = "no simulation runs on these threads")]

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::{Error, tried};

/// A proxy on loopback. Its threads end with the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// One before the server at `port`.
    pub fn before(port: u16) -> Result<Proxy, Error> {
        let listener = tried("listening", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let own = tried("listening", listener.local_addr())?.port();
        let open = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Without a server the client finds its connection closed.
                let _ = connect(port, client, &known);
            }
        });
        Ok(Proxy { port: own, open })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Both ends of every connection find it closed.
    pub fn reset(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that is closed already is what was wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn connect(port: u16, client: TcpStream, open: &Mutex<Vec<TcpStream>>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
    }
    pass(client.try_clone()?, server.try_clone()?);
    pass(server, client);
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // However it ends, the other side is to know.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
