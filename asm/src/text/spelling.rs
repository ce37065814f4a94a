//! Matching: which row of the table a line spells, and with what in its fields.
//!
//! All spellings together are a tree whose branches are tokens and placeholders, built once.
//! A line goes down it token by token, so that its cost is its own length and not the
//! table's; where two branches take a token the first is tried first.

use super::fields::{Filled, Miss, Reader};
use super::misses::{Expected, Ignored, Misses, Want};
use super::synonyms::{Printers, SYNONYMS};
use super::template::{Hole, Piece, pieces};
use super::token::{Placed, Sign, Token, tokens};
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
    pub(super) fn at(placed: &Placed<'_>, message: impl Into<String>) -> Wrong {
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

/// One step down the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Token(Token<'static>),
    Hole(Hole),
}

/// A branch, and whose spellings lie below it.
#[derive(Clone, Copy)]
struct Branch<T> {
    takes: T,
    below: Printers,
    to: u16,
}

/// A spelling that ends at a node.
struct End {
    row: &'static Row,
    by: Printers,
}

#[derive(Default)]
struct Node {
    signs: Vec<Branch<Sign>>,
    words: Vec<Branch<&'static str>>,
    /// Registers and numbers that a spelling fixes.
    fixed: Vec<Branch<Token<'static>>>,
    holes: Vec<Branch<Hole>>,
    /// Of these the ones that a token of each kind can begin.
    begun: [Vec<Branch<Hole>>; KINDS],
    ends: Vec<End>,
}

/// The tree of all spellings; its root is the first node.
static TREE: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut tree = vec![Node::default()];
    for row in &ISA {
        add(&mut tree, row.text, row, Printers::ALL);
    }
    for synonym in SYNONYMS {
        if let Some(row) = synonym.sem.row() {
            add(&mut tree, synonym.text, row, synonym.by);
        }
    }
    for node in &mut tree {
        // Most lines have it: it is to be found first.
        node.signs.sort_by_key(|branch| branch.takes != Sign::IS);
        for (kind, begun) in node.begun.iter_mut().enumerate() {
            let holes = node.holes.iter().copied();
            *begun = holes
                .filter(|branch| kinds(branch.takes).contains(&kind))
                .collect();
        }
    }
    tree
});

fn add(tree: &mut Vec<Node>, text: &'static str, row: &'static Row, by: Printers) {
    let mut at = 0;
    for element in elements(text) {
        let new = tree.len() as u16;
        let Some(node) = tree.get_mut(usize::from(at)) else {
            return;
        };
        at = match element {
            Element::Hole(hole) => branch(&mut node.holes, hole, by, new),
            Element::Token(Token::Sign(sign)) => branch(&mut node.signs, sign, by, new),
            Element::Token(Token::Word(word)) => branch(&mut node.words, word, by, new),
            Element::Token(token) => branch(&mut node.fixed, token, by, new),
        };
        if at == new {
            tree.push(Node::default());
        }
    }
    if let Some(node) = tree.get_mut(usize::from(at)) {
        node.ends.push(End { row, by });
    }
}

/// The node that `takes` leads to: a new one, if there is no such branch.
fn branch<T: PartialEq>(all: &mut Vec<Branch<T>>, takes: T, by: Printers, new: u16) -> u16 {
    if let Some(known) = all.iter_mut().find(|branch| branch.takes == takes) {
        known.below = known.below | by;
        return known.to;
    }
    let below = by;
    let to = new;
    all.push(Branch { takes, below, to });
    to
}

fn elements(text: &'static str) -> Vec<Element> {
    let of_piece = |piece| match piece {
        Piece::Hole(hole) => vec![Element::Hole(hole)],
        Piece::Text(text) => {
            let mut all = Vec::new();
            // The table's own text is made of tokens: a test goes over all of it.
            let _ = tokens(text, &mut all);
            all.iter()
                .map(|placed| Element::Token(placed.token))
                .collect()
        }
    };
    pieces(text).flat_map(of_piece).collect()
}

