//! One HTTP client for all clouds.
//!
//! A [`Client`] stands for one service account: it knows how to reach the network (proxies, certificates), how fast it may go, how often to try
//! again, and, through [`Authorize`], how to sign. A [`Call`] is one request, which may be sent several times: whether that is safe is a
//! property of the call ([`Repeat`]), known from its method or said by who makes it. It comes to an [`Answer`] or to an [`Error`], which knows the status, the id that the server gave to the request, how often it was sent, and whether the server may have acted.
//!
//! Nothing secret leaves this crate: errors name neither queries nor users of URLs, and the log (`tracing`, target `pipectl::http`) shows bodies
//! and header fields through [`redact`].
//!
//! What it deliberately leaves out: what a service means by its bodies. Each cloud's crate reads its own errors out of [`Error::body`].

mod answer;
mod authorize;
mod call;
mod client;
mod error;
mod pace;
mod pieces;
pub mod redact;
mod retry;
mod settings;

pub use answer::Answer;
pub use authorize::{Authorize, Denied};
pub use call::{Call, Repeat};
pub use client::Client;
pub use error::{Error, Failure};
pub use pace::Pace;
pub use reqwest::header;
pub use reqwest::{Method, Request, StatusCode, Url};
pub use retry::Retry;
pub use settings::{Settings, SettingsError, Trust, proxies};
