//! `test`: runs of a configuration with assertions.

use super::scenario::Scenario;

#[test]
fn tests_of_a_configuration() {
    let mut scenario = Scenario::of("tested");
    scenario.run("test");
    scenario.run("test -filter=sizes.tftest.hcl");
    scenario.run("test -json -filter=tests/failing.tftest.hcl");
    scenario.run("test -filter=sizes.tftest.hcl -verbose -var size=4");
    scenario.run("test -filter=absent.tftest.hcl");
    assert!(!scenario.file(".pipectl/default").exists(), "the state of tests is in memory");
    scenario.check("tests");
}

#[test]
fn mistakes_in_a_test_file() {
    let mut scenario = Scenario::of("tested");
    scenario.write(
        "tests/broken.tftest.hcl",
        "run \"a\" {\n  comand = plan\n  assert {\n    condition = true\n  }\n  module {\n    source = \"./m\"\n  }\n}\n\nmock_provider \"x\" {}\n",
    );
    scenario.run("test");
    scenario.check("tests_with_mistakes");
}
