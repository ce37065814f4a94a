//! Constructs that open something which is to be closed on every way: sections of the
//! kernel's, iterations, loops that count for themselves.
//!
//! Read before: `types.rs`. Read next: `objects.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Fields;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Sem, Size, Width};

use super::Generator;
use super::numbers::bound_to;
use super::state::Holds;

/// What opens a section and what closes it; some want a word of the stack to remember.
const SECTIONS: [(&str, &str, bool); 3] = [
    ("bpf_rcu_read_lock", "bpf_rcu_read_unlock", false),
    ("bpf_preempt_disable", "bpf_preempt_enable", false),
    ("bpf_local_irq_save", "bpf_local_irq_restore", true),
];

impl Generator {
    /// Constructs between an opening and a closing: what leaves the program early goes to the
    /// closing first, where nothing is known but what is reserved.
    pub(super) fn inside(&mut self, most: u32) {
        let closing = self.a.label();
        let leaves = self.slip();
        let out = match leaves {
            true => self.out,
            false => std::mem::replace(&mut self.out, closing),
        };
        self.nested(most);
        self.a.bind(closing);
        self.out = out;
        self.forget();
    }

    /// Forgets all but the context and what is reserved.
    pub(super) fn forget(&mut self) {
        for reg in &Reg::ALL[..10] {
            if !self.reserved.contains(reg) && *reg != R6 {
                self.state.set(*reg, Holds::Nothing);
            }
        }
        for word in 0..16 {
            self.state.set_word(word, Holds::Nothing);
        }
    }

    /// A place on the stack for an object that lives for some time; on a slip another one.
    pub(super) fn room(&mut self, bytes: i32) -> i32 {
        self.objects -= bytes;
        if self.objects < -256 {
            self.objects = -80 - bytes;
        }
        self.objects
    }

    /// The address of such a place, or on a slip a wrong one.
    pub(super) fn place(&mut self, to: Reg, at: i32) {
        let at = self.or_wrong(at, &[at + 8, at + 4, at - 8, 0, -520]);
        self.a.mov(to, R10).add(to, at);
    }
}

pub(super) fn section(g: &mut Generator) {
    let (open, close, remembers) = g.chance.pick(&SECTIONS);
    let at = g.room(8);
    if remembers {
        g.place(R1, at);
    }
    g.kfunc(open);
    g.inside(2);
    if g.slip() {
        return;
    }
    if remembers {
        g.place(R1, at);
    }
    g.kfunc(close);
    if g.slip() {
        g.kfunc(close);
    }
}

/// An iteration over numbers.
pub(super) fn iteration(g: &mut Generator) {
    let at = g.room(8);
    let (from, to) = (g.chance.between(-1, 3), g.chance.pick(&[0, 1, 4, 10, 1000]));
    if g.chance.percent(20) {
        let end = g.number();
        g.a.mov(R3, end).mov(R2, from);
    } else {
        g.a.mov(R2, from).mov(R3, to);
    }
    g.place(R1, at);
    g.kfunc("bpf_iter_num_new");
    let (head, done) = (g.a.label(), g.a.label());
    // What the body leaves behind is not what the first round finds.
    g.forget();
    g.a.bind(head);
    g.place(R1, at);
    g.kfunc("bpf_iter_num_next");
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), done);
    }
    round(g);
    g.a.ja(head).bind(done);
    g.forget();
    if !g.slip() {
        g.place(R1, at);
        g.kfunc("bpf_iter_num_destroy");
    }
}

/// What is done with the number that R0 points to.
fn round(g: &mut Generator) {
    let index = g.kept();
    g.a.ldx(Size::W, index, R0, 0);
    g.state.set(index, Holds::Number(None));
    match g.chance.below(4) {
        0 => index_stack(g, index),
        1 => {
            let leave = g.a.label();
            g.a.jump(Cond::Jgt, Width::W64, index, Source::Imm(5), leave);
            g.inside(2);
            g.a.bind(leave);
        }
        2 => {
            // A sum that grows from round to round.
            let sum = g.kept();
            if sum != index {
                g.a.st(Size::DW, R10, -8, 0);
                g.a.ldx(Size::DW, sum, R10, -8).add(sum, index);
                g.a.st(Size::DW, R10, -8, sum);
            }
        }
        _ => g.inside(2),
    }
}

/// Writes a byte of the stack at a number.
fn index_stack(g: &mut Generator, index: Reg) {
    let skip = g.a.label();
    let out = std::mem::replace(&mut g.out, skip);
    bound_to(g, index, 15);
    g.out = out;
    g.a.mov(R2, R10).add(R2, -16).add(R2, index);
    g.a.st(Size::B, R2, 0, 1).bind(skip);
    g.state.set(R2, Holds::Nothing);
}

/// A loop that the kernel ends after a while.
pub(super) fn may_goto(g: &mut Generator) {
    let counter = g.kept();
    let (head, done) = (g.a.label(), g.a.label());
    let begin = g.chance.pick(&[0, 1, 2]);
    g.a.mov(counter, begin);
    g.forget();
    g.a.bind(head);
    if let Some(row) = Sem::MayGoto.row()
        && !g.slip()
    {
        g.a.insn_to(ebpf_asm::insn::Insn::new(row, Fields::default()), done);
    }
    g.state.set(counter, Holds::Number(None));
    match g.chance.below(3) {
        0 => index_stack(g, counter),
        1 => {
            let leave = g.a.label();
            let out = std::mem::replace(&mut g.out, leave);
            g.reserved.push(counter);
            g.nested(2);
            g.reserved.pop();
            g.out = out;
            g.a.bind(leave);
        }
        _ => {}
    }
    g.forget();
    // What counts and never comes to its end is followed a million instructions far; so what
    // only the kernel ends does not count.
    match g.chance.below(5) {
        0 => {
            g.a.add(counter, 1)
                .jump(Cond::Jne, Width::W64, counter, Source::Imm(3), head)
        }
        1 => {
            g.a.add(counter, 1)
                .jump(Cond::Jlt, Width::W64, counter, Source::Imm(100), head)
        }
        2 => {
            g.a.jump(Cond::Jlt, Width::W64, counter, Source::Imm(100), head)
        }
        _ => g.a.ja(head),
    };
    g.a.bind(done);
    g.forget();
}

/// Leaves the program where it is.
pub(super) fn throw(g: &mut Generator) {
    let go_on = g.a.label();
    if !g.slip() {
        let number = g.number();
        let cond = g.chance.pick(&[Cond::Jgt, Cond::Jeq, Cond::Jslt]);
        let with = g.chance.between(0, 64);
        g.a.jump(cond, Width::W64, number, Source::Imm(with), go_on);
    }
    let state = g.state.clone();
    let cookie = g.chance.pick(&[0, 0, 1, 2, 100]);
    g.a.mov(R1, cookie);
    g.kfunc("bpf_throw");
    if g.slip() {
        g.a.exit();
    }
    g.a.bind(go_on);
    g.state = state;
}
