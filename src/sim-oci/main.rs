//! The simulated OCI as a program, for scripts, the SDK and the CLI.
//!
//! usage: pipectl-sim-oci FOLDER [PORT]
//!
//! Writes `config` and `key.pem` into the folder, and one line of JSON that says where everything is to its output. Ends when its input ends.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

use pipectl_sim_oci::{COMPARTMENT, NAMESPACE, OTHER_COMPARTMENT, Server, Service, Settings};
use serde_json::json;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the program's main function, and nothing below it reads arguments"
    )]
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pipectl-sim-oci: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> io::Result<()> {
    let (folder, port) = match arguments {
        [folder] => (folder, 0),
        [folder, port] => (folder, port.parse().map_err(io::Error::other)?),
        _ => return Err(io::Error::other("usage: pipectl-sim-oci FOLDER [PORT]")),
    };
    let folder = PathBuf::from(folder);
    let server = Server::start_with(Settings::default(), port)?;
    let profile = server.profile();
    let (key, config) = (folder.join("key.pem"), folder.join("config"));
    fs::create_dir_all(&folder)?;
    fs::write(&key, &profile.private_key)?;
    fs::write(&config, profile.config_file(&key.to_string_lossy()))?;
    let services: serde_json::Map<_, _> =
        Service::ALL.iter().map(|service| (service.name().to_owned(), json!(server.endpoint_of(*service)))).collect();
    let said = json!({
        "endpoint": server.endpoint(), "services": services, "config": config, "key": key, "key_id": profile.key_id(),
        "tenancy": profile.tenancy, "user": profile.user, "region": profile.region, "metadata": server.instance_metadata(),
        "compartment": COMPARTMENT, "other_compartment": OTHER_COMPARTMENT, "namespace": NAMESPACE,
    });
    let mut output = io::stdout();
    writeln!(output, "{said}")?;
    output.flush()?;
    // Whoever started it holds its input open.
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}
