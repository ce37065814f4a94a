//! Who could not call a helper yet: programs of more types may call some than when they came.
//!
//! Observed on Linux 6.1, 6.12 and 6.18, every helper from every program type and attach type: a
//! release here is the first of these three on which the programs may call the helper, but for
//! 6.10, which is from the kernel's history. Of releases before 6.1 nothing is known.
//!
//! Read before: `callers.rs`, `table.rs`.

use super::Helper;
use super::callers::*;
use crate::isa::KernelVersion;
use crate::prog_type::{AttachType, ProgType};

/// The helpers of these numbers that programs of these types may call since a release.
type Came = (KernelVersion, &'static [i32], ProgTypes);

/// Programs that look at the kernel could call at once what looks at it.
const OTHERS: ProgTypes = ALL.without(TRACE).without(TRACING).without(SYSCALL);

/// Programs that run where a task asked for something.
const FOR_TASKS: ProgTypes = CGROUP_SOCK.or(DEVICE).or(SOCK_ADDR).or(SYSCTL).or(SOCKOPT);

const CAME: &[Came] = &[
    (
        (6, 18),
        &[22, 55, 109, 117, 141, 148, 156, 157, 176, 180, 191],
        OTHERS,
    ),
    ((6, 18), &[16, 37], OTHERS.without(FOR_TASKS)),
    ((6, 18), &[15], OTHERS.without(FOR_TASKS).without(SK_MSG)),
    (
        (6, 18),
        &[17],
        ALL.without(TC)
            .without(LWT)
            .without(FOR_TASKS)
            .without(SK_MSG),
    ),
    ((6, 18), &[122], SOCKET_FILTER.or(TC).or(CGROUP_SKB)),
    ((6, 12), &[120], OTHERS),
    ((6, 12), &[37], FOR_TASKS),
    (
        (6, 12),
        &[14, 80, 123],
        OTHERS.without(FOR_TASKS).without(SK_MSG),
    ),
    ((6, 12), &[148, 191], TRACE),
    ((6, 10), &[174], RAW_TRACEPOINTS),
];

/// The helpers that programs of an attach type could not call yet, which others of their type could.
const CAME_AT: &[(KernelVersion, &[i32], AttachType)] =
    &[((6, 10), &[174], AttachType::TraceRawTp)];

/// The last release in both tables.
const LAST: KernelVersion = (6, 18);

impl Helper {
    /// Since when programs of a type and attach type may call it, if they may.
    fn since_for(&self, prog_type: ProgType, attach_type: AttachType) -> KernelVersion {
        let came = CAME
            .iter()
            .filter(|(_, ids, types)| types.has(prog_type) && ids.contains(&self.id));
        let came_at = CAME_AT
            .iter()
            .filter(|(_, ids, at)| *at == attach_type && ids.contains(&self.id));
        let releases = came.map(|(release, ..)| *release);
        let releases = releases.chain(came_at.map(|(release, ..)| *release));
        releases.fold(self.since, KernelVersion::max)
    }

    /// The release since which programs of a type and attach type may call it, if that is after
    /// `release`.
    pub fn comes_after(
        &self,
        release: KernelVersion,
        prog_type: ProgType,
        attach_type: AttachType,
    ) -> Option<KernelVersion> {
        let nothing_came_after = release >= LAST.max(self.since);
        let since = || self.since_for(prog_type, attach_type);
        let since = (!nothing_came_after).then(since);
        since.filter(|since| release < *since)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HELPERS, by_name};
    use super::*;

    #[test]
    fn the_last_release_is_the_last() {
        let releases = CAME.iter().map(|(release, ..)| *release);
        let releases = releases.chain(CAME_AT.iter().map(|(release, ..)| *release));
        assert_eq!(releases.max(), Some(LAST));
    }

    #[test]
    fn what_comes_after_a_release_came_since_another() {
        for helper in HELPERS.iter() {
            for release in [(6, 1), (6, 10), (6, 12), (6, 17), (6, 18), (6, 19)] {
                for &prog_type in ProgType::ALL {
                    let attach_type = prog_type.attach_type(None);
                    let since = helper.since_for(prog_type, attach_type);
                    let after = helper.comes_after(release, prog_type, attach_type);
                    assert_eq!(after, (release < since).then_some(since), "{}", helper.name);
                }
            }
        }
    }

    #[test]
    fn programs_of_some_types_came_later() {
        let since = |name, prog_type: ProgType| {
            let attach_type = prog_type.attach_type(None);
            by_name(name).map(|helper| helper.since_for(prog_type, attach_type))
        };
        assert_eq!(since("get_current_comm", ProgType::Kprobe), Some((4, 2)));
        assert_eq!(
            since("get_current_comm", ProgType::CgroupDevice),
            Some((4, 2))
        );
        assert_eq!(since("get_current_comm", ProgType::Xdp), Some((6, 18)));
        assert_eq!(
            since("get_attach_cookie", ProgType::RawTracepoint),
            Some((6, 10))
        );
        assert_eq!(since("redirect", ProgType::Xdp), Some((4, 4)));
    }

    #[test]
    fn programs_of_some_attach_types_came_later() {
        let cookie = by_name("get_attach_cookie");
        let since =
            |attach_type| cookie.map(|helper| helper.since_for(ProgType::Tracing, attach_type));
        assert_eq!(since(AttachType::TraceFentry), Some((5, 15)));
        assert_eq!(since(AttachType::TraceRawTp), Some((6, 10)));
    }
}
