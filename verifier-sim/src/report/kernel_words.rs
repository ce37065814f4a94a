//! The kernel's words for each code: one table, in which words that are found first count.
//!
//! The words are those of Linux 6.18 and of the releases before it since 5.4, as its verifier
//! prints them. What this crate's own rejections say is among them: tests hold each of their
//! messages against its code.
//!
//! Read before: `codes.rs`. Read next: `kernel_says.rs`.

mod table;

use self::table::WORDS;
use crate::codes::Code;
use std::collections::BTreeSet;

/// What is said of a result that there is not, and of any other use of R0 when it holds nothing.
const NO_RESULT: &str = "R0 !read_ok";

/// The code of a refusal in the kernel's words; `None` if they are not known here.
///
/// `insn` is the refused instruction as the kernel prints it: what holds nothing at `exit` is the
/// result.
pub(crate) fn code(words: &str, insn: Option<&str>) -> Option<Code> {
    if insn == Some("exit") && words.starts_with(NO_RESULT) {
        return Some(Code::NoReturnValue);
    }
    let found = WORDS.iter().find(|(begins, _)| matches(begins, words));
    found.map(|(_, code)| *code)
}

/// The codes of which the kernel's messages have such words, be they a message or a part of one.
/// What differs from one message to the next, such as registers and numbers, does not matter.
///
/// ```
/// use ebpf_verifier_sim::{Code, codes_of_words};
///
/// assert_eq!(codes_of_words("R3 !read_ok"), [Code::UninitRegister]);
/// assert_eq!(codes_of_words("max value is"), [Code::MapValueBounds]);
/// assert_eq!(codes_of_words("what nobody ever said"), []);
/// ```
pub fn codes_of_words(words: &str) -> Vec<Code> {
    let parts = split(words);
    let having = |ended: Ended| {
        let rows = WORDS.iter();
        rows.filter(move |(pattern, _)| is_part(&split(pattern), &parts, ended))
            .map(|(_, code)| *code)
    };
    let mut codes: BTreeSet<Code> = code(words, None).into_iter().collect();
    codes.extend(having.clone()(Ended::Words));
    // At the end of a program it is the result.
    if words.starts_with(NO_RESULT) {
        codes.insert(Code::NoReturnValue);
    }
    if codes.is_empty() {
        codes.extend(having(Ended::Pattern));
    }
    codes.into_iter().collect()
}

/// The words of a message, or of a pattern.
fn split(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '(' | ')'));
    words.filter(|word| !word.is_empty()).collect()
}

/// Which of two that run together ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// What is looked for, which is a part of a message.
    Words,
    /// The table's, which are but the beginning of a message.
    Pattern,
}

/// Whether words run together with a pattern, from some place in it, until the one has ended.
fn is_part(pattern: &[&str], words: &[&str], ended: Ended) -> bool {
    (0..pattern.len()).any(|at| match (pattern.get(at..), words) {
        // Anything could be before what is spelled out: a word must do.
        (Some(["*", pattern @ ..]), [_, words @ ..]) => run_together(pattern, words, 2, ended),
        (Some(pattern), words) => {
            let least = if ended == Ended::Words { 1 } else { 2 };
            run_together(pattern, words, least, ended)
        }
        (None, _) => false,
    })
}

/// The same from the beginning of both; at least so many words must be spelled out in both.
fn run_together(pattern: &[&str], words: &[&str], least: usize, ended: Ended) -> bool {
    let (Some((expected, pattern_rest)), Some((word, words_rest))) =
        (pattern.split_first(), words.split_first())
    else {
        return least == 0 && words.is_empty() == (ended == Ended::Words);
    };
    if *expected == "*" && run_together(pattern, words_rest, least, ended) {
        return true;
    }
    // The table's last word may be the beginning of one.
    let agree = is_word(expected, word) || pattern_rest.is_empty() && matches(expected, word);
    let spelled_out = usize::from(!expected.contains('*'));
    agree
        && run_together(
            pattern_rest,
            words_rest,
            least.saturating_sub(spelled_out),
            ended,
        )
}

/// Whether a word is one of a pattern, in capitals or not.
fn is_word(expected: &str, word: &str) -> bool {
    let (expected, word) = (expected.to_lowercase(), word.to_lowercase());
    match expected.rsplit_once('*') {
        None => expected == word,
        Some((before, after)) => word
            .strip_suffix(after)
            .is_some_and(|rest| matches(before, rest)),
    }
}

