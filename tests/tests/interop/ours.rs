//! What we build, loaded by the tools that administrators have: ip and tc attach it to an
//! interface, where it decides as it should; bpftool makes a skeleton of it, which a program in
//! C loads.

use std::path::{Path, PathBuf};
use std::process::Command;

use ebpf_asm::object::{self, Object};
use ebpf_tests::frames::Frame;
use ebpf_tests::oracle::{XDP_PASS, verdict};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, frames, subjects, tool};
use libtest_mimic::Trial;

/// The same decision for tc, in text: ICMP over IPv4 is dropped, and drops are counted.
const DROP_ICMP_TC: &str = r"
.license GPL
.map drops percpu_array key_size=4 value_size=8 max_entries=1
.prog tc tc_drop_icmp
    r0 = 0                      ; TC_ACT_OK
    r3 = *(u32 *)(r1 + 80)      ; skb->data_end
    r2 = *(u32 *)(r1 + 76)      ; skb->data
    r4 = r2
    r4 += 34
    if r4 > r3 goto out
    r5 = *(u16 *)(r2 + 12)
    if r5 != 8 goto out         ; ETH_P_IP
    r5 = *(u8 *)(r2 + 23)
    if r5 != 1 goto out         ; IPPROTO_ICMP
    *(u32 *)(r10 - 4) = 0
    r1 = drops ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto drop
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
drop:
    r0 = 2                      ; TC_ACT_SHOT
out:
    exit
";

pub(crate) fn trials() -> Vec<Trial> {
    let ip = [Need::Kernel, Need::Tool("ip")];
    let tc = [Need::Kernel, Need::Tool("tc")];
    let skeleton = [
        Need::Kernel,
        Need::Tool("bpftool"),
        Need::Tool("cc"),
        Need::Header("bpf/libbpf.h"),
    ];
    vec![
        policy::trial("ours::ip_attaches_drop_icmp", &ip, || {
            ip_attaches(&subjects::drop_icmp()?.object)
        }),
        policy::trial("ours::ip_attaches_count_protocols", &ip, || {
            ip_attaches(&subjects::count_protocols()?.object)
        }),
        policy::trial("ours::tc_attaches_text", &tc, || {
            tc_attaches(&text(DROP_ICMP_TC)?)
        }),
        policy::trial("ours::skeleton_of_count_protocols", &skeleton, || {
            let subject = subjects::count_protocols()?;
            skeleton_loads("count_protocols", &subject.object)
        }),
        policy::trial("ours::skeleton_of_text", &skeleton, || {
            skeleton_loads("drop_icmp_tc", &text(DROP_ICMP_TC)?)
        }),
    ]
}

fn text(source: &str) -> Outcome<Object> {
    let parsed = ebpf_asm::text::parse("text", source);
    parsed.map_err(|error| error.to_string().into())
}

/// Attached by ip, the program lets pass what the oracle does.
fn ip_attaches(object: &Object) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = save(object, folder.path())?;
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    rig.inside(|| {
        let mut ip = tool::command("ip");
        ip.args(["link", "set", "dev", &rig.interface, "xdpdrv", "obj"]);
        tool::output(ip.arg(&path).args(["sec", "xdp"]))
    })?;
    for frame in frames::all() {
        let passes = wire.passes(&frame.bytes)?;
        let should = verdict(&frame.bytes) == XDP_PASS;
        ensure_eq!(passes, should, "{} passes", frame.name);
    }
    Ok(())
}

/// Attached by tc, the program drops as many frames as the oracle. tc counts them: packet
/// sockets see a frame before it does.
fn tc_attaches(object: &Object) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = save(object, folder.path())?;
    let rig = Rig::new()?;
    let wire = rig.wire()?;
    let tc = |arguments: &[&str]| tool::output(tool::command("tc").args(arguments));
    let object = path.to_str().ok_or("a path that is no text")?;
    let device = rig.interface.as_str();
    rig.inside(|| {
        tc(&["qdisc", "add", "dev", device, "clsact"])?;
        tc(&[
            "filter", "add", "dev", device, "ingress", "bpf", "da", "obj", object, "sec", "tc",
        ])
    })?;
    let mut drops = 0;
    // The kernel takes the tag of a VLAN (IEEE 802.1Q) off before tc sees the frame.
    let is_tagged = |frame: &Frame| frame.bytes.get(12..14) == Some(&[0x81, 0x00]);
    for frame in frames::all().iter().filter(|frame| !is_tagged(frame)) {
        wire.passes(&frame.bytes)?;
        drops += u32::from(verdict(&frame.bytes) != XDP_PASS);
    }
    let shown = rig.inside(|| tc(&["-s", "qdisc", "show", "dev", device, "clsact"]))?;
    let expected = format!("(dropped {drops},");
    ensure!(shown.contains(&expected), "no '{expected}' in:\n{shown}");
    Ok(())
}

/// bpftool's skeleton of the object compiles, and loads the program with all its instructions.
fn skeleton_loads(name: &str, object: &Object) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = save(object, folder.path())?;
    let mut bpftool = tool::command("bpftool");
    let header = tool::output(
        bpftool
            .args(["gen", "skeleton"])
            .arg(path)
            .args(["name", name]),
    )?;
    for map in &object.maps {
        let field = format!("struct bpf_map *{};", map.name);
        ensure!(header.contains(&field), "no {field} in:\n{header}");
    }
    std::fs::write(folder.path().join(format!("{name}.skel.h")), header)?;
    let program = &object.programs[0];
    let loader = folder.path().join("loader");
    let mut cc = tool::command("cc");
    cc.arg(format!("-DNAME={name}"));
    cc.arg(format!("-DPROGRAM={}", program.name));
    cc.arg("-I").arg(folder.path());
    cc.arg(clang::source("skeleton.c")).arg("-o").arg(&loader);
    tool::output(cc.args(["-lbpf", "-lelf", "-lz"]))?;
    let shown = tool::output(&mut Command::new(loader))?;
    let expected = format!("{} instructions\n", program.slot_count());
    ensure_eq!(shown, expected, "what the skeleton loads");
    Ok(())
}

fn save(object: &Object, folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("object.o");
    std::fs::write(&path, object::write(object)?)?;
    Ok(path)
}
