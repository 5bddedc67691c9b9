//! What the machine has to offer to stages.

use std::fs;
use std::path::Path;

use pipectl_provider::Environment;
use pipectl_stage::Resources;

use crate::admission::Amount;

/// What stages may take of this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Cores.
    pub cpus: f64,
    /// Bytes of memory; `None`: not known, so it limits nothing.
    pub memory: Option<u64>,
    /// Accelerators.
    pub gpus: u32,
}

impl Machine {
    /// This machine, as far as this process may use it: within its CPU affinity and control group, and `CUDA_VISIBLE_DEVICES`.
    pub fn here(environment: &dyn Environment) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
        let installed = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_total(&text));
        let allowed = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
        let gpus = match environment.variable("CUDA_VISIBLE_DEVICES") {
            Some(devices) => visible_devices(&devices),
            None => device_files(Path::new("/dev")),
        };
        Self { cpus, memory: installed.into_iter().chain(allowed).min(), gpus }
    }

    /// What a group of workers takes of it, and what is to be said about that: a group that asks for more than there is takes all, so
    /// that it runs alone.
    pub(crate) fn share(&self, resources: &Resources, workers: u32) -> (Amount, Option<String>) {
        let asked = Amount::of(resources).times(workers);
        let all = self.capacity();
        if asked.fits(&all) {
            return (asked, None);
        }
        let workers = u64::from(workers);
        let mut missing = Vec::new();
        if asked.millicpus > all.millicpus {
            missing.push(format!("{} cores of {}", resources.cpus * workers as f64, self.cpus));
        }
        if asked.memory > all.memory {
            missing.push(format!("{} MiB of memory of {}", asked.memory >> 20, all.memory >> 20));
        }
        if asked.gpus > all.gpus {
            missing.push(format!("{} accelerators of {}", asked.gpus, all.gpus));
        }
        (all, Some(format!("the stage asks for more than this machine has ({}): it runs alone", missing.join(", "))))
    }

    pub(crate) fn capacity(&self) -> Amount {
        let whole = Resources { cpus: self.cpus, memory: 0, gpus: self.gpus, time: None };
        Amount { memory: self.memory.unwrap_or(u64::MAX), ..Amount::of(&whole) }
    }
}

/// Bytes of `MemTotal` in `/proc/meminfo`, which counts in KiB.
fn memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Devices in `CUDA_VISIBLE_DEVICES`: those before the first that is not valid.
fn visible_devices(devices: &str) -> u32 {
    let valid = |device: &&str| !device.is_empty() && !device.starts_with('-');
    u32::try_from(devices.split(',').map(str::trim).take_while(valid).count()).unwrap_or(u32::MAX)
}

fn device_files(folder: &Path) -> u32 {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_device = |name: std::ffi::OsString| {
        let number = name.to_str().and_then(|name| name.strip_prefix("nvidia")).map(str::to_owned);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    u32::try_from(names.filter(|name| is_device(name.clone())).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_tells() {
        assert_eq!(memory_total("MemTotal:       24658196 kB\nMemFree: 1 kB\n"), Some(24_658_196 << 10));
        assert_eq!(memory_total("MemFree: 1 kB\n"), None);
        assert_eq!(visible_devices(""), 0);
        assert_eq!(visible_devices("-1"), 0);
        assert_eq!(visible_devices("0, 2"), 2);
        assert_eq!(visible_devices("GPU-8932f937,GPU-1,-1,3"), 2);
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "null"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(device_files(folder.path()), 2);
    }

    #[test]
    fn who_asks_for_more_than_there_is_gets_all() {
        let machine = Machine { cpus: 2.0, memory: Some(4 << 30), gpus: 0 };
        let (share, warning) = machine.share(&Resources { cpus: 0.5, memory: 1 << 30, gpus: 0, time: None }, 4);
        assert_eq!((share, warning), (Amount { millicpus: 2000, memory: 4 << 30, gpus: 0 }, None));
        let (share, warning) = machine.share(&Resources { cpus: 1.5, memory: 3 << 30, gpus: 1, time: None }, 2);
        assert_eq!(share, machine.capacity());
        assert_eq!(
            warning.unwrap(),
            "the stage asks for more than this machine has (3 cores of 2, 6144 MiB of memory of 4096, 2 accelerators of 0): it runs alone"
        );
    }
}