/// The row that a line spells in some printer's text, with its fields.
///
/// # Errors
/// Where the line stops being an instruction, and what could stand there.
pub(super) fn match_line(
    line: &[Placed<'_>],
    printer: Printers,
    known: Known,
) -> Result<(&'static Row, Filled), Wrong> {
    try_line(line, printer, known).ok_or_else(|| {
        let mut expected = Expected::default();
        let mut search = Search::new(line, printer, known, &mut expected);
        search.descend(0, search.begin());
        expected.wrong(line, known)
    })
}

/// As [`match_line`], where it does not matter why a line is no instruction.
pub(super) fn try_line(
    line: &[Placed<'_>],
    printer: Printers,
    known: Known,
) -> Option<(&'static Row, Filled)> {
    let mut ignored = Ignored;
    let mut search = Search::new(line, printer, known, &mut ignored);
    search.descend(0, search.begin())
}

/// One walk down the tree.
struct Search<'s, 'a, M> {
    line: &'s [Placed<'a>],
    printer: Printers,
    known: Known,
    tree: &'static [Node],
    misses: &'s mut M,
}

impl<'s, 'a, M: Misses> Search<'s, 'a, M> {
    fn new(
        line: &'s [Placed<'a>],
        printer: Printers,
        known: Known,
        misses: &'s mut M,
    ) -> Search<'s, 'a, M> {
        Search {
            line,
            printer,
            known,
            tree: &TREE,
            misses,
        }
    }

    /// Fields start as what is known of them, so that what a spelling leaves out is right.
    fn begin(&self) -> Reader {
        Reader::new(match self.known {
            Known::Bytes(insn) => insn.fields(),
            _ => Fields::default(),
        })
    }

    /// Goes on from a node; the first way to the end of the line is taken.
    fn descend(&mut self, at: u16, reader: Reader) -> Option<(&'static Row, Filled)> {
        let (mut at, mut reader) = (at, reader);
        loop {
            let node = self.tree.get(usize::from(at))?;
            let next = self.line.get(usize::from(reader.at)).map(|p| p.token);
            let token = self.token(node, next);
            if M::ARE_HEARD {
                self.complain(node, next, reader.at);
            }
            let holes = self.may_begin(node, next);
            // Nothing else could be right: no need to come back.
            match (token, holes) {
                (Some(to), []) => {
                    (at, reader) = (to, reader.skip());
                    continue;
                }
                (None, [only]) if !M::ARE_HEARD && only.below.meets(self.printer) => {
                    (at, reader) = (only.to, reader.fill(only.takes, self.line).ok()?);
                    continue;
                }
                _ => {}
            }
            let found = token.and_then(|to| self.descend(to, reader.skip()));
            return found
                .or_else(|| self.holes(holes, reader))
                .or_else(|| self.end(node, reader));
        }
    }

    /// Where the next token itself leads.
    #[inline]
    fn token(&self, node: &Node, next: Option<Token<'a>>) -> Option<u16> {
        match next? {
            Token::Sign(sign) => self.find(&node.signs, |takes| takes == sign),
            Token::Word(word) => self.find(&node.words, |takes| is_same(takes, word)),
            token => self.find(&node.fixed, |takes| takes == token),
        }
    }

    #[inline]
    fn find<T: Copy>(&self, branches: &[Branch<T>], takes: impl Fn(T) -> bool) -> Option<u16> {
        let mut branches = branches.iter();
        let found = branches.find(|branch| takes(branch.takes))?;
        found.below.meets(self.printer).then_some(found.to)
    }

    /// The placeholders that the next token can stand for; all, if somebody wants to know
    /// what else could stand there.
    #[inline]
    fn may_begin(&self, node: &'static Node, next: Option<Token<'a>>) -> &'static [Branch<Hole>] {
        match next {
            _ if M::ARE_HEARD => &node.holes,
            Some(token) => node.begun.get(kind(token)).map_or(&[], Vec::as_slice),
            None => &[],
        }
    }

    /// The ways on through placeholders.
    fn holes(&mut self, holes: &[Branch<Hole>], reader: Reader) -> Option<(&'static Row, Filled)> {
        let printer = self.printer;
        for branch in holes.iter().filter(|branch| branch.below.meets(printer)) {
            match reader.fill(branch.takes, self.line) {
                Ok(after) => {
                    if let Some(found) = self.descend(branch.to, after) {
                        return Some(found);
                    }
                }
                Err((at, want)) => self.misses.miss(at, want),
            }
        }
        None
    }

    /// Tells what the tokens of a node want in the place of the next.
    fn complain(&mut self, node: &Node, next: Option<Token<'a>>, at: u16) {
        let signs = node.signs.iter().map(|b| (Token::Sign(b.takes), b.below));
        let words = node.words.iter().map(|b| (Token::Word(b.takes), b.below));
        let fixed = node.fixed.iter().map(|b| (b.takes, b.below));
        for (token, below) in signs.chain(words).chain(fixed) {
            if below.meets(self.printer) && next != Some(token) {
                self.misses.miss(at, Want::Token(token));
            }
        }
    }

    /// The first spelling that ends here and is what is known.
    fn end(&mut self, node: &Node, reader: Reader) -> Option<(&'static Row, Filled)> {
        let mut mine = node.ends.iter().filter(|end| end.by.meets(self.printer));
        if usize::from(reader.at) < self.line.len() {
            if mine.next().is_some() {
                self.misses.miss(reader.at, Want::End);
            }
            return None;
        }
        let mut unfit = None;
        for end in mine {
            match reader
                .fit(end.row, self.line)
                .and_then(|()| self.agrees(end.row, &reader))
            {
                Ok(()) => return Some((end.row, reader.filled)),
                Err(miss) => unfit = Some(miss),
            }
        }
        if let Some((at, want)) = unfit {
            self.misses.miss(at, want);
        }
        None
    }

    /// Whether the row with these fields is what the opcode or the bytes say.
    fn agrees(&self, row: &'static Row, reader: &Reader) -> Result<(), Miss> {
        let agrees = match self.known {
            Known::Nothing => true,
            Known::Opcode(opcode) => row.opcode == opcode,
            Known::Bytes(insn) => {
                std::ptr::eq(row, insn.row()) && Insn::new(row, reader.filled.fields) == insn
            }
        };
        match agrees {
            true => Ok(()),
            false => Err((reader.at, Want::Agreement)),
        }
    }
}

