//! A group of ranks: how it meets, and what it does together.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::CollectiveError;
use crate::frame::{self, Tag};

/// Rank 0 before the others have come.
#[derive(Debug)]
pub struct Hub {
    listener: TcpListener,
}

/// One rank's view of its group. Every rank calls the same operations in the same order.
#[derive(Debug)]
pub struct Group {
    rank: u32,
    size: u32,
    /// At rank 0 the other ranks in order; elsewhere rank 0 alone.
    peers: Vec<TcpStream>,
}

/// How long a rank may be silent inside an operation before it counts as lost.
const SILENCE: Duration = Duration::from_secs(600);
/// Between two attempts to connect or accept.
const PAUSE: Duration = Duration::from_millis(20);

impl Hub {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is none.
    pub fn listen() -> Result<Self, CollectiveError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(CollectiveError::Listen)?;
        listener.set_nonblocking(true).map_err(CollectiveError::Listen)?;
        Ok(Self { listener })
    }

    /// Where the other ranks find rank 0.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr, CollectiveError> {
        self.listener.local_addr().map_err(CollectiveError::Listen)
    }

    /// Waits for ranks 1 to `size` - 1 of the run `token`. Strangers are turned away.
    ///
    /// # Errors
    /// When some do not come within `limit`.
    pub fn gather(self, size: u32, token: &str, limit: Duration) -> Result<Group, CollectiveError> {
        let deadline = Instant::now() + limit;
        let mut seats: Vec<Option<TcpStream>> = (1..size).map(|_| None).collect();
        loop {
            let missing = seats.iter().filter(|seat| seat.is_none()).count() as u32;
            if missing == 0 {
                return Ok(Group { rank: 0, size, peers: seats.into_iter().flatten().collect() });
            }
            if Instant::now() >= deadline {
                return Err(CollectiveError::Missing { missing, size, seconds: limit.as_secs() });
            }
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Ok((rank, stream)) = welcome(stream, size, token)
                        && let Some(seat) = seats.get_mut(rank as usize - 1)
                    {
                        *seat = Some(stream);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(CollectiveError::Listen(error)),
            }
        }
    }
}

/// The handshake at rank 0.
fn welcome(mut stream: TcpStream, size: u32, token: &str) -> io::Result<(u32, TcpStream)> {
    stream.set_nonblocking(false)?;
    settle(&stream, Duration::from_secs(5))?;
    let hello = frame::read(&mut stream, Tag::Hello)?;
    let stranger = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, theirs) = hello.split_first_chunk::<8>().ok_or_else(stranger)?;
    let (rank, expects) = head.split_first_chunk::<4>().ok_or_else(stranger)?;
    let rank = u32::from_le_bytes(*rank);
    if theirs != token.as_bytes() || expects != size.to_le_bytes() || rank == 0 || rank >= size {
        return Err(stranger());
    }
    frame::write(&mut stream, Tag::Hello, &[])?;
    settle(&stream, SILENCE)?;
    Ok((rank, stream))
}

fn settle(stream: &TcpStream, silence: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(silence))?;
    stream.set_write_timeout(Some(silence))
}

impl Group {
    /// A group of one.
    pub fn alone() -> Self {
        Self { rank: 0, size: 1, peers: Vec::new() }
    }

