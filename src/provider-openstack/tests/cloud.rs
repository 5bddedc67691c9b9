//! The provider against a small server on loopback that stands for Keystone and Neutron: who asks, what is sent again, what is found again.
#![allow(clippy::unwrap_used)]

mod cloud {
    mod authentication;
    mod bed;
    mod files;
    mod lost;
    mod server;
    mod waiting;
}
