//! `trace_printk`: lines that the machine collects.

use super::{Call, Returned};
use crate::interp::errno::Errno;
use crate::interp::fault::FaultKind;
use ebpf_asm::insn::Reg;
use std::fmt::Write;

/// The longest string that `%s` prints.
const MAX_STRING: u64 = 64;

/// `long bpf_trace_printk(const char *fmt, u32 fmt_size, ...)`
///
/// Knows `%d %i %u %x %X %p %c %s %%` with `l` and `ll`, zero padding and a width;
/// any other conversion is `EINVAL`, as are more than three.
pub(super) fn trace_printk(call: &mut Call<'_, '_>) -> Returned {
    let size = call.arg(Reg::R2)? as u32;
    let format = call.bytes(Reg::R1, u64::from(size))?;
    let Some((0, text)) = format.split_last() else {
        return Ok(Some(Errno::Invalid.r0()));
    };
    let text = String::from_utf8_lossy(text).into_owned();
    let Some(line) = print(call, &text)? else {
        return Ok(Some(Errno::Invalid.r0()));
    };
    let len = line.len() as u64;
    call.execution.host.trace.push(line);
    Ok(Some(len))
}

/// `None` if the format is not known.
fn print(call: &Call<'_, '_>, format: &str) -> Result<Option<String>, FaultKind> {
    let mut line = String::new();
    let mut registers = [Reg::R3, Reg::R4, Reg::R5].into_iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        line.push_str(before);
        let Some((conversion, after)) = Conversion::parse(after) else {
            return Ok(None);
        };
        rest = after;
        if conversion.letter == '%' {
            line.push('%');
            continue;
        }
        let Some(reg) = registers.next() else {
            return Ok(None);
        };
        conversion.print(call, reg, &mut line)?;
    }
    line.push_str(rest);
    Ok(Some(line))
}

/// One `%...` of a format.
struct Conversion {
    fill: char,
    width: usize,
    bits: u32,
    letter: char,
}

impl Conversion {
    /// The conversion behind a `%`, and what follows it.
    fn parse(text: &str) -> Option<(Conversion, &str)> {
        let padded = text.trim_start_matches('0');
        let fill = if padded.len() < text.len() { '0' } else { ' ' };
        let unsized_ = padded.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = padded.get(..padded.len() - unsized_.len())?;
        let width: usize = match digits {
            "" => 0,
            _ => digits.parse().ok().filter(|w| *w <= 64)?,
        };
        let sizes = [("ll", 64), ("l", 64)];
        let sized = sizes.iter().find_map(|(size, bits)| {
            let after = unsized_.strip_prefix(size)?;
            Some((*bits, after))
        });
        let (bits, text) = sized.unwrap_or((32, unsized_));
        let letter = text.chars().next()?;
        let known = matches!(letter, 'd' | 'i' | 'u' | 'x' | 'X' | 'p' | 'c' | 's' | '%');
        let conversion = Conversion {
            fill,
            width,
            bits,
            letter,
        };
        known.then_some((conversion, text.get(letter.len_utf8()..)?))
    }

    fn print(&self, call: &Call<'_, '_>, reg: Reg, line: &mut String) -> Result<(), FaultKind> {
        let value = call.arg(reg)?;
        let unused = 64 - self.bits;
        let unsigned = value << unused >> unused;
        let signed = (value << unused) as i64 >> unused;
        let text = match self.letter {
            'd' | 'i' => signed.to_string(),
            'u' => unsigned.to_string(),
            'x' => format!("{unsigned:x}"),
            'X' => format!("{unsigned:X}"),
            'p' => format!("{value:016x}"),
            'c' => char::from(value as u8).to_string(),
            _ => string(call, value)?,
        };
        for _ in text.chars().count()..self.width {
            line.push(self.fill);
        }
        // Writing to a String cannot fail.
        let _ = line.write_str(&text);
        Ok(())
    }
}

/// The bytes at `address` up to a zero.
fn string(call: &Call<'_, '_>, address: u64) -> Result<String, FaultKind> {
    let mut bytes = Vec::new();
    for offset in 0..MAX_STRING {
        let at = address.wrapping_add(offset);
        match call.execution.memory.read(at, 1)?.first() {
            Some(&byte) if byte != 0 => bytes.push(byte),
            _ => break,
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