/// Whether words begin as a pattern says.
fn matches(pattern: &str, words: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = words.strip_prefix(first) else {
        return false;
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("R* !read_ok", "R10 !read_ok"));
        assert!(matches(
            "value * makes * pointer",
            "value -1 makes fp pointer be out"
        ));
        assert!(!matches("R* !read_ok", "R10 invalid"));
        assert!(!matches("div", "a div"));
        assert!(matches("* from", "cannot call from here"));
    }

    /// Of any two words or more that stand together in the table, unless too many of them change
    /// from message to message.
    #[test]
    fn parts_of_messages_find_their_codes() {
        let (mut parts, mut excused) = (0, 0);
        for (pattern, code) in WORDS {
            let words: Vec<&str> = pattern.split_whitespace().collect();
            for count in 2..=words.len() {
                for part in words.windows(count).map(|part| part.join(" ")) {
                    let message = part.replace('*', "7");
                    let found = codes_of_words(&message);
                    let is_another = WORDS.iter().any(|(other, _)| matches(other, &message));
                    let words = split(&part);
                    let spelled_out = words.iter().filter(|word| !word.contains('*'));
                    let changes = spelled_out.count() <= usize::from(words.first() == Some(&"*"));
                    let finds = found.contains(code);
                    assert!(finds || is_another || changes, "{message}: {found:?}");
                    parts += 1;
                    excused += usize::from(!finds);
                }
            }
        }
        assert!(excused * 20 <= parts, "{excused} of {parts} are excused");
        assert_eq!(codes_of_words("reference leak"), [Code::ReferenceLeak]);
        assert_eq!(codes_of_words("R2 Max  value is"), [Code::MapValueBounds]);
        assert_eq!(codes_of_words(" "), []);
    }

    #[test]
    fn no_words_hide_those_below() {
        for (at, (words, _)) in WORDS.iter().enumerate() {
            let above = WORDS.iter().take(at);
            let hides: Vec<_> = above.filter(|(other, _)| matches(other, words)).collect();
            assert!(hides.is_empty(), "{words}: {hides:?}");
        }
    }

    /// As Linux 6.18 says it to programs that take structures, locks and memory of CPUs for others.
    #[test]
    fn rare_words_have_codes_too() {
        let said = [
            ("R1 has no valid kptr", Code::SpecialField),
            (
                "arg#0 pointer type STRUCT cgroup must point to scalar, or struct with scalar",
                Code::ArgumentType,
            ),
            (
                "max struct nesting depth exceeded; arg#0 pointer type STRUCT nf_conn must point to \
                 scalar, or struct with scalar",
                Code::ArgumentType,
            ),
            (
                "kernel function bpf_dynptr_slice args#2 pointer type UNKNOWN  is not supported",
                Code::ArgumentType,
            ),
            (
                "kernel function bpf_get_kmem_cache returns pointer type STRUCT x is not supported",
                Code::KfuncNotAllowed,
            ),
            (
                "R0 is ptr_pk access percpu memory: off=0",
                Code::MemoryBounds,
            ),
            (
                "R1 is ptr_file access user memory: off=8",
                Code::MemoryBounds,
            ),
            (
                "arg#0 is percpu_ptr_ expected ptr_ or socket",
                Code::Untrusted,
            ),
            ("arg#1 is expected to be non-NULL", Code::MaybeNull),
            (
                "func 'sys_enter' offset 7 is not multiple of 8",
                Code::Context,
            ),
            ("R9 pointer <<= pointer prohibited", Code::PointerArithmetic),
            (
                "R2 pointer arithmetic on ptr_or_null_ prohibited, null-check it first",
                Code::MaybeNull,
            ),
            (
                "BPF_LD_[ABS|IND] cannot be used inside bpf_spin_lock-ed region",
                Code::Lock,
            ),
            (
                "tail_call cannot be used inside bpf_rcu_read_lock-ed region",
                Code::Section,
            ),
        ];
        for (words, expected) in said {
            assert_eq!(code(words, None), Some(expected), "{words}");
        }
    }

    #[test]
    fn nothing_and_an_exit_without_a_result() {
        assert_eq!(code("R0 !read_ok", Some("exit")), Some(Code::NoReturnValue));
        assert_eq!(
            code("R0 !read_ok", Some("r1 = r0")),
            Some(Code::UninitRegister)
        );
        assert_eq!(code("what nobody ever said", None), None);
    }
}
