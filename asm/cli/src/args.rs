//! The command line.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use ebpf_asm::isa::{Cpu, KernelVersion};
use ebpf_asm::target::{ParseTargetError, Target, parse_kernel};
use ebpf_cli::exit::Exit;

use crate::privilege::Privilege;

/// Build eBPF objects from Rust files and text, check and show them.
#[derive(Debug, Parser)]
#[command(name = "ebpfasm", version, after_help = Exit::HELP, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile a program file or assemble text, verify it and write the object
    Build(BuildArgs),
    /// Verify every program of an object, ours or clang's
    Check(CheckArgs),
    /// Show an object, or bare instructions, as text
    Dis(DisArgs),
    /// Show how the code of two objects differs
    Diff(DiffArgs),
    /// Show the basic blocks of an object's programs
    Cfg(CfgArgs),
    /// Show the types of an object or of the kernel, as C
    Btf(BtfArgs),
    /// List the instruction set, or explain an instruction
    Isa(IsaArgs),
    /// List the codes of rejections, or explain one: what it means and how to mend it
    Explain(ExplainArgs),
}

/// `ebpfasm build`.
#[derive(Debug, Args)]
#[command(
    after_help = "A Rust file is compiled with rustc and run: what it does when it is run, \
    it does at build time, as a build script would.\n\nCompiled files are kept in the user's \
    cache ($XDG_CACHE_HOME/ebpfasm or ~/.cache/ebpfasm), which may be deleted at any time."
)]
pub(crate) struct BuildArgs {
    /// The program file: Rust, or text (.bpf; - is text from standard input)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where to write; by default target/bpf/NAME.o of the workspace or folder, and standard
    /// output for what is no object; - is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Form::Elf)]
    pub(crate) emit: Form,
    /// Write without verifying first
    #[arg(long)]
    pub(crate) no_check: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `ebpfasm check`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct CheckArgs {
    /// The object files, or program text (.bpf)
    #[arg(value_name = "OBJ", group = "what")]
    pub(crate) objects: Vec<PathBuf>,
    /// Only the program of this name
    #[arg(long, value_name = "NAME", conflicts_with = "batch")]
    pub(crate) prog: Option<String>,
    /// Show what is known at every instruction: what changes, or all of it
    #[arg(
        long,
        value_enum,
        value_name = "STATES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "changes",
        conflicts_with = "batch"
    )]
    pub(crate) trace: Option<Shown>,
    /// As JSON: a line a verdict, and a line an event of the trace
    #[arg(long, conflicts_with_all = ["batch", "log_level"])]
    pub(crate) json: bool,
    /// Show it in the format of the kernel's log of this level; answers to rows have it as `log`
    #[arg(long, value_name = "2", value_parser = clap::value_parser!(u8).range(2..=2), conflicts_with = "trace")]
    pub(crate) log_level: Option<u8>,
    /// One program a line as JSON, one answer a line; - is standard input
    #[arg(long, value_name = "FILE.jsonl", group = "what")]
    pub(crate) batch: Option<PathBuf>,
    /// How many rows of a batch are judged at once; by default one for each processor
    #[arg(long, value_name = "N", requires = "batch", conflicts_with = "objects")]
    pub(crate) jobs: Option<NonZero<usize>>,
    /// Load each program for real, and show the running kernel's verdict too, and how long both
    /// took
    #[arg(long)]
    pub(crate) kernel_too: bool,
    /// Who loads the programs, by the capabilities that it lacks; rows that have a field `privilege`
    /// say it themselves
    #[arg(long, value_enum, value_name = "WHO", default_value_t)]
    pub(crate) privilege: Privilege,
    /// The instruction set, v1 to v4, as compilers take it by -mcpu
    #[arg(long, value_name = "CPU", default_value_t = Target::default().cpu, conflicts_with = "batch")]
    pub(crate) cpu: Cpu,
    /// The Linux releases that are to take the program, such as 5.10,6.6: a verdict each
    #[arg(long, value_name = "VERSIONS", value_parser = Kernels::parse)]
    kernel: Vec<Kernels>,
    /// The types of the kernel of the one release that --kernel names, such as a copy of another
    /// machine's /sys/kernel/btf/vmlinux; by default those of the running kernel
    #[arg(
        long,
        value_name = "FILE",
        requires = "kernel",
        conflicts_with = "kernel_too"
    )]
    pub(crate) btf: Option<PathBuf>,
}

impl CheckArgs {
    /// The releases asked for; none stands for the newest, as the running kernel has it.
    pub(crate) fn kernels(&self) -> Vec<KernelVersion> {
        let lists = self.kernel.iter();
        lists.flat_map(|list| list.0.iter().copied()).collect()
    }
}

/// Releases with commas between them; a comma behind the last is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kernels(Vec<KernelVersion>);

impl Kernels {
    fn parse(text: &str) -> Result<Kernels, ParseTargetError> {
        let list = text.trim_end().strip_suffix(',').unwrap_or(text);
        let kernels: Result<_, _> = list.split(',').map(parse_kernel).collect();
        kernels.map(Kernels)
    }
}

/// What of a state is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    /// What an instruction changed
    Changes,
    /// All that is known behind it
    Whole,
}

