//! What encryption costs: deriving the key, sealing and opening, and a log of 10,000 records with and without it.
//!
//! Not a test: it prints a table, for `cargo bench -p pipectl-state --bench encryption`.

#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "a table is what this program makes")]

use std::time::{Duration, Instant};

use pipectl_core::{Address, AddressKind};
use pipectl_state::{
    Change, Encryption, Holder, LocalStore, ObjectState, Passphrase, SecretMacs, StateKey, StateStore,
};
use serde_json::json;

fn encryption() -> Encryption {
    Encryption::with(Passphrase::new("correct horse battery staple").unwrap())
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed(), value)
}

fn main() {
    let sealing = encryption();
    let (derive, sealed) = timed(|| sealing.seal_file("bench", b"x").unwrap());
    println!("deriving a key          {:>9.1} ms", derive.as_secs_f64() * 1e3);
    let (open, _) = timed(|| encryption().open_file("bench", sealed).unwrap());
    println!("deriving it to open     {:>9.1} ms", open.as_secs_f64() * 1e3);
    let macs = SecretMacs::new(&StateKey::from_bytes([1; 32]));
    let (mac, _) = timed(|| macs.of("context", b"secret"));
    println!("fingerprint of a secret {:>9.1} ms", mac.as_secs_f64() * 1e3);

    for size in [500, 50_000_000] {
        let plain = vec![b'x'; size];
        let rounds = (20_000_000 / size).max(1);
        let (seal, sealed) = timed(|| (0..rounds).fold(Vec::new(), |_, _| sealing.seal_file("bench", &plain).unwrap()));
        let (open, _) = timed(|| (0..rounds).for_each(|_| drop(sealing.open_file("bench", sealed.clone()).unwrap())));
        let per = |time: Duration| time.as_secs_f64() * 1e6 / rounds as f64;
        let rate = |time: Duration| (size * rounds) as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{size:>9} bytes: seal {:>10.1} us ({:>5.0} MB/s), open {:>10.1} us ({:>5.0} MB/s), stored {} bytes",
            per(seal),
            rate(seal),
            per(open),
            rate(open),
            sealed.len()
        );
    }

    let holder = Holder { pid: 1, who: String::new(), operation: String::new(), since: String::new() };
    for (name, encryption) in [("in clear", Encryption::none()), ("encrypted", sealing)] {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path()).encrypted(encryption);
        let mut writer = store.lock(&holder, Duration::ZERO).unwrap();
        writer.begin("lineage", "bench.hcl").unwrap();
        // Ten objects in each record, as one write gathers them.
        let (write, ()) = timed(|| {
            for batch in 0..1000 {
                let changes = (0..10).map(|index| {
                    let address = Address::new(AddressKind::Resource, "sim_network", &format!("n{batch}_{index}"));
                    let attributes = json!({ "id": format!("net-{batch}-{index}"), "cidr": "10.0.0.0/16", "tags": { "a": "b".repeat(200) } });
                    Change::SetObject { address, object: ObjectState { attributes, ..ObjectState::default() } }
                });
                writer.commit(changes.collect()).unwrap();
            }
        });
        let (read, state) = timed(|| store.read().unwrap().unwrap());
        let bytes: u64 =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        println!(
            "{name}: {} objects in {} records: write {:.2} s, read {:.3} s, {bytes} bytes on disk",
            state.resources.len(),
            state.serial,
            write.as_secs_f64(),
            read.as_secs_f64()
        );
    }
}
