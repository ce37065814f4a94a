//! The crate's own source, so that `ebpfasm` can carry it and compile it where it runs.

/// Every file of this crate's `src` folder: its path within it, and its text.
pub const SOURCES: &[(&str, &str)] = &[
    ("action.rs", include_str!("action.rs")),
    ("address.rs", include_str!("address.rs")),
    ("arithmetic.rs", include_str!("arithmetic.rs")),
    ("check.rs", include_str!("check.rs")),
    ("check_ops.rs", include_str!("check_ops.rs")),
    ("compare.rs", include_str!("compare.rs")),
    ("context.rs", include_str!("context.rs")),
    ("core_relo.rs", include_str!("core_relo.rs")),
    ("current.rs", include_str!("current.rs")),
    ("emit.rs", include_str!("emit.rs")),
    ("header.rs", include_str!("header.rs")),
    ("headers/arp.rs", include_str!("headers/arp.rs")),
    ("headers/ethernet.rs", include_str!("headers/ethernet.rs")),
    ("headers/icmp.rs", include_str!("headers/icmp.rs")),
    ("headers/ip.rs", include_str!("headers/ip.rs")),
    ("headers/ipv6.rs", include_str!("headers/ipv6.rs")),
    ("headers/mod.rs", include_str!("headers/mod.rs")),
    ("headers/tcp.rs", include_str!("headers/tcp.rs")),
    ("headers/udp.rs", include_str!("headers/udp.rs")),
    ("headers/vlan.rs", include_str!("headers/vlan.rs")),
    ("kernel_ptr.rs", include_str!("kernel_ptr.rs")),
    ("kernel_struct.rs", include_str!("kernel_struct.rs")),
    ("lib.rs", include_str!("lib.rs")),
    ("listing.rs", include_str!("listing.rs")),
    ("map.rs", include_str!("map.rs")),
    ("order.rs", include_str!("order.rs")),
    ("own_file.rs", include_str!("own_file.rs")),
    ("packet.rs", include_str!("packet.rs")),
    ("place.rs", include_str!("place.rs")),
    ("raw_tracepoint.rs", include_str!("raw_tracepoint.rs")),
    ("record.rs", include_str!("record.rs")),
    ("recorder.rs", include_str!("recorder.rs")),
    ("recording/kernel.rs", include_str!("recording/kernel.rs")),
    ("recording/mod.rs", include_str!("recording/mod.rs")),
    ("recording/op.rs", include_str!("recording/op.rs")),
    ("returns.rs", include_str!("returns.rs")),
    ("ring.rs", include_str!("ring.rs")),
    ("scope.rs", include_str!("scope.rs")),
    ("sources.rs", include_str!("sources.rs")),
    ("stack.rs", include_str!("stack.rs")),
    ("unchecked.rs", include_str!("unchecked.rs")),
    ("unit.rs", include_str!("unit.rs")),
    ("value.rs", include_str!("value.rs")),
    ("var.rs", include_str!("var.rs")),
    ("wire.rs", include_str!("wire.rs")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::SOURCES;

    fn files(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let entry = entry.expect("the entry can be read");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_is_listed() {
        let mut found = BTreeSet::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        files(&src, "", &mut found);
        let listed = SOURCES.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(found, listed);
    }
}
