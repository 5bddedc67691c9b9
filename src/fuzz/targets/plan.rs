//! Opens a plan file: the bytes as they are, and the bytes as the content of a file whose digest is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_core::Digest;
use pipectl_engine::{MAGIC, Planned};
use pipectl_state::Encryption;

fuzz_target!(|bytes: &[u8]| {
    let _ = Planned::open(bytes, &[], &Encryption::none());
    // A seed is a whole file: its content is what follows its two lines.
    let content = match bytes.strip_prefix(MAGIC) {
        Some(rest) => rest.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default(),
        None => bytes,
    };
    let mut whole = MAGIC.to_vec();
    whole.extend_from_slice(format!("{{\"format\":3,\"digest\":\"{}\"}}\n", Digest::of(content)).as_bytes());
    whole.extend_from_slice(content);
    if let Ok(planned) = Planned::open(&whole, &[], &Encryption::none()) {
        let _ = planned.plan.save(&Encryption::none());
    }
});
