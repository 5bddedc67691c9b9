//! What tokens say of themselves. Nobody here checks who has signed them: the service does.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

/// What a token says of itself.
pub(crate) struct Claims(Json);

impl Claims {
    pub(crate) fn of(token: &str) -> Option<Self> {
        let middle = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok().map(Self)
    }

    /// When it ends.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// When it was given.
    pub(crate) fn issued(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0.get(name)?.as_u64()?))
    }

    /// The tenancy that it is for: of a resource, or of whoever it is.
    pub(crate) fn tenancy(&self) -> Option<&str> {
        self.0.get("res_tenant").or_else(|| self.0.get("tenant")).or_else(|| self.0.get("opc-tenant"))?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_clock_tells_is_none() {
        let claims = |exp: u64| Claims(serde_json::json!({ "exp": exp }));
        assert!(claims(1_795_453_112).expires().is_some());
        assert_eq!(claims(u64::MAX).expires(), None);
    }
}
