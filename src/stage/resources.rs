//! What a stage takes of a machine: the `resources` block.

use pipectl_core::{Attribute, Block, Diagnostic, Path, Schema, Type, Value};
use serde::{Deserialize, Serialize};

/// What one worker of a stage takes. Executors admit by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores. Default 1.
    pub cpus: f64,
    /// Bytes of memory; 0: not said.
    pub memory: u64,
    /// Accelerators.
    pub gpus: u32,
    /// Seconds after which a run is stopped; `None`: no limit.
    pub time: Option<f64>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpus: 1.0, memory: 0, gpus: 0, time: None }
    }
}

impl Resources {
    /// The `resources` block of every stage.
    pub fn block() -> Block {
        Block::single(
            Schema::of([
                ("cpus", Attribute::optional(Type::Number, "Cores a worker takes. Default 1.")),
                (
                    "memory",
                    Attribute::optional(
                        Type::String,
                        "Memory a worker takes: a number and `Ki`, `Mi`, `Gi`, `Ti`, `k`, `M`, `G` or `T`.",
                    ),
                ),
                ("gpus", Attribute::optional(Type::Number, "Accelerators a worker takes. Default 0.")),
                ("time", Attribute::optional(Type::String, "Longest time of a run: a number and `s`, `m` or `h`.")),
            ]),
            "What one worker of the stage takes of the machine that runs it.",
        )
    }

    /// Reads the evaluated block; null and unknown values count as absent.
    ///
    /// # Errors
    /// A malformed amount, with its path.
    pub fn from_value(block: Option<&Value>) -> Result<Self, Diagnostic> {
        let mut resources = Self::default();
        let Some(block) = block.filter(|block| !block.is_null() && block.is_known()) else { return Ok(resources) };
        let path = |name: &str| Path::of("resources").name(name);
        let invalid = |name: &str, detail: &str| Diagnostic::error("Invalid resources", detail).on(path(name));
        if let Some(cpus) = block.attribute("cpus").and_then(Value::as_number) {
            resources.cpus = cpus.to_f64();
            if !(resources.cpus > 0.0 && resources.cpus.is_finite()) {
                return Err(invalid("cpus", "The number of cores must be greater than 0."));
            }
        }
        if let Some(gpus) = block.attribute("gpus").and_then(Value::as_number) {
            let whole = gpus.to_u64().and_then(|gpus| u32::try_from(gpus).ok());
            resources.gpus = whole
                .ok_or_else(|| invalid("gpus", "The number of accelerators must be a whole number, 0 or more."))?;
        }
        if let Some(memory) = block.attribute("memory").and_then(Value::as_str) {
            resources.memory = parse_bytes(memory)
                .ok_or_else(|| invalid("memory", "An amount of memory is a number and a unit: \"4Gi\"."))?;
        }
        if let Some(time) = block.attribute("time").and_then(Value::as_str) {
            let seconds = parse_seconds(time)
                .ok_or_else(|| invalid("time", "A time is a number and a unit: \"90s\", \"30m\", \"2h\"."))?;
            resources.time = Some(seconds);
        }
        Ok(resources)
    }
}

/// Bytes of a Kubernetes quantity: "4Gi", "512M", "1000".
pub fn parse_bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.strip_suffix('B').unwrap_or(unit) {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
}

/// Seconds of a duration: "90s", "30m", "2h".
pub fn parse_seconds(text: &str) -> Option<f64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_amounts() {
        assert_eq!(parse_bytes("4Gi"), Some(4 << 30));
        assert_eq!(parse_bytes("1.5k"), Some(1500));
        assert_eq!(parse_bytes("4 GiB"), None);
        assert_eq!(parse_seconds("90s"), Some(90.0));
        assert_eq!(parse_seconds("2h"), Some(7200.0));
        assert_eq!(parse_seconds("2"), None);
    }

    #[test]
    fn says_which_amount_is_wrong() {
        let block = Value::object([("memory", Value::from("lots"))]);
        let error = Resources::from_value(Some(&block)).expect_err("not an amount");
        assert_eq!(error.path.expect("a path").to_string(), "resources.memory");
    }
}
