//! The recording as text, for people: what `cargo run --bin FILE` prints.

use core::fmt::{self, Display, Formatter};

use crate::recording::{
    Arg, BinaryOp, Block, CompareOp, ContextField, CoreKind, CoreSubject, DataType, KernelType,
    Map, Op, OpKind, Operand, Program, Recording, ValueId, VarId,
};
use crate::unit::Unit;

impl Display for Unit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let recording = self.recording();
        writeln!(
            f,
            "unit {}, license {:?}",
            recording.name, recording.license
        )?;
        for map in &recording.maps {
            writeln!(f, "map {}", MapLine(map))?;
        }
        for program in &recording.programs {
            writeln!(f, "\n{} {}:", program.kind.section(), program.name)?;
            Listing { recording, program }.block(f, &program.body, 1)?;
        }
        Ok(())
    }
}

struct MapLine<'a>(&'a Map);

impl Display for MapLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let map = self.0;
        write!(f, "{}: {:?}, ", map.name, map.map_type)?;
        if let Some(key) = &map.key {
            write!(f, "{} -> ", DataName(key))?;
        }
        write!(f, "{}, {} ", DataName(&map.value), map.max_entries)?;
        f.write_str(if map.key.is_some() {
            "entries"
        } else {
            "bytes"
        })
    }
}

struct DataName<'a>(&'a DataType);

impl Display for DataName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            DataType::Scalar(ty) => write!(f, "{ty:?}"),
            DataType::Bytes(len) => write!(f, "[U8; {len}]"),
            DataType::Struct(ty) => f.write_str(&ty.name),
        }
    }
}

impl Display for ValueId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Display for VarId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "var{}", self.0)
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Value(id) => id.fmt(f),
            Operand::Const(number) if *number < 10 => number.fmt(f),
            Operand::Const(number) => write!(f, "{number:#x}"),
        }
    }
}

impl BinaryOp {
    /// The operator as it is printed; the signed ones as the kernel does.
    pub const fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Sdiv => "s/",
            BinaryOp::Smod => "s%",
            BinaryOp::And => "&",
            BinaryOp::Or => "|",
            BinaryOp::Xor => "^",
            BinaryOp::Lsh => "<<",
            BinaryOp::Rsh => ">>",
            BinaryOp::Arsh => "s>>",
        }
    }
}

impl CompareOp {
    /// The comparison as it is printed; the signed ones as the kernel does.
    pub const fn symbol(self) -> &'static str {
        match self {
            CompareOp::Eq => "==",
            CompareOp::Ne => "!=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
            CompareOp::Slt => "s<",
            CompareOp::Sle => "s<=",
            CompareOp::Sgt => "s>",
            CompareOp::Sge => "s>=",
            CompareOp::Set => "&",
        }
    }
}

impl ContextField {
    const fn name(self) -> &'static str {
        match self {
            ContextField::Data => "data",
            ContextField::Length => "data_end - data",
            ContextField::IngressIfindex => "ingress_ifindex",
            ContextField::RxQueueIndex => "rx_queue_index",
            ContextField::Args(_) => "args",
        }
    }
}

/// A type of the kernel with what is asked of it: `task_struct.se.vruntime`.
struct Subject<'a> {
    ty: Option<&'a KernelType>,
    kind: CoreKind,
    path: &'a [u32],
}

impl Display for Subject<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(ty) = self.ty else {
            return f.write_str("?");
        };
        f.write_str(&ty.name)?;
        match self.kind.subject() {
            CoreSubject::Type => Ok(()),
            CoreSubject::Field => {
                let names = ty.field(self.path).map(|(names, _)| names);
                write!(
                    f,
                    ".{}",
                    names.map_or("?".to_string(), |names| names.join("."))
                )
            }
            CoreSubject::Enumerator => {
                let index = self.path.first().copied();
                let name = index.and_then(|index| ty.enumerator(index));
                write!(f, "::{}", name.unwrap_or("?"))
            }
        }
    }
}

struct Listing<'a> {
    recording: &'a Recording,
    program: &'a Program,
}