    /// Joins as `rank` of `size` at rank 0's address; tries again until `limit`.
    ///
    /// # Errors
    /// When rank 0 does not answer, or turns this rank away (another run).
    pub fn join(address: &str, rank: u32, size: u32, token: &str, limit: Duration) -> Result<Self, CollectiveError> {
        let deadline = Instant::now() + limit;
        loop {
            match knock(address, rank, size, token) {
                Ok(stream) => return Ok(Self { rank, size, peers: vec![stream] }),
                Err(source) if Instant::now() >= deadline => {
                    return Err(CollectiveError::Connect { address: address.to_owned(), source });
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// This rank, from 0.
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// How many ranks.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Replaces `values` at every rank by the sum over all ranks, added in order of the ranks.
    ///
    /// # Errors
    /// When a rank is lost, or the ranks' lengths differ.
    pub fn all_reduce_sum(&mut self, values: &mut [f64]) -> Result<(), CollectiveError> {
        if self.rank != 0 {
            self.send(0, Tag::Sum, &frame::to_bytes(values))?;
            values.copy_from_slice(&self.receive_doubles(0, values.len())?);
            return Ok(());
        }
        for peer in 0..self.peers.len() {
            let theirs = self.receive_doubles(peer, values.len())?;
            values.iter_mut().zip(theirs).for_each(|(sum, value)| *sum += value);
        }
        let total = frame::to_bytes(values);
        (0..self.peers.len()).try_for_each(|peer| self.send(peer, Tag::Sum, &total))
    }

    /// Rank 0's bytes, at every rank.
    ///
    /// # Errors
    /// When a rank is lost.
    pub fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, CollectiveError> {
        if self.rank != 0 {
            return self.receive(0, Tag::Bytes);
        }
        (0..self.peers.len()).try_for_each(|peer| self.send(peer, Tag::Bytes, &bytes))?;
        Ok(bytes)
    }

    /// Returns when every rank has called it.
    ///
    /// # Errors
    /// When a rank is lost.
    pub fn barrier(&mut self) -> Result<(), CollectiveError> {
        self.all_reduce_sum(&mut [])
    }

    fn peer_rank(&self, peer: usize) -> u32 {
        if self.rank == 0 { peer as u32 + 1 } else { 0 }
    }

    fn send(&mut self, peer: usize, tag: Tag, payload: &[u8]) -> Result<(), CollectiveError> {
        let rank = self.peer_rank(peer);
        frame::write(&mut self.peers[peer], tag, payload).map_err(|source| CollectiveError::Lost { rank, source })
    }

    fn receive(&mut self, peer: usize, tag: Tag) -> Result<Vec<u8>, CollectiveError> {
        let rank = self.peer_rank(peer);
        frame::read(&mut self.peers[peer], tag).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => CollectiveError::Protocol {
                rank,
                got: source.to_string(),
                expected: format!("a frame of kind {}", tag as u8),
            },
            _ => CollectiveError::Lost { rank, source },
        })
    }

    fn receive_doubles(&mut self, peer: usize, length: usize) -> Result<Vec<f64>, CollectiveError> {
        let bytes = self.receive(peer, Tag::Sum)?;
        match frame::from_bytes(&bytes) {
            Some(values) if values.len() == length => Ok(values),
            _ => Err(CollectiveError::Protocol {
                rank: self.peer_rank(peer),
                got: format!("{} bytes", bytes.len()),
                expected: format!("{length} doubles"),
            }),
        }
    }
}

/// The handshake at another rank.
fn knock(address: &str, rank: u32, size: u32, token: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    settle(&stream, Duration::from_secs(5))?;
    let hello: Vec<u8> = [&rank.to_le_bytes(), &size.to_le_bytes(), token.as_bytes()].concat();
    frame::write(&mut stream, Tag::Hello, &hello)?;
    frame::read(&mut stream, Tag::Hello)?;
    settle(&stream, SILENCE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Runs `work` at every rank of a group of `size` and returns what each made, in order.
    fn together<T: Send>(size: u32, work: impl Fn(&mut Group) -> T + Sync) -> Vec<T> {
        let hub = Hub::listen().unwrap();
        let address = hub.address().unwrap().to_string();
        let (work, address) = (&work, address.as_str());
        thread::scope(|scope| {
            let others: Vec<_> = (1..size)
                .map(|rank| scope.spawn(move || work(&mut Group::join(address, rank, size, "run", LIMIT).unwrap())))
                .collect();
            let first = work(&mut hub.gather(size, "run", LIMIT).unwrap());
            std::iter::once(first).chain(others.into_iter().map(|other| other.join().unwrap())).collect()
        })
    }

    #[test]
    fn every_rank_gets_the_sum_in_rank_order() {
        // In another order the small terms would be lost: the result tells the order.
        let results = together(4, |group| {
            let mut values = [[1e16, 1.0, -1e16, 1.0][group.rank() as usize], f64::from(group.rank())];
            group.all_reduce_sum(&mut values).unwrap();
            group.barrier().unwrap();
            values
        });
        let expected = [((1e16 + 1.0) - 1e16) + 1.0, 6.0];
        assert_eq!(results, vec![expected; 4]);
    }

    #[test]
    fn bytes_of_rank_0_reach_everyone() {
        let results = together(3, |group| group.broadcast(vec![group.rank() as u8 + 7; 3]).unwrap());
        assert_eq!(results, vec![vec![7; 3]; 3]);
    }

    #[test]
    fn a_group_of_one_sums_to_itself() {
        let mut values = [2.5];
        Group::alone().all_reduce_sum(&mut values).unwrap();
        assert_eq!(values, [2.5]);
    }

    #[test]
    fn a_dead_rank_is_lost_and_not_waited_for() {
        let results = together(2, |group| {
            if group.rank() == 1 {
                return None;
            }
            Some(group.barrier().unwrap_err().to_string())
        });
        assert_eq!(results[0].as_deref(), Some("lost rank 1"));
    }

    #[test]
    fn ranks_of_another_run_are_strangers() {
        let hub = Hub::listen().unwrap();
        let address = hub.address().unwrap().to_string();
        thread::scope(|scope| {
            let stranger = scope.spawn(|| Group::join(&address, 1, 2, "other", Duration::from_millis(200)).map(|_| ()));
            let gathered = hub.gather(2, "run", Duration::from_millis(400));
            assert!(matches!(gathered, Err(CollectiveError::Missing { missing: 1, size: 2, .. })));
            assert!(matches!(stranger.join().unwrap(), Err(CollectiveError::Connect { .. })));
        });
    }

    #[test]
    fn unequal_lengths_are_a_protocol_error() {
        let results = together(2, |group| {
            let mut values = vec![0.0; 1 + group.rank() as usize];
            group.all_reduce_sum(&mut values).map_err(|error| error.to_string())
        });
        assert_eq!(results[0], Err("rank 1 sent 16 bytes where 1 doubles was expected".to_owned()));
        assert!(results[1].is_err());
    }
}
