//! The `pipectl` binary: everything lives in `pipectl-cli`.

fn main() -> std::process::ExitCode {
    pipectl_cli::main()
}
