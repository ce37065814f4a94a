//! Matching: which row of the table a line spells, and with what in its fields.
//!
//! All spellings of a printer together are a tree whose branches are tokens and placeholders,
//! built once. A line goes down it token by token, so that its cost is its own length and not
//! the table's; where two branches take a token, the token itself is tried first.

use super::fields::{Miss, Reader};
use super::misses::{Expected, Ignored, Misses, Want};
use super::sign::Sign;
use super::synonyms::{Printer, SYNONYMS};
use super::template::{Hole, Piece, pieces};
use super::token::{Line, Placed, Token};
use crate::insn::{Fields, Insn};
use crate::isa::{ISA, Row, rows_of};
use std::sync::LazyLock;

/// What is wrong with a line: from byte to byte, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) message: String,
    /// What was probably meant, or what to do.
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn at(placed: Placed, message: impl Into<String>) -> Wrong {
        Wrong {
            begin: placed.begin,
            end: placed.end,
            message: message.into(),
            help: None,
        }
    }

    /// The whole line is wrong.
    pub(super) fn line(message: impl Into<String>) -> Wrong {
        Wrong {
            begin: 0,
            end: 0,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: Option<String>) -> Wrong {
        self.help = help;
        self
    }

    /// The help, unless there is one.
    pub(super) fn or_help(mut self, help: Option<String>) -> Wrong {
        self.help = self.help.or(help);
        self
    }
}

/// What is known of a line beside its text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// The opcode that the kernel prints before it.
    Opcode(u8),
    /// The instruction, from its raw bytes: the text must not say otherwise.
    Bytes(Insn),
}

/// What a branch of the tree takes from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A token that a spelling fixes.
    Token(Token),
    /// A number that a spelling fixes.
    Number(u8),
    /// What stands in the place of a placeholder.
    Hole(Hole),
}

/// A way on from a node of the tree to another.
#[derive(Clone, Copy)]
struct Branch {
    takes: Takes,
    to: u16,
}

/// The spellings of one printer as a tree. Nodes are numbers, the root is 0.
struct Tree {
    nodes: Vec<Node>,
    /// The branches of each node that each token can begin, by the node and the token.
    begun: Vec<Branch>,
    /// Where each node's and token's own begin there, and behind the last the end of all.
    begins: Vec<u16>,
    /// How many tokens there are.
    tokens: usize,
}

/// Where spellings part.
#[derive(Default)]
struct Node {
    /// In the order of the table, but for placeholders, which come last.
    branches: Vec<Branch>,
    /// The rows whose spellings end here.
    ends: Vec<&'static Row>,
}

static SOURCE: LazyLock<Tree> = LazyLock::new(|| Tree::of(Printer::Source));
static LLVM: LazyLock<Tree> = LazyLock::new(|| Tree::of(Printer::Llvm));
static BPFTOOL: LazyLock<Tree> = LazyLock::new(|| Tree::of(Printer::Bpftool));
static VERIFIER: LazyLock<Tree> = LazyLock::new(|| Tree::of(Printer::Verifier));

impl Printer {
    fn tree(self) -> &'static Tree {
        match self {
            Printer::Source => &SOURCE,
            Printer::Llvm => &LLVM,
            Printer::Bpftool => &BPFTOOL,
            Printer::Verifier => &VERIFIER,
        }
    }
}

impl Tree {
    fn of(printer: Printer) -> Tree {
        let mut tree = Tree {
            nodes: vec![Node::default()],
            begun: Vec::new(),
            begins: Vec::new(),
            tokens: 0,
        };
        for row in &ISA {
            tree.add(row.text, row);
        }
        for synonym in SYNONYMS.iter().filter(|synonym| synonym.by.has(printer)) {
            if let Some(row) = synonym.sem.row() {
                tree.add(synonym.text, row);
            }
        }
        tree.index();
        tree
    }

