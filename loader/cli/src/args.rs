//! The command line.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ebpf_loader::XdpMode;

use ebpf_cli::exit::Exit;

/// Attach eBPF programs to network interfaces, and see what runs there.
#[derive(Debug, Parser)]
#[command(name = "ebpfld", version, after_help = Exit::HELP, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Attach an XDP program to an interface; it stays until it is detached
    Attach(AttachArgs),
    /// Take the XDP program off an interface
    Detach(DetachArgs),
    /// Show which XDP programs run on the interfaces
    Status(StatusArgs),
    /// Say what this machine can do, and what to do about what it cannot
    Doctor,
    /// Drop real packets in a network of its own that leaves nothing behind
    Demo,
}

/// `ebpfld attach`.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// The interface
    #[arg(value_name = "IFACE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) interface: String,
    /// The object file; by default the one built last under target/bpf
    #[arg(value_name = "OBJ")]
    pub(crate) object: Option<PathBuf>,
    /// The program, where the object has several
    #[arg(long = "prog", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) program: Option<String>,
    /// Where it runs
    #[arg(long, value_enum, default_value_t = Mode::Native)]
    pub(crate) mode: Mode,
    /// Replace a program of ours, or one that was attached by netlink
    #[arg(long)]
    pub(crate) replace: bool,
    /// Detach when this command ends: on Ctrl-C, SIGTERM or SIGHUP
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Mount bpffs at /sys/fs/bpf first, if it is not mounted
    #[arg(long, conflicts_with = "foreground")]
    pub(crate) mount_bpffs: bool,
    /// If the kernel rejects the program, show its whole log
    #[arg(long)]
    pub(crate) log: bool,
}

/// `ebpfld detach`.
#[derive(Debug, Args)]
pub(crate) struct DetachArgs {
    /// The interface
    #[arg(value_name = "IFACE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) interface: String,
}

/// `ebpfld status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The XDP modes, as they are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// In the driver: fast
    Native,
    /// In the network stack: slow, for drivers without native mode
    Generic,
    /// In the network card
    Offload,
}

impl From<Mode> for XdpMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Native => XdpMode::Native,
            Mode::Generic => XdpMode::Generic,
            Mode::Offload => XdpMode::Offload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn modes_are_typed_as_the_loader_names_them() {
        for mode in Mode::value_variants() {
            let typed = mode.to_possible_value().map(|v| v.get_name().to_owned());
            assert_eq!(typed.as_deref(), Some(XdpMode::from(*mode).name()));
        }
    }
}
