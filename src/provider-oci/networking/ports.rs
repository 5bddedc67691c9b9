//! What rules say of protocols: ports, and kinds of ICMP messages.

use pipectl_cloud::Group;
use pipectl_core::{Attribute, Type};

use crate::kind::option;

fn number(description: &str) -> Attribute {
    Attribute::required(Type::Number, description)
}

/// A range of ports as a block of its own.
pub(super) fn range(member: &'static str, description: &'static str) -> Group {
    Group::one(member, description).with("min", "min", number("The first port.")).with(
        "max",
        "max",
        number("The last port."),
    )
}

/// Options of TCP or UDP in a security list: the ports of the destination stand in the block itself.
pub(super) fn flat(member: &'static str, description: &'static str) -> Group {
    Group::one(member, description)
        .with("min", "destinationPortRange.min", option(Type::Number, "The first port of the destination."))
        .with("max", "destinationPortRange.max", option(Type::Number, "The last port of the destination."))
        .group("source_port_range", range("sourcePortRange", "The ports of the source."))
}

/// The same in a rule of a security group.
pub(super) fn nested(member: &'static str, description: &'static str) -> Group {
    Group::one(member, description)
        .group("destination_port_range", range("destinationPortRange", "The ports of the destination."))
        .group("source_port_range", range("sourcePortRange", "The ports of the source."))
}

/// Options of ICMP.
pub(super) fn icmp() -> Group {
    Group::one("icmpOptions", "The messages of ICMP that it is about.")
        .with("type", "type", number("The type."))
        .with("code", "code", option(Type::Number, "The code. Default -1: all."))
        .absent("code", -1)
}
