//! The registers of a running function: numbers, or nothing yet.

use super::fault::FaultKind;
use ebpf_asm::insn::Reg;

/// R0 to R10.
#[derive(Debug, Clone)]
pub(crate) struct Registers {
    values: [Option<u64>; 11],
}

/// What a call keeps for its caller: R6 to R9.
pub(crate) type CalleeSaved = [Option<u64>; 4];

impl Registers {
    /// All empty but the frame pointer.
    pub(crate) fn new(frame_pointer: u64) -> Registers {
        let mut values = [None; 11];
        values[Reg::R10.index()] = Some(frame_pointer);
        Registers { values }
    }

    pub(crate) fn read(&self, reg: Reg) -> Result<u64, FaultKind> {
        self.values[reg.index()].ok_or(FaultKind::UninitialisedRegister(reg))
    }

    pub(crate) fn write(&mut self, reg: Reg, value: u64) -> Result<(), FaultKind> {
        match reg {
            Reg::R10 => Err(FaultKind::FramePointerWrite),
            _ => {
                self.values[reg.index()] = Some(value);
                Ok(())
            }
        }
    }

    /// Leaves `r0` behind a call of a helper, which destroys R1 to R5.
    pub(crate) fn helper_returned(&mut self, r0: Option<u64>) {
        self.values[..=Reg::R5.index()].fill(None);
        self.values[Reg::R0.index()] = r0;
    }

    /// Enters a function of the program: R1 to R5 are its arguments, the rest is empty.
    pub(crate) fn enter(&mut self, frame_pointer: u64) -> CalleeSaved {
        let [r0, .., r6, r7, r8, r9, r10] = &mut self.values;
        *r0 = None;
        *r10 = Some(frame_pointer);
        [r6.take(), r7.take(), r8.take(), r9.take()]
    }

    /// Leaves a function of the program; R0 is its result.
    pub(crate) fn leave(&mut self, saved: CalleeSaved, frame_pointer: u64) {
        let r0 = self.values[Reg::R0.index()];
        self.helper_returned(r0);
        let [.., r6, r7, r8, r9, r10] = &mut self.values;
        [*r6, *r7, *r8, *r9] = saved;
        *r10 = Some(frame_pointer);
    }
}