/// For whom a program is built or checked.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The instruction set, v1 to v4, as compilers take it by -mcpu
    #[arg(long, value_name = "CPU", default_value_t = Target::default().cpu)]
    cpu: Cpu,
    /// The oldest Linux release that is to take the program, such as 5.10
    #[arg(long, value_name = "VERSION", value_parser = parse_kernel)]
    kernel: Option<KernelVersion>,
}

impl TargetArgs {
    /// The target that the arguments name.
    pub(crate) fn target(&self) -> Target {
        Target {
            cpu: self.cpu,
            kernel: self.kernel,
        }
    }
}

/// `ebpfasm dis`.
#[derive(Debug, Args)]
#[command(
    after_help = "The output is always text that can be assembled again; what --bytes and --source \
    add are comments. With --whole `ebpfasm build` makes the same object of it; without, one with \
    the same programs and maps that has no types but those that every object gets."
)]
pub(crate) struct DisArgs {
    /// The object file; - is standard input
    #[arg(value_name = "OBJ")]
    pub(crate) object: PathBuf,
    /// Only the program of this name, with its maps and what these hold from the start
    #[arg(long, value_name = "NAME")]
    pub(crate) prog: Option<String>,
    /// The slot and bytes of each instruction beside it
    #[arg(long)]
    pub(crate) bytes: bool,
    /// The source lines between the instructions that were made of them
    #[arg(long)]
    pub(crate) source: bool,
    /// All that the object holds: also types, CO-RE relocations and source lines
    #[arg(long)]
    pub(crate) whole: bool,
    /// As JSON
    #[arg(long, conflicts_with_all = ["bytes", "source", "whole"])]
    pub(crate) json: bool,
    /// The file holds instructions and nothing else: slots of 8 bytes, little-endian
    #[arg(long, conflicts_with = "prog")]
    pub(crate) raw: bool,
}

/// `ebpfasm diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Programs and functions are matched by name; jumps are compared by what they \
    lead to, maps and variables by name. Ends with 0 if nothing differs, with 1 if something \
    does."
)]
pub(crate) struct DiffArgs {
    /// The old object; - is standard input
    #[arg(value_name = "A")]
    pub(crate) old: PathBuf,
    /// The new object; - is standard input
    #[arg(value_name = "B")]
    pub(crate) new: PathBuf,
    /// Only the programs of this name, and nothing beside them
    #[arg(long, value_name = "NAME")]
    pub(crate) prog: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ebpfasm isa`.
#[derive(Debug, Args)]
pub(crate) struct IsaArgs {
    /// A name (MOVSX), an opcode (0x0d) or a part of a spelling (s>>=, atomic_fetch_add)
    #[arg(value_name = "MNEMONIC")]
    pub(crate) mnemonic: Vec<String>,
    /// The whole reference page, which is ISA.md
    #[arg(long, conflicts_with = "mnemonic")]
    pub(crate) markdown: bool,
}

/// `ebpfasm explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code (BPF0203, 203), or words of a page, such as the first of a kernel's message
    #[arg(value_name = "CODE|WORDS")]
    pub(crate) words: Vec<String>,
    /// Explain the refusal in a log of the kernel's verifier; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "words")]
    pub(crate) log: Option<PathBuf>,
    /// The object that the log is of, to quote its lines
    #[arg(long, value_name = "OBJ", requires = "log")]
    pub(crate) object: Option<PathBuf>,
    /// The program of the object that the log is of; not needed if there is only one
    #[arg(long, value_name = "NAME", requires = "object")]
    pub(crate) prog: Option<String>,
}

/// `ebpfasm cfg`.
#[derive(Debug, Args)]
pub(crate) struct CfgArgs {
    /// The object file; - is standard input
    #[arg(value_name = "OBJ")]
    pub(crate) object: PathBuf,
    /// Only the program of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) prog: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = GraphForm::Ascii)]
    pub(crate) format: GraphForm,
}

/// The forms of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphForm {
    /// For graphviz: ebpfasm cfg OBJ --format dot | dot -Tsvg
    Dot,
    /// For terminals
    Ascii,
}

/// `ebpfasm btf`.
#[derive(Debug, Args)]
#[command(
    after_help = "What it prints of /sys/kernel/btf/vmlinux is the vmlinux.h of CO-RE programs."
)]
pub(crate) struct BtfArgs {
    /// An object with BTF, or BTF itself, such as /sys/kernel/btf/vmlinux; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How to show the types
    #[arg(long, value_enum, default_value_t = TypeForm::C)]
    pub(crate) format: TypeForm,
    /// Only the types of this name or number; as C, with what they need
    #[arg(long = "type", value_name = "NAME|ID")]
    pub(crate) chosen: Option<String>,
    /// What the file's types go on from, for a kernel module's /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
}

/// The forms in which types are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeForm {
    /// A C header
    C,
    /// The entries one by one, as bpftool shows them
    Raw,
    /// JSON
    Json,
}

/// The forms in which an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// The object file
    Elf,
    /// The bytes of the instructions, eight a line
    Hex,
    /// Text
    Asm,
    /// JSON
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn releases_are_listed_with_commas() {
        let parsed = |text| Kernels::parse(text).ok().map(|list| list.0);
        assert_eq!(parsed("5.10"), Some(vec![(5, 10)]));
        assert_eq!(parsed("v5.10, 6.6,"), Some(vec![(5, 10), (6, 6)]));
        for text in ["", ",", "5.10,,6.6", "5.10;6.6"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
