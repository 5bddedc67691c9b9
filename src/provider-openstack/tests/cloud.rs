//! The provider against a small server on loopback that stands for its services: who asks, what is sent again, what is found again.
#![allow(clippy::unwrap_used)]

mod cloud {
    mod authentication;
    mod bed;
    mod clusters;
    mod files;
    mod lost;
    mod refused;
    mod routers;
    mod server;
    mod servers;
    mod services;
    mod waiting;
}
