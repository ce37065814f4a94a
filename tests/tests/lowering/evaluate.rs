//! The reference: what a recording means, evaluated directly.
//!
//! It shares nothing with the lowering but the recording. A number in network order is held
//! as its host number here, where the lowering holds its bytes as they stand in memory.

use std::collections::BTreeMap;

use ebpf_dsl::recording::{
    Arg, Block, ContextField, Helper, MapType, Op, OpKind, Operand, Program, Recording, Type,
    ValueId,
};

use crate::numbers::{binary, compare, read, write};

/// `XDP_PACKET_HEADROOM`, less what the kernel keeps for itself (`struct xdp_frame`).
const HEADROOM: usize = 256;
const KEPT: usize = 40;
/// Where the tail cannot grow any more: a page less `struct skb_shared_info`.
const HARD_END: usize = 4096 - 320;
/// Helpers leave a packet its Ethernet header.
const ETH_HLEN: usize = 14;

/// The recording does what its checks should have ruled out: not the lowering's fault.
#[derive(Debug)]
pub(crate) struct Invalid(pub(crate) String);

/// What a run ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) ret: u32,
    pub(crate) packet: Vec<u8>,
}

/// What a map holds: values by key, and a ring buffer's records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) elements: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) records: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Number(u64),
    Bool(bool),
    Null,
    /// A place in the packet's frame.
    Frame(usize),
    /// Memory that is not the packet.
    Cell(usize),
}

/// Where control goes behind an operation.
enum Flow {
    On,
    Returned(Option<u64>),
}

/// Maps that keep their contents from run to run.
#[derive(Debug)]
pub(crate) struct World<'a> {
    recording: &'a Recording,
    /// For each map the cell of each key.
    maps: Vec<BTreeMap<Vec<u8>, usize>>,
    /// For each ring buffer what was submitted, by the order of reservation.
    records: Vec<BTreeMap<usize, Vec<u8>>>,
    cells: Vec<Vec<u8>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(recording: &'a Recording) -> Self {
        let mut world = World {
            recording,
            maps: vec![BTreeMap::new(); recording.maps.len()],
            records: vec![BTreeMap::new(); recording.maps.len()],
            cells: Vec::new(),
        };
        for (index, map) in recording.maps.iter().enumerate() {
            if matches!(map.map_type, MapType::Array | MapType::PercpuArray) {
                for key in 0..map.max_entries {
                    let cell = world.cell(map.value.size() as usize);
                    world.maps[index].insert(key.to_le_bytes().to_vec(), cell);
                }
            }
        }
        world
    }

    fn cell(&mut self, size: usize) -> usize {
        self.cells.push(vec![0; size]);
        self.cells.len() - 1
    }

    /// What each map holds, in their order. Records are taken out, as a reader does.
    pub(crate) fn contents(&mut self) -> Vec<Contents> {
        let maps = self.maps.iter().zip(&mut self.records);
        let value = |(key, cell): (&Vec<u8>, &usize)| (key.clone(), self.cells[*cell].clone());
        maps.map(|(map, records)| Contents {
            elements: map.iter().map(value).collect(),
            records: std::mem::take(records).into_values().collect(),
        })
        .collect()
    }

    /// Runs a program on a packet.
    pub(crate) fn run(&mut self, program: &'a Program, packet: &[u8]) -> Result<Run, Invalid> {
        let mut frame = vec![0; HEADROOM];
        frame.extend(packet);
        let end = frame.len();
        frame.resize(4096, 0);
        let mut run = Evaluation {
            world: self,
            program,
            values: vec![None; program.values.len()],
            vars: vec![0; program.vars.len()],
            frame,
            data: HEADROOM,
            end,
            held: Vec::new(),
        };
        let flow = run.block(&program.body)?;
        if !run.held.is_empty() {
            return Err(Invalid(
                "a record is neither submitted nor discarded".into(),
            ));
        }
        match flow {
            Flow::Returned(Some(ret)) => Ok(Run {
                ret: ret as u32,
                packet: run.frame[run.data..run.end].to_vec(),
            }),
            _ => Err(Invalid("the program has no result".into())),
        }
    }
}

struct Evaluation<'w, 'a> {
    world: &'w mut World<'a>,
    program: &'a Program,
    values: Vec<Option<Value>>,
    vars: Vec<u64>,
    /// Headroom, packet and tailroom.
    frame: Vec<u8>,
    data: usize,
    end: usize,
    /// The ring buffer records that are open: their maps and cells.
    held: Vec<(usize, usize)>,
}

