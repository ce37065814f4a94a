//! Lowering keeps the meaning: generated programs do what a model of them does.
//!
//! A generated program is run twice: by a model that follows its steps with Rust's own
//! numbers (`model.rs`), and recorded (`record.rs`), compiled and interpreted. Result, packet
//! and counters must be the same, for packets of every length from none to all that it looks
//! at.

mod generate;
mod model;
mod record;
mod steps;

use ebpf_asm::compile;
use ebpf_verifier_sim::interp::{Machine, Packet};
use proptest::prelude::*;

use generate::{packets, step};
use model::{Model, Outcome};
use record::unit;
use steps::COUNTERS;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn compiled_programs_do_what_they_say(
        steps in proptest::collection::vec(step(), 0..24),
        seed: u8,
    ) {
        let unit = unit(&steps);
        prop_assert_eq!(unit.check(), Ok(()));
        let object = compile(&unit).unwrap();
        for packet in packets(seed) {
            let expected = Model::run(&steps, &packet);
            let mut machine = Machine::new(&object).unwrap();
            let run = machine.run("generated", Packet::new(&packet)).unwrap();
            let counters = machine.map("counters").unwrap();
            let counters = (0..COUNTERS).map(|key| {
                let value = counters.lookup(&key.to_ne_bytes()).unwrap();
                u64::from_ne_bytes(value.try_into().unwrap())
            });
            let done = Outcome { ret: run.ret, packet: run.packet, counters: counters.collect() };
            prop_assert_eq!(&done, &expected, "{} bytes\n{}", packet.len(), unit);
        }
    }
}
