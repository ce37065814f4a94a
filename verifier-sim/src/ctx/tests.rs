//! What holds in all tables, and a few entries.

use super::*;

fn contexts() -> Vec<&'static Context> {
    let pairs = ProgType::ALL
        .iter()
        .flat_map(|&ty| AttachType::ALL.iter().map(move |&at| (ty, at)));
    let mut all: Vec<&Context> = pairs.filter_map(|(ty, at)| context(ty, at)).collect();
    let socks = [
        SockType::Common,
        SockType::Sock,
        SockType::Tcp,
        SockType::Xdp,
    ];
    all.extend(socks.map(sock::behind));
    all
}

fn of(prog_type: ProgType) -> &'static Context {
    context(prog_type, prog_type.attach_type(None)).unwrap()
}

#[test]
fn fields_ascend() {
    for context in contexts() {
        for pair in context.fields.windows(2) {
            let [before, after] = pair else { continue };
            assert!(before.offset < after.offset, "{before:?} {after:?}");
            // The bytes of a pointer can be a row of their own.
            let apart = before.offset + before.size <= after.offset;
            assert!(apart || before.name == after.name, "{before:?} {after:?}");
        }
    }
}

#[test]
fn pointers_are_read_whole_and_never_written() {
    for field in contexts().iter().flat_map(|context| context.fields) {
        if field.value != Value::Number {
            assert_eq!(i32::from(field.read.sizes), field.size, "{field:?}");
            assert_eq!(field.write, Access::NO, "{field:?}");
        }
    }
}

#[test]
fn sizes_and_directions_are_those_of_the_table() {
    let (xdp, tc) = (of(ProgType::Xdp), of(ProgType::SchedCls));
    assert_eq!(xdp.read(4, Size::W).map(|f| f.name), Some("data_end"));
    assert!(xdp.read(4, Size::DW).is_none() && xdp.read(20, Size::W).is_none());
    assert!(xdp.write(0, Size::W).is_none() && xdp.read(-4, Size::W).is_none());
    let devmap = context(ProgType::Xdp, AttachType::XdpDevmap).unwrap();
    assert!(devmap.read(20, Size::W).is_some());
    assert!(tc.write(8, Size::W).is_some() && tc.write(8, Size::B).is_none());
    assert!(tc.read(9, Size::B).is_some() && tc.read(9, Size::H).is_none());
    let port = sock::behind(SockType::Sock);
    assert!(port.read(49, Size::B).is_some() && port.read(50, Size::B).is_none());
    assert!(port.read(48, Size::W).is_some() && port.read(45, Size::B).is_none());
}
