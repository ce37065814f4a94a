//! Format strings that the kernel reads before the program runs, as `bpf_snprintf` is given them.
//!
//! Described in bpf-helpers(7), `bpf_trace_printk` and `bpf_snprintf`; what is refused was
//! observed on Linux 6.18.
//!
//! Read before: `argument/text.rs`. Read next: `single_helper.rs`.

/// Whether a format string is valid, and asks for no more than so many values.
pub(crate) fn is_valid(format: &[u8], values: u64) -> bool {
    let mut rest = format;
    let mut asked = 0;
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'%', [b'%', behind @ ..]) => behind,
            (b'%', _) if asked == values => return false,
            (b'%', _) => {
                asked += 1;
                match after_specifier(behind) {
                    Some(behind) => behind,
                    None => return false,
                }
            }
            _ if is_text(*first) => behind,
            _ => return false,
        };
    }
    true
}

/// Whether a byte can stand for itself: since letters beyond ASCII can, all but controls.
fn is_text(byte: u8) -> bool {
    !byte.is_ascii_control() || matches!(byte, b'\t'..=b'\r')
}

/// What is behind the specifier that begins with the `%` before `rest`, if it is one.
fn after_specifier(rest: &[u8]) -> Option<&[u8]> {
    let rest = skip(rest, |byte| matches!(byte, b'0' | b'+' | b'-' | b' '));
    let rest = skip(rest, |byte| byte.is_ascii_digit());
    match rest {
        [b'p', rest @ ..] => after_pointer(rest),
        [b's', rest @ ..] => after_string(rest),
        [b'c', rest @ ..] => Some(rest),
        [b'l', b'l', rest @ ..] | [b'l', rest @ ..] | rest => match rest {
            [b'd' | b'i' | b'u' | b'x' | b'X', rest @ ..] => Some(rest),
            _ => None,
        },
    }
}

/// The same behind `%p`.
fn after_pointer(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'k' | b'u', b's', rest @ ..] => after_string(rest),
        [b'i' | b'I', b'4' | b'6', rest @ ..] => Some(rest),
        // The letter says how the pointer is printed, and is no text.
        [b'K' | b'x' | b's' | b'S' | b'B', rest @ ..] => Some(rest),
        _ => after_string(rest),
    }
}

/// What is behind a string or a plain pointer: no letter may follow at once.
fn after_string(rest: &[u8]) -> Option<&[u8]> {
    let ends = match rest.first() {
        None => true,
        Some(next) => next.is_ascii_punctuation() || is_space(*next) || is_latin_sign(*next),
    };
    ends.then_some(rest)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Spaces and signs of Latin-1 beyond ASCII, for which the kernel takes these bytes.
fn is_latin_sign(byte: u8) -> bool {
    matches!(byte, 0xa0..=0xbf | 0xd7 | 0xf7)
}

fn skip(bytes: &[u8], of: impl Fn(u8) -> bool) -> &[u8] {
    let count = bytes.iter().take_while(|&&byte| of(byte)).count();
    bytes.get(count..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 answered.
    #[test]
    fn specifiers_are_those_of_the_kernel() {
        let valid = [
            "%d", "% d", "%5d", "%-5d", "%05d", "%+d", "%i", "%u", "%x", "%X", "%ld", "%lld",
            "%llx", "%li", "%lu", "%s", "%5s", "%-10s", "%c", "%5c", "%p", "%p ", "%p.", "%pK",
            "%px", "%ps", "%pS", "%pB", "%pks", "%pus", "%pi4", "%pI4", "%pi6", "%pI6",
        ];
        for format in valid {
            assert!(is_valid(format.as_bytes(), 1), "{format}");
            assert!(!is_valid(format.as_bytes(), 0), "{format} without a value");
        }
        let invalid = [
            "%", "%o", "%f", "%e", "%n", "%D", "%U", "%llld", "%hd", "%zd", "%ls", "%lc", "%lp",
            "%.5s", "%*d", "%#x", "%l", "%ll", "%pI7", "%pi", "%pz", "%pa", "%p1", "%pU", "%pkS",
            "%puS", "%pk", "%pu", "%sp", "%s5", "%s\u{e9}", "%pksx",
        ];
        for format in invalid {
            assert!(!is_valid(format.as_bytes(), 1), "{format}");
        }
    }

    #[test]
    fn text_asks_for_nothing() {
        assert!(is_valid("100 %% sure\n\t\u{fc}".as_bytes(), 0));
        assert!(!is_valid(b"\x01", 0));
    }
}
