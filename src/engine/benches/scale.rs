//! What loading, planning and applying cost by the number of blocks: CPU seconds, bytes written, memory.
//!
//! Not a test: it prints a table, for `cargo bench -p pipectl-engine --bench scale`. Linux only, as it reads `/proc/self`.

#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "a table is what this program makes")]

use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipectl_engine::{Engine, Folders, Mode, PlanOptions, Planned, Seed};
use pipectl_lang::{ModuleFolders, NoFiles, SourceFile, load_with_modules};
use pipectl_provider::{Cancel, Registry};
use pipectl_sim::context;
use pipectl_state::{Holder, LocalStore, StateStore};

/// Blocks that need nothing.
fn blocks(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, "resource \"terraform_data\" \"b{number}\" {{\n  input = \"value {number}\"\n}}\n").unwrap();
        text
    })
}

/// One block with so many instances.
fn instances(count: usize) -> String {
    // `range` makes 1,024 numbers at most.
    let keys = format!("flatten([for a in range({}) : [for b in range(100) : \"k${{a * 100 + b}}\"]])", count / 100);
    format!(
        "resource \"terraform_data\" \"b\" {{\n  for_each = toset({keys})\n  input    = \"value ${{each.key}}\"\n}}\n"
    )
}

/// Layers of 100 blocks; each block refers to ten of the layer before.
fn layers(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let (layer, place) = (number / 100, number % 100);
        let needs: Vec<String> = match layer {
            0 => Vec::new(),
            _ => (0..10)
                .map(|step| format!("terraform_data.b{}.id", (layer - 1) * 100 + (place + step * 7) % 100))
                .collect(),
        };
        writeln!(text, "resource \"terraform_data\" \"b{number}\" {{\n  input = [{}]\n}}", needs.join(", ")).unwrap();
        text
    })
}

/// So many instances of a module of ten blocks, each of which refers to the one before.
fn modules(count: usize) -> String {
    format!(
        "module \"m\" {{\n  source = \"./m\"\n  for_each = toset([for n in range({count}) : \"k${{n}}\"])\n  input = each.key\n}}\noutput \"o\" {{\n  value = module.m[\"k7\"].last\n}}\n"
    )
}

/// The folder of that module.
struct TenBlocks;

impl ModuleFolders for TenBlocks {
    fn files(&self, folder: &str) -> Result<Vec<SourceFile>, String> {
        let mut text = "variable \"input\" {}\noutput \"last\" {\n  value = terraform_data.b9.id\n}\n".to_owned();
        for number in 0..10_usize {
            let input = match number.checked_sub(1) {
                Some(before) => format!("terraform_data.b{before}.id"),
                None => "var.input".to_owned(),
            };
            writeln!(text, "resource \"terraform_data\" \"b{number}\" {{\n  input = {input}\n}}").unwrap();
        }
        Ok(vec![SourceFile { name: format!("{folder}/main.tf"), text }])
    }
}

/// Each block refers to the one before.
fn chain(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let input = if number == 0 { "1".to_owned() } else { format!("terraform_data.b{}.id", number - 1) };
        writeln!(text, "resource \"terraform_data\" \"b{number}\" {{\n  input = {input}\n}}").unwrap();
        text
    })
}

/// Blocks of which it is known only after apply how many instances they have.
fn deferred(count: usize) -> String {
    let first = "resource \"terraform_data\" \"number\" {\n  input = 1\n}\n".to_owned();
    (0..count).fold(first, |mut text, number| {
        let count = "terraform_data.number.output";
        write!(text, "resource \"terraform_data\" \"b{number}\" {{\n  count = {count}\n  input = {number}\n}}\n")
            .unwrap();
        text
    })
}

fn engine() -> Engine {
    let mut registry = Registry::default();
    registry.add(pipectl_provider_terraform::provider(Vec::new()));
    let outside = context("none", "");
    Engine {
        registry: Arc::new(registry),
        environment: outside.environment,
        artifacts: outside.artifacts,
        files: Arc::new(NoFiles),
        folders: Folders {
            started_in: "/".into(),
            root: "root".into(),
            root_name: ".".to_owned(),
            work: "work".into(),
            view: "view".into(),
            in_commands: String::new(),
        },
        is_encrypted: false,
        workspace: "default".to_owned(),
        parallelism: 10,
        events: Arc::new(|_| {}),
        cancel: Cancel::new(),
    }
}

/// CPU seconds of this process, and bytes that it has written.
fn usage() -> (f64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap();
    // A tick is a hundredth of a second on every Linux there is.
    (ticks / 100.0, written)
}

fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

struct Watch {
    start: Instant,
    cpu: f64,
    written: u64,
}

impl Watch {
    fn start() -> Self {
        let (cpu, written) = usage();
        Self { start: Instant::now(), cpu, written }
    }

    fn report(self, what: &str) {
        let (cpu, written) = usage();
        let (wall, cpu, written) = (self.start.elapsed().as_secs_f64(), cpu - self.cpu, written - self.written);
        println!("  {what:<10} {cpu:>6.2} CPU s  {wall:>6.2} wall s  {:>10} bytes written", written);
    }
}

async fn measure(name: &str, text: String) {
    println!("{name}");
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new(folder.path());
    let engine = engine();
    let holder = Holder { pid: 1, who: "bench".to_owned(), operation: "apply".to_owned(), since: "now".to_owned() };

    let watch = Watch::start();
    let files = vec![SourceFile { name: "main.tf".to_owned(), text }];
    let (configuration, diagnostics) = load_with_modules(files, &TenBlocks);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let configuration = Arc::new(configuration);
    watch.report("load");

    let watch = Watch::start();
    let found = engine.validate(&configuration);
    assert!(!found.has_errors(), "{found:?}");
    watch.report("validate");

    let plan = async |seed: u8, mode: Mode| -> Planned {
        let state = store.read().unwrap();
        engine
            .plan(Arc::clone(&configuration), &[], state.as_ref(), &PlanOptions::new(mode, Seed([seed; 32])))
            .await
            .unwrap()
    };
    let watch = Watch::start();
    let planned = plan(1, Mode::Normal).await;
    watch.report("plan");

    let watch = Watch::start();
    let applied = engine.apply(planned, store.lock(&holder, Duration::ZERO).unwrap()).await;
    assert!(applied.succeeded(), "{:?}", applied.diagnostics);
    watch.report("apply");
    let size = serde_json::to_vec(&applied.state).unwrap().len();
    println!("  state      {size} bytes");
    drop(applied);

    let watch = Watch::start();
    let planned = plan(2, Mode::Normal).await;
    assert!(!planned.plan.has_changes());
    watch.report("no change");
    drop(planned);

    let watch = Watch::start();
    let planned = plan(3, Mode::Destroy).await;
    let applied = engine.apply(planned, store.lock(&holder, Duration::from_secs(10)).unwrap()).await;
    assert!(applied.succeeded(), "{:?}", applied.diagnostics);
    watch.report("destroy");
    println!("  peak memory so far {} MiB", peak_memory());
}

#[tokio::main]
async fn main() {
    measure("1,000 blocks", blocks(1_000)).await;
    measure("10,000 blocks", blocks(10_000)).await;
    measure("10,000 instances of for_each", instances(10_000)).await;
    measure("10,000 blocks in layers of 100, ten references each", layers(10_000)).await;
    measure("1,000 blocks in a chain", chain(1_000)).await;
    measure("10,000 deferred blocks", deferred(10_000)).await;
    measure("10,000 blocks in 1,000 instances of a module", modules(1_000)).await;
}
