//! The graph as text for terminals.

use ebpf_asm::blocks::{Block, Edge, Reach, Turn};

use super::{Graph, Line, kind_name};

/// The most columns of a line.
const COLUMNS: usize = 100;

/// All programs, one after the other.
pub(super) fn print(graphs: &[Graph<'_>]) -> String {
    let graphs: Vec<String> = graphs.iter().map(program).collect();
    graphs.join("\n")
}

fn program(graph: &Graph<'_>) -> String {
    let program = graph.program;
    let mut lines = vec![format!(
        "{} {}: {} instructions in {} blocks",
        program.section,
        program.name,
        program.insns.len(),
        graph.blocks.all.len()
    )];
    let ways_in = ways_in(graph);
    for (index, block) in graph.blocks.all.iter().enumerate() {
        lines.push(String::new());
        let ways = ways_in.get(index).map_or(&[][..], Vec::as_slice);
        lines.push(head(graph, index, block, ways));
        lines.extend(graph.lines(block).into_iter().map(|line| match line {
            Line::Source(text) => format!("    ; {text}"),
            Line::Insn { slot, text } => format!("    {slot:4}  {text}"),
        }));
        lines.extend(block.edges.iter().map(way));
    }
    let lines = lines.iter().map(|line| cut(line) + "\n");
    lines.collect()
}

/// `b4: double <- b2 (call)`.
fn head(graph: &Graph<'_>, index: usize, block: &Block, ways: &[String]) -> String {
    let mut head = format!("b{index}:");
    if let Some(name) = graph.begins(block) {
        head += &format!(" {name}");
    }
    match block.reach {
        Reach::Reached => {}
        Reach::Unreached => head += " unreachable",
        Reach::Unknown => head += " reachable by indirect jumps only",
    }
    if !ways.is_empty() {
        head += &format!(" <- {}", ways.join(", "));
    }
    head
}

/// For each block the ways into it.
fn ways_in(graph: &Graph<'_>) -> Vec<Vec<String>> {
    let mut ways = vec![Vec::new(); graph.blocks.all.len()];
    for (from, block) in graph.blocks.all.iter().enumerate() {
        for edge in &block.edges {
            if let Some(ways) = edge.to.and_then(|to| ways.get_mut(to)) {
                ways.push(match edge.kind.is_inside() {
                    true => format!("b{from}{}", turn(edge)),
                    false => format!("b{from} ({})", kind_name(edge.kind)),
                });
            }
        }
    }
    ways
}

/// `    taken -> b1 (loop)`.
fn way(edge: &Edge) -> String {
    let to = edge.to.map_or("nowhere".to_owned(), |to| format!("b{to}"));
    format!("    {} -> {to}{}", kind_name(edge.kind), turn(edge))
}

fn turn(edge: &Edge) -> &'static str {
    match edge.turn {
        Turn::Forth => "",
        Turn::Back => " (loop)",
    }
}

/// A line that is not too long.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    let kept = line.chars().take(COLUMNS - 3);
    kept.collect::<String>() + "..."
}
