//! Opens a sealed file. Whatever was changed in it, it opens as what was sealed or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_state::{Cost, Encryption, Passphrase};

/// What the seed says of its key derivation. Other costs are only read: deriving keys at all of them would take most of the time.
const COST: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
const COST_AS_TEXT: &[u8] = b"$m=8,t=1,p=1$";
const CONTEXT: &str = "pipectl fuzz";
const PLAIN: &[u8] = b"what was sealed";

/// Made anew each time, because it keeps every key that it derives.
fn encryption() -> Encryption {
    let passphrase = Passphrase::new("the passphrase of the seed").expect("it is long enough");
    Encryption::with_cost(passphrase, COST).expect("argon2id has this cost")
}

fuzz_target!(|bytes: &[u8]| {
    let is_sealed = Encryption::is_sealed_file(bytes);
    assert_eq!(Encryption::none().open_file(CONTEXT, bytes.to_vec()).is_ok(), !is_sealed);
    if is_sealed
        && bytes.windows(COST_AS_TEXT.len()).any(|window| window == COST_AS_TEXT)
        && let Ok(plain) = encryption().open_file(CONTEXT, bytes.to_vec())
    {
        assert_eq!(plain, PLAIN, "it opens as something that was never sealed");
    }
});
