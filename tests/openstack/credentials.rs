//! Credentials for programs, and logging in with them.

use super::bed::{Bed, listed, seen};

#[test]
fn credentials_are_made_kept_and_removed() {
    let bed = Bed::new(
        r#"
resource "openstack_identity_application_credential_v3" "robot" {
  name       = "cred-robot"
  roles      = ["member"]
  expires_at = "2099-01-01T00:00:00Z"
}

resource "openstack_identity_ec2_credential_v3" "s3" {
}

provider "openstack" {
  alias                         = "robot"
  auth_url                      = "http://127.0.0.1:5000/v3"
  application_credential_id     = openstack_identity_application_credential_v3.robot.id
  application_credential_secret = openstack_identity_application_credential_v3.robot.secret
}

resource "openstack_networking_network_v2" "net" {
  provider = openstack.robot
  name     = "cred-net"
}

output "access" {
  value = openstack_identity_ec2_credential_v3.s3.access
}

output "robot_secret" {
  value     = openstack_identity_application_credential_v3.robot.secret
  sensitive = true
}

output "secret" {
  value     = openstack_identity_ec2_credential_v3.s3.secret
  sensitive = true
}
"#,
    );
    bed.apply();
    bed.has_no_changes();
    let secrets = ["secret", "robot_secret"].map(|name| bed.output(name));
    let log = std::fs::read_to_string(bed.path("log")).unwrap();
    assert!(log.contains("/v2.0/networks") && log.contains("/application_credentials/"), "requests are logged");
    // The password of the test user, and what Keystone has made.
    for secret in secrets.iter().map(String::as_str).chain(["not-a-secret"]) {
        assert!(secret.len() > 8 && !log.contains(secret), "a secret is in the log");
    }
    let access = bed.output("access");
    let told = seen(&["ec2", "credentials", "show", &access]);
    assert_eq!(told["secret"].as_str(), Some(bed.output("secret").as_str()));
    assert_eq!(listed(&["network", "list"], "cred-"), ["cred-net"]);
    bed.destroy();
    assert_eq!(listed(&["application", "credential", "list"], "cred-"), Vec::<String>::new());
    assert_eq!(listed(&["network", "list"], "cred-"), Vec::<String>::new());
    let left = seen(&["ec2", "credentials", "list"]);
    assert!(left.as_array().unwrap().iter().all(|one| one["Access"] != access.as_str()), "{left}");
}
