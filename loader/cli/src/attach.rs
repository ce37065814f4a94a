//! `ebpfld attach`: an object's program onto an interface.

use std::env;
use std::path::Path;
use std::time::Duration;

use ebpf_loader::{
    Attach, Error, Existing, Interface, Lifetime, Loader, Program, Via, Xdp, XdpLink, XdpMode,
};

use crate::advice::{self, failure};
use crate::age::age;
use crate::args::AttachArgs;
use crate::choice::program_name;
use crate::explain::{self, Log};
use crate::latest::latest;
use crate::signals::{EndSignals, Waited};
use ebpf_cli::exit::Exit;
use ebpf_cli::object_file::ObjectFile;
use ebpf_cli::report::{self, Failure};

/// How often `--foreground` looks whether the interface is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) fn run(args: &AttachArgs) -> Result<(), Failure> {
    let mut xdp = Xdp::open().map_err(failure)?;
    let interface = xdp.interface(&args.interface).map_err(failure)?;
    let file = object_file(args.object.as_deref())?;
    let name = program_name(&file, args.program.as_deref())?;
    // From here on a signal must not end the command between attaching and detaching.
    let signals = args.foreground.then(EndSignals::catch).transpose()?;
    if args.mount_bpffs {
        mount_bpffs(&xdp)?;
    }
    let program = load(&file, name, &interface, args)?;
    let link = xdp
        .attach(&interface, &program, &how(args))
        .map_err(failure)?;
    drop(program);
    let said = say_attached(name, &interface, &link);
    let Some(signals) = signals else {
        let undo = format!("to undo it: ebpfld detach {}", interface.name);
        return match said {
            Ok(()) => {
                report::note(undo);
                Ok(())
            }
            Err(failure) => {
                Err(failure.help(format!("the program is attached all the same; {undo}")))
            }
        };
    };
    said?;
    stay(&mut xdp, &interface, link, signals)
}

fn object_file(named: Option<&Path>) -> Result<ObjectFile, Failure> {
    if let Some(path) = named {
        return ObjectFile::read(path);
    }
    let folder = env::current_dir().map_err(|error| {
        Failure::new(Exit::Io, format!("cannot tell the current folder: {error}"))
            .help("name the object: ebpfld attach IFACE OBJ")
    })?;
    let latest = latest(&folder)?;
    let file = ObjectFile::read(&latest.path)?;
    let path = latest.path.strip_prefix(&folder).unwrap_or(&latest.path);
    report::note(format_args!(
        "using {}, built {}, sha256 {}",
        path.display(),
        age(latest.written),
        file.short_digest()
    ));
    Ok(file)
}

fn how(args: &AttachArgs) -> Attach {
    Attach {
        mode: args.mode.into(),
        existing: if args.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        },
        lifetime: if args.foreground {
            Lifetime::Guard
        } else {
            Lifetime::Pinned
        },
        via: Via::Any,
    }
}

fn mount_bpffs(xdp: &Xdp) -> Result<(), Failure> {
    let pins = xdp.pins();
    if pins.has_bpffs().map_err(failure)? {
        return Ok(());
    }
    pins.mount_bpffs().map_err(failure)?;
    report::note(format_args!(
        "bpffs is now mounted at {}; to undo it: umount {0}",
        pins.mount_point().display()
    ));
    if has_own_mounts() {
        report::note(
            "this process has mounts of its own, as under `ip netns exec`: when it ends, the bpffs \
             goes, and the attachment with it; mount the bpffs before, outside",
        );
    }
    Ok(())
}

/// Whether the process's mounts are not those of the system's first process: they go with the
/// last process that has them (mount_namespaces(7)).
fn has_own_mounts() -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let first = namespace("1");
    first.is_some() && first != namespace("self")
}

fn load(
    file: &ObjectFile,
    name: &str,
    interface: &Interface,
    args: &AttachArgs,
) -> Result<Program, Failure> {
    let mut loader = Loader::new(&file.object);
    if XdpMode::from(args.mode) == XdpMode::Offload {
        loader = loader.offload(interface);
    }
    let loaded = loader.load(name).map_err(|error| match error {
        Error::Rejected(rejection) => explain::rejected(&file.object, &rejection, wanted_log(args)),
        error => failure(error),
    });
    for note in loader.notes() {
        report::note(note);
    }
    loaded
}

fn wanted_log(args: &AttachArgs) -> Log {
    if args.log { Log::Whole } else { Log::Point }
}

fn say_attached(name: &str, interface: &Interface, link: &XdpLink) -> Result<(), Failure> {
    let how = match (link.link_id(), link.pin()) {
        (Some(id), Some(pin)) => format!("by link {id}, pinned at {}", pin.display()),
        (Some(id), None) => format!("by link {id}"),
        (None, _) => "by netlink".to_owned(),
    };
    let instead = match link.replaced() {
        Some(replaced) => format!(" instead of {}", advice::program(replaced)),
        None => String::new(),
    };
    report::print(format_args!(
        "attached {name} to {} in {} mode{instead}, {how}\n",
        interface.name,
        link.mode()
    ))
}

/// Keeps the program on the interface until a signal comes or the interface goes.
fn stay(
    xdp: &mut Xdp,
    interface: &Interface,
    link: XdpLink,
    mut signals: EndSignals,
) -> Result<(), Failure> {
    report::note("it is detached when this command ends; Ctrl-C ends it");
    while signals.wait(LOOK_EVERY)? == Waited::TimeOut {
        xdp.attachments(interface).map_err(|error| match error {
            Error::InterfaceMissing { name, .. } => Failure::new(
                Exit::NotFound,
                format!("interface {name} is gone, and the program with it"),
            ),
            error => failure(error),
        })?;
    }
    link.detach().map_err(failure)?;
    report::print(format_args!("detached from {}\n", interface.name))
}