impl<'a> Evaluation<'_, 'a> {
    fn ty(&self, id: ValueId) -> Type {
        self.program.values[id.0 as usize]
    }

    fn value(&self, id: ValueId) -> Result<Value, Invalid> {
        self.values[id.0 as usize].ok_or_else(|| Invalid(format!("{id:?} is read unset")))
    }

    fn number(&self, id: ValueId) -> Result<u64, Invalid> {
        match self.value(id)? {
            Value::Number(number) => Ok(number),
            Value::Bool(condition) => Ok(u64::from(condition)),
            other => Err(Invalid(format!("{other:?} is no number"))),
        }
    }

    fn holds(&self, id: ValueId) -> Result<bool, Invalid> {
        Ok(self.number(id)? != 0)
    }

    fn operand(&self, operand: Operand) -> Result<u64, Invalid> {
        match operand {
            Operand::Value(id) => self.number(id),
            Operand::Const(number) => Ok(number),
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<Flow, Invalid> {
        for op in block {
            if let Flow::Returned(value) = self.op(op)? {
                return Ok(Flow::Returned(value));
            }
        }
        Ok(Flow::On)
    }

    fn op(&mut self, op: &'a Op) -> Result<Flow, Invalid> {
        let value = match &op.kind {
            OpKind::If {
                cond,
                then,
                otherwise,
            } => {
                let taken = if self.holds(*cond)? { then } else { otherwise };
                return self.block(taken);
            }
            OpKind::Return { value } => {
                let value = value.map(|value| self.operand(value)).transpose()?;
                return Ok(Flow::Returned(value));
            }
            OpKind::Inlined { dst, body } => match (dst, self.block(body)?) {
                (Some(_), Flow::Returned(Some(number))) => Value::Number(number),
                (None, Flow::Returned(None)) => return Ok(Flow::On),
                _ => return Err(Invalid("an inlined function does not return".into())),
            },
            OpKind::SetVar { var, value } => {
                self.vars[var.0 as usize] = self.operand(*value)?;
                return Ok(Flow::On);
            }
            OpKind::Store {
                ptr,
                offset,
                ty,
                value,
            } => {
                let number = self.operand(*value)?;
                write(*ty, number, self.memory(*ptr, *offset, *ty)?);
                return Ok(Flow::On);
            }
            OpKind::AtomicAdd {
                ptr,
                offset,
                ty,
                value,
            } => {
                let amount = self.operand(*value)?;
                let place = self.memory(*ptr, *offset, *ty)?;
                let sum = read(*ty, place).wrapping_add(amount);
                write(*ty, sum, place);
                return Ok(Flow::On);
            }
            OpKind::Call { helper, args, .. } => self.call(*helper, args)?,
            kind => self.defined(kind)?,
        };
        if let Some(dst) = op.kind.dst() {
            self.values[dst.0 as usize] = Some(value);
        }
        Ok(Flow::On)
    }

    /// What an operation without side effects defines.
    fn defined(&mut self, kind: &OpKind) -> Result<Value, Invalid> {
        Ok(match *kind {
            OpKind::Binary { dst, op, lhs, rhs } => {
                let result = binary(op, self.ty(dst), self.operand(lhs)?, self.operand(rhs)?);
                match self.ty(dst) {
                    Type::Bool => Value::Bool(result != 0),
                    _ => Value::Number(result),
                }
            }
            OpKind::Compare {
                op, ty, lhs, rhs, ..
            } => Value::Bool(compare(op, ty, self.operand(lhs)?, self.operand(rhs)?)),
            OpKind::Not { value, .. } => Value::Bool(!self.holds(value)?),
            OpKind::Swap { value, .. } => Value::Number(self.number(value)?),
            OpKind::Cast { dst, value } => match self.ty(dst) {
                Type::Ptr => self.value(value)?,
                ty => Value::Number(self.number(value)? & u64::MAX >> (64 - 8 * ty.size())),
            },
            OpKind::Load { dst, ptr, offset } => {
                let ty = self.ty(dst);
                Value::Number(read(ty, self.memory(ptr, offset, ty)?))
            }
            OpKind::Context { field, .. } => match field {
                ContextField::Data => Value::Frame(self.data),
                ContextField::Length => Value::Number((self.end - self.data) as u64),
                ContextField::IngressIfindex => Value::Number(crate::INGRESS_IFINDEX),
                ContextField::RxQueueIndex => Value::Number(0),
                ContextField::Args(_) => return Err(Invalid("a frame has no arguments".into())),
            },
            OpKind::Advance {
                ptr,
                offset,
                amount,
                ..
            } => match self.value(ptr)? {
                Value::Frame(at) => {
                    Value::Frame(at + offset as usize + self.number(amount)? as usize)
                }
                other => return Err(Invalid(format!("{other:?} is advanced"))),
            },
            OpKind::InPacket { ptr, end, .. } => match self.value(ptr)? {
                Value::Frame(at) => Value::Bool(at + end as usize <= self.end),
                other => return Err(Invalid(format!("{other:?} is not in the packet"))),
            },
            OpKind::NotNull { ptr, .. } => Value::Bool(!matches!(self.value(ptr)?, Value::Null)),
            OpKind::Local { size, .. } => Value::Cell(self.world.cell(size as usize)),
            OpKind::GetVar { var, .. } => Value::Number(self.vars[var.0 as usize]),
            _ => return Err(Invalid("an unknown operation".into())),
        })
    }

    fn memory(&mut self, ptr: ValueId, offset: u32, ty: Type) -> Result<&mut [u8], Invalid> {
        let (memory, at, end) = match self.value(ptr)? {
            Value::Frame(at) if at >= self.data => (&mut self.frame, at, self.end),
            Value::Cell(cell) => {
                let cell = &mut self.world.cells[cell];
                let len = cell.len();
                (cell, 0, len)
            }
            other => return Err(Invalid(format!("access through {other:?}"))),
        };
        let start = at + offset as usize;
        let access = start..start + ty.size() as usize;
        if access.end > end {
            return Err(Invalid(format!("access {access:?} ends behind {end}")));
        }
        Ok(&mut memory[access])
    }

    fn bytes(&self, arg: Arg, len: usize) -> Result<Vec<u8>, Invalid> {
        match arg {
            Arg::InMemory { ty, value } => {
                let mut bytes = vec![0; ty.size() as usize];
                write(ty, self.operand(value)?, &mut bytes);
                Ok(bytes)
            }
            Arg::Operand(Operand::Value(id)) => match self.value(id)? {
                Value::Cell(cell) => Ok(self.world.cells[cell][..len].to_vec()),
                other => Err(Invalid(format!("{other:?} is no key or value"))),
            },
            other => Err(Invalid(format!("{other:?} is no key or value"))),
        }
    }

    fn call(&mut self, helper: Helper, args: &[Arg]) -> Result<Value, Invalid> {
        let failed = |failed: bool| Value::Number(if failed { u64::MAX } else { 0 });
        match (helper, args) {
            (Helper::KtimeGetNs, _) => Ok(Value::Number(1)),
            (Helper::GetSmpProcessorId, _) => Ok(Value::Number(0)),
            (Helper::XdpAdjustHead, [_, Arg::Operand(delta)]) => {
                let data = self.data as i64 + self.operand(*delta)? as i64;
                let fits = data >= KEPT as i64 && data + ETH_HLEN as i64 <= self.end as i64;
                if fits {
                    self.data = data as usize;
                }
                Ok(failed(!fits))
            }
            (Helper::XdpAdjustTail, [_, Arg::Operand(delta)]) => {
                let end = self.end as i64 + self.operand(*delta)? as i64;
                let fits = end <= HARD_END as i64 && end >= (self.data + ETH_HLEN) as i64;
                if fits {
                    let gained = self.end..(end as usize).max(self.end);
                    self.frame[gained].fill(0);
                    self.end = end as usize;
                }
                Ok(failed(!fits))
            }
            (Helper::RingbufReserve, [Arg::Map(ring), Arg::Operand(size), _]) => {
                let cell = self.world.cell(self.operand(*size)? as usize);
                self.held.push((ring.0 as usize, cell));
                Ok(Value::Cell(cell))
            }
            (
                Helper::RingbufSubmit | Helper::RingbufDiscard,
                [Arg::Operand(Operand::Value(record)), _],
            ) => {
                let Value::Cell(cell) = self.value(*record)? else {
                    return Err(Invalid("no record".into()));
                };
                let Some(index) = self.held.iter().position(|(_, held)| *held == cell) else {
                    return Err(Invalid("the record is not open".into()));
                };
                let (ring, _) = self.held.remove(index);
                if helper == Helper::RingbufSubmit {
                    let bytes = self.world.cells[cell].clone();
                    self.world.records[ring].insert(cell, bytes);
                }
                Ok(Value::Number(0))
            }
            (_, [Arg::Map(map), key, rest @ ..]) => {
                let map = map.0 as usize;
                let decl = &self.world.recording.maps[map];
                let key =
                    self.bytes(*key, decl.key.as_ref().map_or(0, |key| key.size() as usize))?;
                match (helper, rest) {
                    (Helper::MapLookupElem, []) => Ok(match self.world.maps[map].get(&key) {
                        Some(cell) => Value::Cell(*cell),
                        None => Value::Null,
                    }),
                    (Helper::MapDeleteElem, []) => {
                        let array = matches!(decl.map_type, MapType::Array | MapType::PercpuArray);
                        Ok(failed(array || self.world.maps[map].remove(&key).is_none()))
                    }
                    (Helper::MapUpdateElem, [value, Arg::Operand(flag)]) => {
                        let value = self.bytes(*value, decl.value.size() as usize)?;
                        let flag = self.operand(*flag)?;
                        Ok(failed(!self.update(map, key, value, flag)))
                    }
                    _ => Err(Invalid(format!("{helper:?} with {args:?}"))),
                }
            }
            _ => Err(Invalid(format!("{helper:?} with {args:?}"))),
        }
    }

    /// Whether an update works. `flag` is `BPF_ANY`, `BPF_NOEXIST` or `BPF_EXIST`.
    fn update(&mut self, map: usize, key: Vec<u8>, value: Vec<u8>, flag: u64) -> bool {
        let decl = &self.world.recording.maps[map];
        let known = &mut self.world.maps[map];
        let array = matches!(decl.map_type, MapType::Array | MapType::PercpuArray);
        match (known.get(&key).copied(), flag) {
            (Some(_), 1) | (None, 2) => false,
            (None, _) if array || known.len() >= decl.max_entries as usize => false,
            (Some(cell), _) if array => {
                self.world.cells[cell] = value;
                true
            }
            _ => {
                self.world.cells.push(value);
                known.insert(key, self.world.cells.len() - 1);
                true
            }
        }
    }
}
