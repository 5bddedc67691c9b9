//! Disks that are full, limits on the size of files, disks that nothing can be written to: the program says so and ends with status 1, what
//! it had done is in the state and readable, and when there is room again the next apply goes on from there: nothing is lost, nothing is
//! there twice, nothing is left behind.
//!
//! A disk here is a tmpfs in a mount namespace of its own, which `unshare` makes: as the user, where user namespaces are allowed, else as
//! root. Commands enter the namespace through `nsenter`, and the test sees its files through `/proc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod full_disk {
    mod disk;
    mod full;
    mod limit;
    mod project;
    mod read_only;
}
