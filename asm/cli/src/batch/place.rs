//! What the program of a row is for: its type, and its attach type.
//!
//! Either may be a number that nobody knows. The kernel has no programs of types that it does not
//! know, and looks at the attach type only where the type wants one of its own; of all others it
//! takes any number (Linux 6.18, asked for every type with every attach type).
//!
//! Read before: `unloadable.rs`. Read next: `subject.rs`.

use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_verifier_sim::{Code, attach_types, without_reason};

use super::row::Row;
use super::subject::Unusable;

/// The types of the row's program; an attach type that means nothing is none.
pub(super) fn place(row: &Row) -> Result<(ProgType, Option<AttachType>), Unusable> {
    let prog_type = match ProgType::from_number(row.prog_type) {
        None | Some(ProgType::Unspec) => {
            let message = format!("there are no programs of type {}", row.prog_type);
            return Err(refused(Code::KernelTooOld, message));
        }
        Some(known) => known,
    };
    let errno = match prog_type {
        ProgType::StructOps if row.attach_btf_id == 0 => Some("ENOTSUPP"),
        // A row cannot name the program whose function it replaces.
        ProgType::Ext => Some("EINVAL"),
        _ => None,
    };
    if let Some(errno) = errno {
        return Err(refused(Code::AttachTarget, without_reason(errno)));
    }
    let attach_type = match (row.expected_attach_type, attach_types(prog_type)) {
        (0, _) => None,
        (number, allowed) => match (AttachType::from_number(number), allowed) {
            (Some(known), _) => Some(known),
            // There it is the index of a member, and no struct has so many.
            (None, None) if prog_type == ProgType::StructOps => {
                let message = format!("attach to invalid member idx {number}");
                return Err(refused(Code::AttachTarget, message));
            }
            (None, None) => None,
            (None, Some(_)) => {
                let message =
                    format!("program type {prog_type} cannot be for attach type {number}");
                return Err(refused(Code::AttachType, message));
            }
        },
    };
    Ok((prog_type, attach_type))
}

fn refused(code: Code, message: String) -> Unusable {
    Unusable::Refused { code, message }
}
