//! Hashes of passwords against the C library's `crypt`, which knows bcrypt.

use std::process::Command;

use serde_json::json;

use super::said;
use crate::bed::{Bed, text};

#[tokio::test]
async fn crypt_makes_the_same_hash() {
    let bed = Bed::new();
    for length in [8, 72, 100] {
        let made = bed.apply("random_password", &json!({ "length": length }), None).await.attributes;
        let hash = text(&made, "bcrypt_hash");
        let script = "print crypt($ARGV[0], $ARGV[1])";
        let again = said(Command::new("perl").args(["-e", script, "--", text(&made, "result"), hash]));
        assert_eq!(again, hash, "of a password of {length} characters");
    }
}
