//! What the generator knows at a point of a program.

use ebpf_asm::insn::Reg;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Holds {
    /// Nothing, or nobody knows.
    #[default]
    Nothing,
    /// A number; at most so much, and not negative.
    Number(Option<u32>),
    /// The context.
    Ctx,
    /// A pointer into the packet, and how many bytes behind it are proven.
    Packet(i32),
    /// The end of the packet.
    PacketEnd,
    /// A pointer to metadata.
    Meta,
    /// A value of the map, of which so many bytes are left.
    Value(usize, i32),
    /// The same or null.
    ValueOrNull(usize),
    /// The frame at this offset.
    Stack(i32),
    /// Anything else that is a pointer.
    Other,
}

impl Holds {
    pub(super) fn is_pointer(self) -> bool {
        !matches!(self, Holds::Nothing | Holds::Number(_))
    }

    /// What is known where two ways join.
    fn join(self, other: Holds) -> Holds {
        match (self, other) {
            (a, b) if a == b => a,
            (Holds::Number(Some(a)), Holds::Number(Some(b))) => Holds::Number(Some(a.max(b))),
            (Holds::Number(_), Holds::Number(_)) => Holds::Number(None),
            (Holds::Packet(a), Holds::Packet(b)) => Holds::Packet(a.min(b)),
            _ => Holds::Nothing,
        }
    }
}

/// Registers and the words of the stack that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    regs: [Holds; 11],
    /// What 8-byte words hold, from fp-8 down.
    words: [Holds; 16],
}

impl State {
    /// At the beginning of a function that gets this in R1.
    pub(super) fn entry(first: Holds) -> State {
        let mut state = State {
            regs: [Holds::Nothing; 11],
            words: [Holds::Nothing; 16],
        };
        state.set(Reg::R1, first);
        state.set(Reg::R10, Holds::Stack(0));
        state
    }

    pub(super) fn of(&self, reg: Reg) -> Holds {
        self.regs[reg.index()]
    }

    pub(super) fn set(&mut self, reg: Reg, holds: Holds) {
        self.regs[reg.index()] = holds;
    }

    /// What the word `index` words below the frame pointer holds, the first being 0.
    pub(super) fn word(&self, index: usize) -> Holds {
        self.words[index % 16]
    }

    pub(super) fn set_word(&mut self, index: usize, holds: Holds) {
        self.words[index % 16] = holds;
    }

    /// A call takes R0 to R5.
    pub(super) fn clobber(&mut self) {
        for reg in 0..6 {
            self.regs[reg] = Holds::Nothing;
        }
    }

    /// A helper moved the packet.
    pub(super) fn packet_moved(&mut self) {
        let all = self.regs.iter_mut().chain(&mut self.words);
        for one in all {
            if matches!(one, Holds::Packet(_) | Holds::PacketEnd | Holds::Meta) {
                *one = Holds::Nothing;
            }
        }
    }

    /// Where this way and another join.
    pub(super) fn join(&mut self, other: &State) {
        let ours = self.regs.iter_mut().chain(&mut self.words);
        for (one, other) in ours.zip(other.regs.iter().chain(&other.words)) {
            *one = one.join(*other);
        }
    }
}