    fn add(&mut self, text: &'static str, row: &'static Row) {
        let mut at = 0;
        for takes in elements(text) {
            let new = self.nodes.len() as u16;
            let Some(node) = self.nodes.get_mut(usize::from(at)) else {
                return;
            };
            at = node.branch(takes, new);
            if at == new {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(usize::from(at)) {
            node.ends.push(row);
        }
    }

    /// Prepares for going down, now that all spellings are there.
    fn index(&mut self) {
        let tokens: Vec<Token> = Token::all().collect();
        self.tokens = tokens.len();
        for node in &self.nodes {
            for token in &tokens {
                self.begins.push(self.begun.len() as u16);
                let branches = node.branches.iter();
                self.begun
                    .extend(branches.filter(|branch| branch.takes.begins_with(*token)));
            }
        }
        self.begins.push(self.begun.len() as u16);
    }

    /// The ways on from a node that a token can begin.
    #[inline]
    fn begun(&self, at: u16, token: Token) -> &[Branch] {
        let index = usize::from(at) * self.tokens + token.index();
        let (Some(&begin), Some(&end)) = (self.begins.get(index), self.begins.get(index + 1))
        else {
            return &[];
        };
        self.begun.get(begin.into()..end.into()).unwrap_or_default()
    }
}

impl Node {
    /// Where a branch leads: to a new node, if there is no such branch.
    fn branch(&mut self, takes: Takes, new: u16) -> u16 {
        let is_hole = |takes: Takes| matches!(takes, Takes::Hole(_));
        if let Some(known) = self.branches.iter().find(|known| known.takes == takes) {
            return known.to;
        }
        let at = match is_hole(takes) {
            true => self.branches.len(),
            false => self.branches.partition_point(|known| !is_hole(known.takes)),
        };
        self.branches.insert(at, Branch { takes, to: new });
        new
    }
}

impl Takes {
    /// Whether it can begin with a token.
    fn begins_with(self, token: Token) -> bool {
        let is_number = token == Token::Number;
        let is_word = matches!(token, Token::Word(_));
        let is_name = token.is_name();
        let is_signed = matches!(token, Token::Sign(Sign::PLUS | Sign::MINUS));
        match self {
            Takes::Token(fixed) => fixed == token,
            Takes::Number(_) => is_number,
            Takes::Hole(hole) => match hole {
                Hole::Dst | Hole::Src | Hole::RegImm => matches!(token, Token::Reg(_)),
                Hole::Dst32 | Hole::Src32 => matches!(token, Token::Low(_)),
                Hole::Symbol | Hole::Function => is_name,
                Hole::HelperId => is_word,
                Hole::Offset | Hole::PlusImm => is_signed,
                Hole::Jump | Hole::JumpImm => is_signed || is_name,
                Hole::Remark => is_number || is_word,
                Hole::Helper => is_number || is_word || is_signed,
                Hole::Imm | Hole::ImmBits | Hole::NextImm | Hole::Imm64 | Hole::OffsetNumber => {
                    is_number || is_signed
                }
            },
        }
    }
}

/// What the branches take that a spelling goes along.
fn elements(text: &'static str) -> Vec<Takes> {
    let of_piece = |piece| match piece {
        Piece::Hole(hole) => vec![Takes::Hole(hole)],
        Piece::Text(text) => {
            let line = Line::of(text);
            let takes = |placed: Placed| match line.number(Some(placed)) {
                Some(number) => Takes::Number(number as u8),
                None => Takes::Token(placed.token),
            };
            line.tokens().map(takes).collect()
        }
    };
    pieces(text).flat_map(of_piece).collect()
}

/// An instruction as it stands in a line.
pub(super) struct Spelled {
    pub(super) insn: Insn,
    /// The token that is a label, function or something of the object in the place of a number.
    pub(super) symbol: Option<Placed>,
    /// The byte behind it.
    pub(super) end: u32,
}

/// The instruction that a line spells in some printer's text, from its token `first` on.
///
/// # Errors
/// Where the line stops being an instruction, and what could stand there.
pub(super) fn match_line(
    line: Line<'_>,
    first: Option<Placed>,
    printer: Printer,
    known: &Known,
) -> Result<Spelled, Wrong> {
    match spelled(line, first, printer, known) {
        Some(spelled) => Ok(spelled),
        None => Err(wrong(line, first, printer, known)),
    }
}

/// As [`match_line`], where [`wrong`] is asked for the reason why there is none. To hand what is
/// found around costs as much as to find it, so that it is made where it is wanted.
#[inline(always)]
pub(super) fn spelled(
    line: Line<'_>,
    first: Option<Placed>,
    printer: Printer,
    known: &Known,
) -> Option<Spelled> {
    let at = first.map_or(0, |first| first.begin);
    Search::new(line, at, printer, known, &mut Ignored).run(first)
}

/// Why a line is no instruction from its token `first` on.
#[cold]
pub(super) fn wrong(
    line: Line<'_>,
    first: Option<Placed>,
    printer: Printer,
    known: &Known,
) -> Wrong {
    let unknown = line.tokens().find(|placed| placed.token == Token::Unknown);
    if let Some(unknown) = unknown {
        let text = line.text(unknown);
        return match text.starts_with('"') {
            true => Wrong::at(unknown, "the quotes are not closed"),
            false => Wrong::at(unknown, "no register, number, name or operator")
                .help(help_of_unknown(text)),
        };
    }
    let mut expected = Expected::default();
    let at = first.map_or(0, |first| first.begin);
    Search::new(line, at, printer, known, &mut expected).run(first);
    expected.wrong(line, known)
}

/// What to say of a word like `r11`, and of a number that is none.
fn help_of_unknown(word: &str) -> Option<String> {
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        return Some("numbers are decimal, or hexadecimal behind 0x, and have 64 bits".into());
    }
    let digits = word.strip_prefix(['r', 'w'])?;
    let is_register = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_register.then(|| "registers are r0 to r10, and their low halves w0 to w10".into())
}

/// One walk down the tree.
struct Search<'s, 'a, M> {
    line: Line<'a>,
    known: &'s Known,
    tree: &'static Tree,
    /// How far the line is read. It stays in one place, since to hand it around costs more than
    /// to read a token.
    reader: Reader,
    misses: &'s mut M,
}

impl<'s, 'a, M: Misses> Search<'s, 'a, M> {
    /// Fields start as what is known of them, so that what a spelling leaves out is right.
    #[inline(always)]
    fn new(
        line: Line<'a>,
        at: u32,
        printer: Printer,
        known: &'s Known,
        misses: &'s mut M,
    ) -> Search<'s, 'a, M> {
        let fields = match known {
            Known::Bytes(insn) => insn.fields(),
            _ => Fields::default(),
        };
        Search {
            line,
            known,
            tree: printer.tree(),
            reader: Reader::new(at, fields),
            misses,
        }
    }

