//! Reading netlink messages and attributes: every length checked, no panic on any bytes.

use super::message::{ATTRIBUTE_HEADER_LEN, HEADER_LEN};
use crate::{Error, Result};

/// `NLA_TYPE_MASK`: an attribute's type without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// The family's header and the attributes.
    pub(super) payload: &'a [u8],
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram; ends after the first that is malformed.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Received<'_>>> {
    split(bytes, |bytes| {
        let (header, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let message = Received {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            payload: bytes.get(HEADER_LEN..len)?,
        };
        Some((message, len))
    })
    .map(|item| {
        item.ok_or(Error::Malformed {
            what: "netlink message",
        })
    })
}

/// The attributes in a payload; ends after the first that is malformed.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>>> {
    split(bytes, |bytes| {
        let (header, _) = bytes.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
        let [l0, l1, k0, k1] = *header;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let attribute = Attribute {
            kind: u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK,
            payload: bytes.get(ATTRIBUTE_HEADER_LEN..len)?,
        };
        Some((attribute, len))
    })
    .map(|item| {
        item.ok_or(Error::Malformed {
            what: "netlink attribute",
        })
    })
}

/// Cuts items off the front of `bytes`, each with its length before padding to 4.
/// `None` is the malformed item that ends the walk.
fn split<'a, T>(
    bytes: &'a [u8],
    take: impl Fn(&'a [u8]) -> Option<(T, usize)>,
) -> impl Iterator<Item = Option<T>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = take(rest);
        rest = match &item {
            // The padding after the last item may be missing.
            Some((_, len)) => rest.get(len.next_multiple_of(4)..).unwrap_or_default(),
            None => &[],
        };
        Some(item.map(|(value, _)| value))
    })
}

impl<'a> Attribute<'a> {
    /// The payload as a number of 8 bits.
    pub(super) fn u8(self) -> Result<u8> {
        match *self.payload {
            [byte] => Ok(byte),
            _ => Err(Error::Malformed {
                what: "8-bit netlink attribute",
            }),
        }
    }

    /// The payload as a number of 32 bits.
    pub(super) fn u32(self) -> Result<u32> {
        match *self.payload {
            [a, b, c, d] => Ok(u32::from_ne_bytes([a, b, c, d])),
            _ => Err(Error::Malformed {
                what: "32-bit netlink attribute",
            }),
        }
    }

    /// The payload as text, without the NUL at its end.
    pub(super) fn string(self) -> String {
        let text = self.payload.split(|&b| b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// The attributes in the payload.
    pub(super) fn nested(self) -> impl Iterator<Item = Result<Attribute<'a>>> {
        attributes(self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::*;
    use proptest::prelude::*;

    /// An attribute as a tree: what the builder is told and the parser must find.
    #[derive(Debug, Clone, PartialEq)]
    enum Tree {
        Leaf(u16, Vec<u8>),
        Nest(u16, Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let kind = 0..=NLA_TYPE_MASK;
        let leaf = (kind.clone(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, payload)| Tree::Leaf(kind, payload));
        leaf.prop_recursive(3, 16, 4, move |inner| {
            (kind.clone(), proptest::collection::vec(inner, 0..4))
                .prop_map(|(kind, children)| Tree::Nest(kind, children))
        })
    }

    fn build(message: Message, trees: &[Tree]) -> Message {
        trees.iter().fold(message, |message, tree| match tree {
            Tree::Leaf(kind, payload) => message.attribute(*kind, payload),
            Tree::Nest(kind, children) => message.nested(*kind, |m| build(m, children)),
        })
    }

    /// Checks the attributes against what was built: nested ones are told apart by the tree.
    fn check(payload: &[u8], trees: &[Tree]) {
        let found: Vec<_> = attributes(payload).collect::<Result<_>>().unwrap();
        assert_eq!(found.len(), trees.len());
        for (attribute, tree) in found.iter().zip(trees) {
            match tree {
                Tree::Leaf(kind, payload) => {
                    assert_eq!((attribute.kind, attribute.payload), (*kind, &payload[..]));
                }
                Tree::Nest(kind, children) => {
                    assert_eq!(attribute.kind, *kind);
                    check(attribute.payload, children);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_built_is_parsed(
            trees in proptest::collection::vec(tree(), 0..5),
            kind: u16,
            sequence: u32,
        ) {
            let bytes = build(Message::new(kind, 0).header(&[7; 16]), &trees)
                .finish(sequence)
                .unwrap();
            let all: Vec<_> = messages(&bytes).collect::<Result<_>>().unwrap();
            prop_assert_eq!(all.len(), 1);
            prop_assert_eq!((all[0].kind, all[0].sequence), (kind, sequence));
            prop_assert_eq!(&all[0].payload[..16], &[7; 16]);
            check(&all[0].payload[16..], &trees);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            // Each item takes at least its header, so that the walk is bounded.
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER_LEN + 1);
            for attribute in attributes(&bytes).flatten() {
                let _ = (attribute.u8(), attribute.u32(), attribute.string());
                prop_assert!(attribute.nested().count() <= bytes.len());
            }
        }

        #[test]
        fn a_cut_message_is_malformed_or_shorter(trees in proptest::collection::vec(tree(), 1..4), cut in 1usize..60) {
            let bytes = build(Message::new(1, 0), &trees).finish(1).unwrap();
            let short = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert!(short.is_empty() || messages(short).any(|m| m.is_err()));
        }
    }

    #[test]
    fn a_length_shorter_than_its_header_is_malformed() {
        let zero = [0u8; 16];
        assert_eq!(messages(&zero).count(), 1);
        assert!(messages(&zero).all(|m| m.is_err()));
        assert!(attributes(&[3, 0, 1, 0]).all(|a| a.is_err()));
    }
}