impl Listing<'_> {
    fn block(&self, f: &mut Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
        block.iter().try_for_each(|op| self.op(f, op, depth))
    }

    fn op(&self, f: &mut Formatter<'_>, op: &Op, depth: usize) -> fmt::Result {
        let line = self.program.locations.get(op.loc.0 as usize);
        write!(f, "{:>5} ", line.map_or(0, |loc| loc.line))?;
        write!(f, "{:1$}", "", depth * 4)?;
        if let Some(dst) = op.kind.dst() {
            let ty = self.program.values.get(dst.0 as usize);
            match ty {
                Some(ty) => write!(f, "{dst}: {ty:?} = ")?,
                None => write!(f, "{dst} = ")?,
            }
        }
        self.kind(f, &op.kind, depth)
    }

    fn kind(&self, f: &mut Formatter<'_>, kind: &OpKind, depth: usize) -> fmt::Result {
        match kind {
            OpKind::Binary { op, lhs, rhs, .. } => writeln!(f, "{lhs} {} {rhs}", op.symbol()),
            OpKind::Compare { op, lhs, rhs, .. } => writeln!(f, "{lhs} {} {rhs}", op.symbol()),
            OpKind::Not { value, .. } => writeln!(f, "!{value}"),
            OpKind::Swap { value, .. } => writeln!(f, "swap {value}"),
            OpKind::Cast { value, .. } => writeln!(f, "{value}"),
            OpKind::Load { ptr, offset, .. } => writeln!(f, "*({ptr} + {offset})"),
            OpKind::Store {
                ptr,
                offset,
                ty,
                value,
            } => writeln!(f, "*({ptr} + {offset}): {ty:?} = {value}"),
            OpKind::AtomicAdd {
                ptr, offset, value, ..
            } => writeln!(f, "atomic *({ptr} + {offset}) += {value}"),
            OpKind::Context { field, .. } => match field {
                ContextField::Args(number) => writeln!(f, "{}[{number}]", field.name()),
                field => writeln!(f, "{}", field.name()),
            },
            OpKind::Advance {
                ptr,
                offset,
                amount,
                ..
            } => writeln!(f, "{ptr} + {offset} + {amount}"),
            OpKind::InPacket { ptr, end, .. } => writeln!(f, "{ptr} + {end} <= data_end"),
            OpKind::NotNull { ptr, .. } => writeln!(f, "{ptr} != null"),
            OpKind::Local { size, .. } => writeln!(f, "stack, {size} bytes"),
            OpKind::Scratch { size, .. } => writeln!(f, "scratch, {size} bytes"),
            OpKind::Core { kind, ty, path, .. } => {
                let ty = self.program.kernel_types.get(ty.0 as usize);
                let (name, kind) = (kind.name(), *kind);
                writeln!(f, "{name} of {}", Subject { ty, kind, path })
            }
            OpKind::SetVar { var, value } => writeln!(f, "{var} = {value}"),
            OpKind::GetVar { var, .. } => writeln!(f, "{var}"),
            OpKind::Call { helper, args, .. } => self.call(f, helper.name(), args),
            OpKind::Return { value: Some(value) } => writeln!(f, "return {value}"),
            OpKind::Return { value: None } => writeln!(f, "return"),
            OpKind::If {
                cond,
                then,
                otherwise,
            } => {
                writeln!(f, "if {cond}")?;
                self.block(f, then, depth + 1)?;
                if !otherwise.is_empty() {
                    writeln!(f, "{:1$}else", "", depth * 4 + 6)?;
                    self.block(f, otherwise, depth + 1)?;
                }
                Ok(())
            }
            OpKind::Inlined { body, .. } => {
                writeln!(f, "inlined")?;
                self.block(f, body, depth + 1)
            }
        }
    }

    fn call(&self, f: &mut Formatter<'_>, name: &str, args: &[Arg]) -> fmt::Result {
        write!(f, "{name}(")?;
        for (index, arg) in args.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match arg {
                Arg::Context => f.write_str("ctx")?,
                Arg::Map(map) => match self.recording.maps.get(map.0 as usize) {
                    Some(map) => f.write_str(&map.name)?,
                    None => f.write_str("?")?,
                },
                Arg::Operand(operand) => operand.fmt(f)?,
                Arg::InMemory { value, .. } => write!(f, "&{value}")?,
            }
        }
        writeln!(f, ")")
    }
}
