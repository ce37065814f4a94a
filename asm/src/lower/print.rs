//! The form of `cfg.rs` as text, for the tests of the passes and for whoever follows one.

use std::fmt;

use super::cfg::{Base, BlockId, CallArg, Cfg, End, InstKind, Src, Test, VReg};
use crate::btf::core::CoreRelocation;
use crate::isa::Width;

impl fmt::Display for VReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_machine() { 'r' } else { 'v' };
        write!(f, "{kind}{}", self.0)
    }
}

impl fmt::Display for Src {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Src::Reg(reg) => reg.fmt(f),
            Src::Imm(imm) => imm.fmt(f),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Base::Reg(reg) => reg.fmt(f),
            Base::Frame => f.write_str("r10"),
        }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for CallArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallArg::Src(src) => src.fmt(f),
            CallArg::Map(map) => write!(f, "map {map}"),
            CallArg::FrameAddr(offset) => write!(f, "r10 {offset:+}"),
        }
    }
}

/// `32` behind what has 32 bits.
fn suffix(width: Width) -> &'static str {
    match width {
        Width::W32 => "32",
        Width::W64 => "",
    }
}

impl fmt::Display for InstKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstKind::Mov { width, dst, src } => write!(f, "{dst} = mov{} {src}", suffix(*width)),
            InstKind::Alu {
                op,
                width,
                dst,
                lhs,
                rhs,
            } => {
                let op = format!("{op:?}").to_lowercase();
                write!(f, "{dst} = {op}{} {lhs}, {rhs}", suffix(*width))
            }
            InstKind::ByteSwap {
                swap,
                size,
                dst,
                src,
            } => {
                let swap = format!("{swap:?}").to_lowercase();
                write!(f, "{dst} = {swap}{} {src}", size.bytes() * 8)
            }
            InstKind::Load {
                size,
                dst,
                base,
                offset,
            } => write!(f, "{dst} = load{} {base} {offset:+}", size.bytes() * 8),
            InstKind::Store {
                size,
                base,
                offset,
                src,
            } => write!(f, "store{} {base} {offset:+}, {src}", size.bytes() * 8),
            InstKind::AtomicAdd {
                size,
                base,
                offset,
                src,
            } => write!(f, "atomic_add{} {base} {offset:+}, {src}", size.bytes() * 8),
            InstKind::FrameAddr { dst, offset } => write!(f, "{dst} = r10 {offset:+}"),
            InstKind::MapAddr { dst, map } => write!(f, "{dst} = map {map}"),
            InstKind::Core { dst, question } => {
                let CoreRelocation {
                    kind,
                    type_id,
                    access,
                } = &question.relocation;
                write!(f, "{dst} = {kind} of type {}, {access}", type_id.0)
            }
            InstKind::Call { helper, dst, args } => {
                let args: Vec<String> = args.iter().map(CallArg::to_string).collect();
                write!(f, "{dst} = call {helper}({})", args.join(", "))
            }
            InstKind::CallHelper { helper, args } => write!(f, "call {helper}, {args} arguments"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cond = format!("{:?}", self.cond).to_lowercase();
        write!(f, "{cond}{} {}, {}", suffix(self.width), self.lhs, self.rhs)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Jump(to) => write!(f, "goto {to}"),
            End::Branch {
                test,
                then,
                otherwise,
            } => write!(f, "if {test} goto {then} else {otherwise}"),
            End::Bounds {
                ptr,
                end,
                data_end,
                inside,
                outside,
            } => write!(
                f,
                "if {ptr} + {end} <= {data_end} goto {inside} else {outside}"
            ),
            End::Return(value) => write!(f, "return {value}"),
            End::Exit => f.write_str("exit"),
        }
    }
}

impl fmt::Display for Cfg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in self.order() {
            let Some(block) = self.block(id) else {
                continue;
            };
            writeln!(f, "{id}:")?;
            for inst in &block.insts {
                writeln!(f, "    {}", inst.kind)?;
            }
            writeln!(f, "    {}", block.end)?;
        }
        Ok(())
    }
}
