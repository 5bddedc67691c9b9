//! The program against the simulated OCI, which refuses what the real one refuses, and is the witness of what is there.

mod oci {
    mod bed;
    mod interrupted;
    mod lifecycle;
    mod stack;
}
