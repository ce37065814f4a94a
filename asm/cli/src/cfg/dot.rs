//! The graph in the language of graphviz: a cluster a program, in it a cluster a function.

use std::fmt::Write;

use ebpf_asm::blocks::{Block, Edge, EdgeKind, Reach, Turn};

use super::{Graph, Line, kind_name};

/// All programs in one graph.
pub(super) fn print(graphs: &[Graph<'_>]) -> String {
    let mut out = String::from(
        "digraph cfg {\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n  \
         edge [fontname=\"monospace\", fontsize=9];\n",
    );
    for (index, graph) in graphs.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = program(&mut out, index, graph);
    }
    out + "}\n"
}

fn program(out: &mut String, number: usize, graph: &Graph<'_>) -> std::fmt::Result {
    let program = graph.program;
    let title = quoted(&format!("{} {}", program.section, program.name));
    writeln!(out, "  subgraph cluster_p{number} {{\n    label={title};")?;
    let blocks = graph.blocks.all.iter().enumerate();
    let mut open = None;
    for (index, block) in blocks.clone() {
        if block.function.is_some() && open != block.function {
            if open.is_some() {
                writeln!(out, "    }}")?;
            }
            open = block.function;
            let known = open.and_then(|function| program.functions.get(function));
            let name = quoted(known.map_or("", |function| &function.name));
            let function = open.unwrap_or_default();
            writeln!(out, "    subgraph cluster_p{number}f{function} {{")?;
            writeln!(out, "      label={name};")?;
        }
        node(out, number, index, graph, block)?;
    }
    if open.is_some() {
        writeln!(out, "    }}")?;
    }
    for (index, block) in blocks {
        for (way, edge) in block.edges.iter().enumerate() {
            self::edge(out, number, index, way, edge)?;
        }
    }
    writeln!(out, "  }}")
}

fn node(
    out: &mut String,
    number: usize,
    index: usize,
    graph: &Graph<'_>,
    block: &Block,
) -> std::fmt::Result {
    let (note, style) = match block.reach {
        Reach::Reached => ("", ""),
        Reach::Unreached => (" (unreachable)", ", style=dashed"),
        Reach::Unknown => (" (reachable by indirect jumps only)", ", style=dotted"),
    };
    let mut lines = vec![format!("b{index}{note}")];
    lines.extend(graph.lines(block).into_iter().map(|line| match line {
        Line::Source(text) => format!("; {text}"),
        Line::Insn { slot, text } => format!("{slot:4}  {text}"),
    }));
    // Each line ends with \l: it stands on the left.
    let label: String = lines.iter().map(|line| escaped(line) + "\\l").collect();
    writeln!(out, "      p{number}b{index} [label=\"{label}\"{style}];")
}

fn edge(out: &mut String, number: usize, from: usize, way: usize, edge: &Edge) -> std::fmt::Result {
    let to = match edge.to {
        Some(to) => format!("p{number}b{to}"),
        None => {
            let nowhere = format!("p{number}b{from}n{way}");
            writeln!(out, "    {nowhere} [label=\"nowhere\", shape=plaintext];")?;
            nowhere
        }
    };
    let (loops, style) = match (edge.turn, edge.kind) {
        (Turn::Back, _) => (" (loop)", ", style=bold"),
        (_, EdgeKind::Call | EdgeKind::Callback) => ("", ", style=dashed"),
        _ => ("", ""),
    };
    let kind = kind_name(edge.kind);
    writeln!(
        out,
        "    p{number}b{from} -> {to} [label=\"{kind}{loops}\"{style}];"
    )
}

/// A text as a quoted string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text as it stands in quotes: no escape of it means anything to graphviz.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
