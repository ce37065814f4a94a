//! Addresses in global data.
//!
//! Compilers leave them to who links, and maps hold numbers: loaders, libbpf among them, put
//! the bytes into the map as they stand in the file. The object keeps what they should be, to
//! show it and to write it again.

use crate::program::Reference;
use std::sync::Arc;

/// An address in a section of global variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where its 8 bytes are in the section, in bytes.
    pub offset: u32,
    /// Whose it is.
    pub of: Addressed,
}

/// What has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// A map, a byte of global data, or what the kernel defines.
    Reference(Reference),
    /// The function of this name, of any program.
    Function(Arc<str>),
}
