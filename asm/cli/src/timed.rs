//! How long a verdict takes.

use std::time::{Duration, Instant};

use ebpf_verifier_sim::KernelTypes;

/// Verifies a program, and says how long that took. What is read of the kernel's types for the first
/// program that needs it is none of that program's time, as it is none in the kernel, which has them:
/// if something was read meanwhile, it is verified and timed once more.
pub(crate) fn timed<V>(types: &KernelTypes, verify: impl Fn() -> V) -> (V, Duration) {
    let once = || {
        let begin = Instant::now();
        let verdict = verify();
        (verdict, begin.elapsed())
    };
    let read = types.parts_read();
    let first = once();
    match types.parts_read() == read {
        true => first,
        false => once(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::btf::Btf;
    use ebpf_asm::text::parse;
    use ebpf_verifier_sim::{Config, verify_with};
    use std::thread::sleep;

    #[test]
    fn reading_types_for_the_first_program_is_none_of_its_time() {
        const READING: Duration = Duration::from_secs(1);
        let text = ".license GPL\n.extern func none\n.prog xdp\n call none\n r0 = 2\n exit\n";
        let object = parse("first.bpf", text).unwrap();
        let types = KernelTypes::on_demand(|| {
            sleep(READING);
            Some(Btf::new())
        });
        let begin = Instant::now();
        let (program, config) = (&object.programs[0], Config::default());
        let (_, took) = timed(&types, || verify_with(&object, program, &config, &types));
        assert!(begin.elapsed() >= READING, "the types were read");
        assert!(took < READING, "{took:?}");
    }
}
