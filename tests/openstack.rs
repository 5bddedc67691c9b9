//! The program against a real OpenStack, which `tests/servers/openstack.sh up` starts. Without it these tests fail.
//!
//! The witness is the `openstack` command: it sees what pipectl made, and changes it behind pipectl's back.
#![allow(clippy::unwrap_used)]

mod openstack {
    mod bed;
    mod clusters;
    mod credentials;
    mod networks;
    mod servers;
    mod stack;
}
