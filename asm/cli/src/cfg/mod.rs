//! `ebpfasm cfg`: shows the basic blocks of an object's programs, and the ways between them.

mod ascii;
mod dot;

use ebpf_asm::blocks::{Block, Blocks, EdgeKind};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::text::Places;

use crate::args::{CfgArgs, GraphForm};
use crate::{select, source, text_file};
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &CfgArgs) -> Result<(), Failure> {
    let object = text_file::object(&args.object)?;
    let programs: Vec<&Program> = match &args.prog {
        Some(name) => vec![select::program(&object, name, &args.object)?],
        None => object.programs.iter().collect(),
    };
    let graphs: Vec<Graph<'_>> = programs
        .into_iter()
        .map(|program| Graph::of(&object, program))
        .collect();
    report::print(match args.format {
        GraphForm::Dot => dot::print(&graphs),
        GraphForm::Ascii => ascii::print(&graphs),
    })
}

/// A program with its blocks.
struct Graph<'a> {
    program: &'a Program,
    places: Places<'a>,
    blocks: Blocks,
}

/// A line of a block.
enum Line {
    Source(String),
    Insn { slot: usize, text: String },
}

impl<'a> Graph<'a> {
    fn of(object: &'a Object, program: &'a Program) -> Graph<'a> {
        Graph {
            program,
            places: Places::of(object, program),
            blocks: Blocks::of(program),
        }
    }

    /// The instructions of a block, with the source lines that they come from.
    fn lines(&self, block: &Block) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut slot = block.slots.start;
        let insns = self.program.insns.get(block.insns.clone());
        for insn in insns.unwrap_or_default() {
            let begins = slot == block.slots.start || source::begins(self.program, slot);
            if let Some(span) = self.program.span(slot).filter(|_| begins) {
                lines.push(Line::Source(source::line(span)));
            }
            lines.push(Line::Insn {
                slot,
                text: self.places.insn(slot, insn).to_string(),
            });
            slot += insn.slots();
        }
        lines
    }

    /// The name of the function that begins with a block, if one does.
    fn begins(&self, block: &Block) -> Option<&'a str> {
        let function = self.program.functions.get(block.function?)?;
        (function.slot == block.slots.start).then_some(function.name.as_str())
    }
}

/// What a way is called.
fn kind_name(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Taken => "taken",
        EdgeKind::Fall => "fall",
        EdgeKind::Call => "call",
        EdgeKind::Callback => "callback",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::text::parse;

    const TEXT: &str = "\
.prog xdp p
    r1 = 10
again:
    r1 += -1
    if r1 != 0 goto again
    call double
    exit
    r0 = 1
    goto +7
.func double
    r0 *= 2
    exit
";

    fn shown(print: impl Fn(&[Graph<'_>]) -> String) -> String {
        let object = parse("loop.bpf", TEXT).unwrap();
        print(&[Graph::of(&object, &object.programs[0])])
    }

    #[test]
    fn ascii_shows_blocks_with_their_ways_and_loops() {
        let expected = "\
xdp p: 9 instructions in 5 blocks

b0: p
    ; loop.bpf:2: r1 = 10
       0  r1 = 10
    fall -> b1

b1: <- b0, b1 (loop)
    ; loop.bpf:4: r1 += -1
       1  r1 += -1
    ; loop.bpf:5: if r1 != 0 goto again
       2  if r1 != 0 goto L1
    taken -> b1 (loop)
    fall -> b2

b2: <- b1
    ; loop.bpf:6: call double
       3  call double
    ; loop.bpf:7: exit
       4  exit
    call -> b4

b3: unreachable
    ; loop.bpf:8: r0 = 1
       5  r0 = 1
    ; loop.bpf:9: goto +7
       6  goto +7
    taken -> nowhere

b4: double <- b2 (call)
    ; loop.bpf:11: r0 *= 2
       7  r0 *= 2
    ; loop.bpf:12: exit
       8  exit
";
        assert_eq!(shown(ascii::print), expected);
    }

    #[test]
    fn dot_has_a_node_a_block_and_an_edge_a_way() {
        let text = shown(dot::print);
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count(" -> "), 5, "{text}");
        assert_eq!(count("[label=\"b"), 5, "{text}");
        assert_eq!(count("label=\"taken (loop)\""), 1, "{text}");
        assert_eq!(count("(unreachable)"), 1, "{text}");
        assert_eq!(count("subgraph"), 3, "{text}");
    }

    #[test]
    fn names_cannot_break_out_of_dot() {
        assert_eq!(dot::quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c d\"");
    }
}
