//! bpf(2), netlink, namespaces and their kin: all the unsafe code of the workspace.
