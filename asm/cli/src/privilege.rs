//! `check --privilege`: what the loader of a program may do.
//!
//! The names and what they stand for are one table, for the option and for rows of a batch.

use clap::ValueEnum;
use ebpf_verifier_sim::Capabilities;
use serde::Deserialize;

/// A loader, by the capabilities that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Privilege {
    /// It has CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, as root has
    #[default]
    Full,
    /// It lacks CAP_PERFMON
    NoPerfmon,
    /// It lacks CAP_NET_ADMIN
    NoNetAdmin,
    /// It has CAP_BPF alone
    BpfOnly,
    /// It has none of them
    None,
}

impl Privilege {
    /// What the loader may do, as the verifier knows it.
    pub(crate) fn capabilities(self) -> Capabilities {
        match self {
            Privilege::Full => Capabilities::ALL,
            Privilege::NoPerfmon => Capabilities::BPF | Capabilities::NET_ADMIN,
            Privilege::NoNetAdmin => Capabilities::BPF | Capabilities::PERFMON,
            Privilege::BpfOnly => Capabilities::BPF,
            Privilege::None => Capabilities::NONE,
        }
    }
}