    /// Goes from the root to the end of the line, of which `first` is the first token.
    #[inline(always)]
    fn run(&mut self, first: Option<Placed>) -> Option<Spelled> {
        let row = self.descend(0, first)?;
        Some(Spelled {
            insn: Insn::new(row, self.reader.fields),
            symbol: self.reader.symbol,
            end: self.reader.at,
        })
    }

    /// Goes on from a node, with the next token; the first way to the end of the line is taken.
    fn descend(&mut self, node: u16, next: Option<Placed>) -> Option<&'static Row> {
        let tree = self.tree;
        let (mut node, mut next) = (node, next);
        loop {
            if M::ARE_HEARD {
                self.complain(node, next);
            }
            let Some(placed) = next else {
                return self.end(node);
            };
            match tree.begun(node, placed.token) {
                // Nothing else could be right: no need to come back.
                [only] => {
                    match only.takes {
                        Takes::Token(_) => self.reader.at = placed.end,
                        takes => self.reader.take(takes, next, self.line).ok()?,
                    }
                    node = only.to;
                    next = self.line.next_here(self.reader.at);
                }
                several => return self.try_all(several, next),
            }
        }
    }

    fn try_all(&mut self, branches: &[Branch], next: Option<Placed>) -> Option<&'static Row> {
        let before = self.reader;
        branches.iter().find_map(|branch| {
            let taken = self.reader.take(branch.takes, next, self.line).ok();
            let found = taken.and_then(|()| {
                let next = self.line.next(self.reader.at);
                self.descend(branch.to, next)
            });
            if found.is_none() {
                self.reader = before;
            }
            found
        })
    }

    /// Tells what the spellings want that go as far as a node and no further.
    fn complain(&mut self, node: u16, next: Option<Placed>) {
        let Some(node) = self.tree.nodes.get(usize::from(node)) else {
            return;
        };
        for branch in &node.branches {
            let mut after = self.reader;
            if let Err((at, want)) = after.take(branch.takes, next, self.line) {
                self.misses.miss(at, want);
            }
        }
        if !node.ends.is_empty() && next.is_some() {
            self.misses.miss(self.reader.at, Want::End);
        }
    }

    /// The first spelling that ends at a node and is what is known.
    fn end(&mut self, node: u16) -> Option<&'static Row> {
        let node = self.tree.nodes.get(usize::from(node))?;
        let mut unfit = None;
        for row in &node.ends {
            let fits = self.reader.fit(row, self.line);
            match fits.and_then(|()| self.agrees(row)) {
                Ok(()) => return Some(row),
                Err(miss) => unfit = Some(miss),
            }
        }
        if let Some((at, want)) = unfit {
            self.misses.miss(at, want);
        }
        None
    }

    /// Whether the row with these fields is what the opcode or the bytes say.
    fn agrees(&self, row: &'static Row) -> Result<(), Miss> {
        let agrees = match self.known {
            Known::Nothing => true,
            Known::Opcode(opcode) => row.opcode == *opcode,
            Known::Bytes(insn) => {
                std::ptr::eq(row, insn.row()) && Insn::new(row, self.reader.fields) == *insn
            }
        };
        match agrees {
            true => Ok(()),
            false => Err((self.reader.at, Want::Agreement)),
        }
    }
}

/// A name for what an opcode stands for, if anything does.
pub(super) fn opcode_name(opcode: u8) -> Option<&'static str> {
    rows_of(opcode).next().map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Sem;

    #[test]
    fn every_spelling_is_made_of_tokens() {
        let own = ISA.iter().map(|row| row.text);
        for text in own.chain(SYNONYMS.iter().map(|synonym| synonym.text)) {
            for piece in pieces(text) {
                if let Piece::Text(text) = piece {
                    let mut tokens = Line::of(text).tokens();
                    assert!(
                        tokens.all(|placed| placed.token != Token::Unknown),
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_synonym_has_a_row_and_a_spelling_of_its_own() {
        for (n, synonym) in SYNONYMS.iter().enumerate() {
            assert!(synonym.sem.row().is_some(), "{}", synonym.text);
            let same = |other: &'static str| elements(other) == elements(synonym.text);
            assert!(
                !ISA.iter()
                    .any(|row| row.sem == synonym.sem && same(row.text))
            );
            let before = SYNONYMS.iter().take(n);
            let mut hidden = before.filter(|other| same(other.text) && other.by.meet(synonym.by));
            let shared = |sem| matches!(sem, Sem::Call(_));
            assert!(hidden.all(|other| shared(other.sem)), "{}", synonym.text);
        }
    }
}
