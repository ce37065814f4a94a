//! The table against IANA's registry of BPF instructions (RFC 9669, appendix A): which opcodes
//! each conformance group has, and how often.

use ebpf_asm::isa::{Group, ISA};

/// For each group its opcodes in hexadecimal, one for each line of the registry. An opcode
/// stands more than once if another field tells its instructions apart.
const REGISTRY: [(Group, &str); 7] = [
    (
        Group::Base32,
        "04 05 06 0c 14 16 1c 1e 26 2e 36 3e 44 46 4c 4e 54 56 5c 5e 61 62 63 64 66 69 6a 6b 6c \
         6e 71 72 73 74 76 7c 7e 84 85 85 85 95 a4 a6 ac ae b4 b6 bc bc bc be c4 c6 cc ce d4 d4 \
         d6 d7 d7 dc dc de",
    ),
    (
        Group::Base64,
        "07 0f 15 17 18 18 18 18 18 18 18 1d 1f 25 2d 35 3d 45 47 4d 4f 55 57 5d 5f 65 67 6d 6f \
         75 77 79 7a 7b 7d 7f 81 87 89 91 a5 a7 ad af b5 b7 bd bf bf bf bf c5 c7 cd cf d4 d5 d7 \
         dc dd",
    ),
    (Group::Divmul32, "24 2c 34 34 3c 3c 94 94 9c 9c"),
    (Group::Divmul64, "27 2f 37 37 3f 3f 97 97 9f 9f"),
    (Group::Atomic32, "c3 c3 c3 c3 c3 c3 c3 c3 c3 c3"),
    (Group::Atomic64, "db db db db db db db db db db"),
    (Group::Packet, "20 28 30 40 48 50"),
];

#[test]
fn groups_have_the_registrys_opcodes() {
    for (group, registry) in REGISTRY {
        let rows = ISA.iter().filter(|row| row.group == Some(group));
        let mut opcodes: Vec<String> = rows.map(|row| format!("{:02x}", row.opcode)).collect();
        opcodes.sort();
        assert_eq!(opcodes.join(" "), registry, "{group:?}");
    }
}