/// Whether two words are the same: those that are not mostly differ in their last byte (`u8`,
/// `u16`, `u32`), which is quicker to see than that all bytes are equal.
#[inline]
fn is_same(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.as_bytes().last() == right.as_bytes().last() && left == right
}

/// How many kinds of tokens there are, as far as what they begin goes.
const KINDS: usize = 6;

const REG: usize = 0;
const LOW: usize = 1;
const NUMBER: usize = 2;
const WORD: usize = 3;
/// `+` or `-`.
const PLUS_MINUS: usize = 4;
const OPERATOR: usize = 5;

#[inline]
fn kind(token: Token<'_>) -> usize {
    match token {
        Token::Reg(_) => REG,
        Token::Low(_) => LOW,
        Token::Number(_) => NUMBER,
        Token::Word(_) => WORD,
        Token::Sign(Sign::PLUS | Sign::MINUS) => PLUS_MINUS,
        Token::Sign(_) => OPERATOR,
    }
}

/// The kinds of tokens that can begin what stands in the place of a placeholder.
fn kinds(hole: Hole) -> &'static [usize] {
    match hole {
        Hole::Dst | Hole::Src => &[REG],
        Hole::Dst32 | Hole::Src32 => &[LOW],
        Hole::Symbol | Hole::Function | Hole::HelperId => &[WORD],
        Hole::Offset | Hole::PlusImm => &[PLUS_MINUS],
        Hole::Jump | Hole::JumpImm => &[PLUS_MINUS, WORD],
        Hole::Remark => &[NUMBER, WORD],
        Hole::Helper => &[NUMBER, WORD, PLUS_MINUS],
        Hole::Imm | Hole::ImmBits | Hole::NextImm | Hole::Imm64 | Hole::OffsetNumber => {
            &[NUMBER, PLUS_MINUS]
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
                    assert!(tokens(text, &mut Vec::new()).is_ok(), "{text}");
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
            let mut hidden = before.filter(|other| same(other.text) && other.by.meets(synonym.by));
            let shared = |sem| matches!(sem, Sem::Call(_));
            assert!(hidden.all(|other| shared(other.sem)), "{}", synonym.text);
        }
    }
}
