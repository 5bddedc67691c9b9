//! A network before a server that dies at every few connections: at once, in the middle of a request, or before the whole answer is back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A port before a server.
pub struct BadNetwork {
    port: u16,
    cut: Arc<AtomicU64>,
}

impl BadNetwork {
    /// Begins to pass connections on to the server at this URL. Each lasts for some small requests.
    pub fn before(url: &str) -> Self {
        Self::with(url, Fate::of)
    }

    /// The same, but each of the first four connections carries so many bytes in each direction, and all others live on.
    pub fn carrying(url: &str, bytes: usize) -> Self {
        Self::with(url, move |number| match number {
            0..4 => Fate { up: bytes, down: bytes },
            _ => Fate { up: usize::MAX, down: usize::MAX },
        })
    }

    fn with(url: &str, fate: impl Fn(usize) -> Fate + Send + 'static) -> Self {
        let server = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&cut);
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().flatten().enumerate() {
                let (server, count, fate) = (server.clone(), Arc::clone(&count), fate(number));
                std::thread::spawn(move || pass(client, &server, fate, &count));
            }
        });
        Self { port, cut }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were cut so far.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }
}

/// How many bytes get through in each direction.
#[derive(Clone, Copy)]
struct Fate {
    up: usize,
    down: usize,
}

impl Fate {
    /// Connections are used for many requests: the limits are a few requests away.
    fn of(number: usize) -> Self {
        match number % 4 {
            // The middle of a request's head, or of its body.
            0 => Self { up: 5_000 + 337 * (number % 29), down: usize::MAX },
            // The server has done it, and its answer gets lost, wholly or in part.
            1 => Self { up: usize::MAX, down: 1_500 + 211 * (number % 31) },
            2 => Self { up: 0, down: usize::MAX },
            _ => Self { up: 40_000, down: 40_000 },
        }
    }
}

fn pass(client: TcpStream, server: &str, fate: Fate, count: &AtomicU64) {
    let Ok(server) = TcpStream::connect(server) else { return };
    let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, server, fate.up, count));
        scope.spawn(|| copy(server_too, client_too, fate.down, count));
    });
}

/// Copies at most `limit` bytes, then cuts the connection in both directions.
fn copy(mut from: TcpStream, mut to: TcpStream, limit: usize, count: &AtomicU64) {
    let mut left = limit;
    let mut buffer = [0; 4096];
    loop {
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            count.fetch_add(1, Ordering::Relaxed);
            break;
        }
        match from.read(&mut buffer[..wanted]) {
            Ok(0) | Err(_) => break,
            Ok(length) if to.write_all(&buffer[..length]).is_err() => break,
            Ok(length) => left = left.saturating_sub(length),
        }
    }
    // It may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
