//! What a driver or a system refuses, and that it is told for what it is.

use std::os::fd::AsFd;

use ebpf_asm::span::Span;
use ebpf_loader::{Attach, Error, Loader, Note, Xdp, XdpMode};
use ebpf_syscalls::bpf;
use ebpf_syscalls::netlink::Route;
use ebpf_tests::oracle::XDP_PASS;
use ebpf_tests::rig::Rig;
use ebpf_tests::subjects::Subject;
use ebpf_tests::{Outcome, ensure, ensure_eq, sandbox, subjects};
use libtest_mimic::Trial;

use crate::kernel;
use crate::links::{PINNED, running, with_xdp};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("limits::mtu_too_large", mtu_too_large),
        kernel("limits::mtu_named_is_one_that_works", mtu_named_works),
        kernel(
            "limits::driver_without_native_mode",
            driver_without_native_mode,
        ),
        kernel("limits::driver_without_offload", driver_without_offload),
        kernel(
            "limits::bpffs_missing_and_mounted",
            bpffs_missing_and_mounted,
        ),
        kernel("limits::pin_taken", pin_taken),
        kernel("limits::other_program_type", other_program_type),
        kernel("limits::interface_missing", interface_missing),
        kernel("limits::lines_refused", lines_refused),
    ]
}

/// Attaching fails, and leaves nothing attached.
fn refused(rig: &Rig, attach: Attach) -> Outcome<Error> {
    let program = subjects::constant(XDP_PASS)?.load()?;
    let result = with_xdp(rig, |xdp, interface| {
        Ok(xdp.attach(interface, &program, &attach).map(drop))
    })?;
    ensure_eq!(running(rig)?, None, "what runs after a refusal");
    result.err().ok_or_else(|| "it was not refused".into())
}

/// A program whose lines the kernel refuses is loaded without them, and that is said.
fn lines_refused() -> Outcome {
    let mut object = subjects::drop_icmp()?.object;
    let program = object.programs.first_mut().ok_or("no program")?;
    let name = program.name.clone();
    let behind = Span {
        file: "behind.c",
        line: 1,
        column: 1,
        text: "",
    };
    program.lines.push(program.slot_count(), behind);
    let mut loader = Loader::new(&object);
    loader.load(&name)?;
    let note = Note::WithoutLines { program: name };
    ensure_eq!(loader.notes(), [note], "the notes");
    Ok(())
}

fn mtu_too_large() -> Outcome {
    let rig = Rig::new()?;
    rig.set_sender_mtu(9000)?;
    let error = refused(&rig, PINNED)?;
    ensure!(
        matches!(error, Error::MtuTooLarge { .. }),
        "refused for: {error:?}"
    );
    Ok(())
}

fn mtu_named_works() -> Outcome {
    let rig = Rig::new()?;
    rig.set_sender_mtu(9000)?;
    let Error::MtuTooLarge { works, .. } = refused(&rig, PINNED)? else {
        return Err("refused for something else".into());
    };
    rig.set_sender_mtu(works)?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let _link = xdp.attach(interface, &program, &PINNED)?;
        Ok(())
    })
}

/// The loopback interface has generic XDP only.
fn driver_without_native_mode() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    rig.inside(|| {
        let mut xdp = Xdp::open()?;
        let lo = xdp.interface("lo")?;
        let native = xdp.attach(&lo, &program, &PINNED);
        let unsupported = matches!(&native, Err(Error::ModeUnsupported { mode, .. })
            if *mode == XdpMode::Native);
        ensure!(unsupported, "native on lo: {native:?}");
        ensure_eq!(
            xdp.attachments(&lo)?,
            Vec::new(),
            "generic must not be chosen silently"
        );
        let generic = Attach {
            mode: XdpMode::Generic,
            ..Attach::default()
        };
        drop(xdp.attach(&lo, &program, &generic)?);
        Ok(())
    })
}

fn driver_without_offload() -> Outcome {
    let rig = Rig::new()?;
    let offload = Attach {
        mode: XdpMode::Offload,
        ..PINNED
    };
    let error = refused(&rig, offload)?;
    let unsupported = matches!(
        error,
        Error::ModeUnsupported { .. } | Error::DriverRefused { .. }
    );
    ensure!(unsupported, "refused for: {error:?}");
    Ok(())
}

fn bpffs_missing_and_mounted() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    rig.inside(|| {
        // This thread's view alone; it ends with the thread.
        sandbox::leave_bpffs()?;
        let mut xdp = Xdp::open()?;
        let interface = xdp.interface(&rig.interface)?;
        let result = xdp.attach(&interface, &program, &PINNED);
        ensure!(
            matches!(result, Err(Error::NoBpffs { .. })),
            "without bpffs: {result:?}"
        );
        ensure_eq!(xdp.attachments(&interface)?, Vec::new(), "what runs");
        ensure!(
            !xdp.pins().has_bpffs()?,
            "it was mounted without being asked for"
        );
        // A link that goes with its owner needs none.
        drop(xdp.attach(&interface, &program, &Attach::default())?);
        xdp.pins().clone().mount_bpffs()?;
        let _link = xdp.attach(&interface, &program, &PINNED)?;
        ensure_eq!(
            xdp.detach(&interface)?.len(),
            1,
            "the number of programs detached"
        );
        Ok(())
    })
}

/// Somebody put something else where our pin would be.
fn pin_taken() -> Outcome {
    let rig = Rig::new()?;
    let program = subjects::constant(XDP_PASS)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let path = xdp.pins().path(interface.index);
        std::fs::create_dir_all(path.parent().ok_or("a pin without a folder")?)?;
        bpf::obj_pin(program.as_fd(), &path)?;
        let result = xdp.attach(interface, &program, &PINNED);
        ensure!(matches!(result, Err(Error::PinTaken { .. })), "{result:?}");
        ensure!(path.exists(), "what somebody pinned is gone");
        ensure_eq!(xdp.attachments(interface)?, Vec::new(), "what runs");
        std::fs::remove_file(&path)?;
        let _link = xdp.attach(interface, &program, &PINNED)?;
        Ok(())
    })
}

fn other_program_type() -> Outcome {
    let rig = Rig::new()?;
    let text = ".prog socket_filter filter\nr0 = 0\nexit\n";
    let filter = Subject::new(ebpf_asm::text::parse("filter", text)?)?.load()?;
    with_xdp(&rig, |xdp, interface| {
        let result = xdp.attach(interface, &filter, &PINNED);
        ensure!(matches!(result, Err(Error::NotXdp { .. })), "{result:?}");
        Ok(())
    })
}

fn interface_missing() -> Outcome {
    let rig = Rig::named("eth0.100")?;
    rig.inside(|| {
        let result = Xdp::open()?.interface("eth0.10");
        let Err(Error::InterfaceMissing { near, .. }) = result else {
            return Err(format!("{result:?}").into());
        };
        ensure_eq!(
            near.first().map(String::as_str),
            Some("eth0.100"),
            "the nearest name"
        );
        let all = Route::open()?.interfaces()?;
        ensure!(
            all.iter().all(|i| i.name != "eth0.10"),
            "it is there after all"
        );
        Ok(())
    })
}
