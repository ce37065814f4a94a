//! Where links are pinned: `<bpffs>/ebpfld/<namespace>/<ifindex>`, and the lock on that folder.
//!
//! bpffs is one for all network namespaces, so each has a folder: named by its
//! cookie, which is never used again until reboot, or on kernels before 5.14
//! by its inode number. Interfaces are named by number since bpffs refuses
//! dots, as in `eth0.100`; people are shown the kernel's name for the number.
//!
//! The maps that a pinned link's program needs to be held (`kept.rs`) are pinned beside it, in
//! the folder `<ifindex>-<program id>`, each named by its id: before the link, so that the program
//! never runs without them, and for as long as the link has this program. What a command that was
//! killed leaves of them goes with the next that holds the lock.
//!
//! A command that changes something holds the lock of the namespace's folder
//! while it looks, attaches and pins. The kernel drops it with the process.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ebpf_syscalls::bpf::{self, LinkInfo};
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::lock::{FolderLock, lock_folder};
use ebpf_syscalls::netlink::Interface;
use ebpf_syscalls::{Errno, Error as SyscallError, bpffs, netns};

use crate::error::{Error, Result, missing};
use crate::program::Program;
use crate::status::{MovedPin, StalePin};

/// Our folder in bpffs.
const FOLDER: &str = "ebpfld";

/// A folder that is removed while we wait for its lock is made anew this often.
const ATTEMPTS: u32 = 16;

/// The pins of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    mount_point: PathBuf,
    folder: PathBuf,
}

/// The pins, while nobody else changes them.
#[derive(Debug)]
pub(crate) struct LockedPins<'p> {
    pins: &'p Pins,
    _lock: FolderLock,
}

/// A link that we pinned and that still has its interface.
#[derive(Debug)]
pub(crate) struct OurLink {
    pub(crate) fd: OwnedFd,
    pub(crate) info: LinkInfo,
    pub(crate) path: PathBuf,
}

/// What a pin turned out to be.
enum Pinned {
    Nothing,
    /// A link whose interface is gone.
    Defunct,
    Link(OurLink),
    /// Something that we did not pin there; why.
    Foreign(String),
}

impl Pins {
    /// The pins of the calling thread's network namespace, under `/sys/fs/bpf`.
    ///
    /// # Errors
    /// Only where neither cookies nor proc(5) tell namespaces apart.
    pub fn of_this_namespace() -> Result<Self> {
        Pins::at(Path::new(bpffs::MOUNT_POINT))
    }

    /// The pins of the calling thread's network namespace, in the bpffs at `mount_point`.
    ///
    /// # Errors
    /// Only where neither cookies nor proc(5) tell namespaces apart.
    pub fn at(mount_point: &Path) -> Result<Self> {
        let namespace = match netns::cookie() {
            Ok(cookie) => cookie.to_string(),
            Err(_) => netns::inode()
                .map(|inode| format!("inode-{inode}"))
                .map_err(|source| Error::Kernel {
                    action: "cannot tell the network namespace",
                    source,
                })?,
        };
        Ok(Pins {
            mount_point: mount_point.to_owned(),
            folder: mount_point.join(FOLDER).join(namespace),
        })
    }

    /// Where bpffs is expected.
    #[must_use]
    pub fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// The pin of an interface's link.
    #[must_use]
    pub fn path(&self, ifindex: u32) -> PathBuf {
        self.folder.join(ifindex.to_string())
    }

    /// Whether there is a bpffs to pin in.
    ///
    /// # Errors
    /// When the mount point cannot be looked at.
    pub fn has_bpffs(&self) -> Result<bool> {
        bpffs::is_on_bpffs(&self.mount_point)
            .map_err(|source| Error::kernel("cannot look at bpffs", "look at bpffs", &[], source))
    }

    /// Mounts bpffs at the mount point, only for its owner. A system-wide
    /// change: only for somebody who was asked and agreed.
    ///
    /// # Errors
    /// [`Error::Permission`]; [`Error::Kernel`] where the mount point is missing.
    pub fn mount_bpffs(&self) -> Result<()> {
        bpffs::mount(&self.mount_point).map_err(|source| {
            Error::kernel(
                "cannot mount bpffs",
                "mount bpffs",
                &[Capability::SysAdmin],
                source,
            )
        })
    }

    /// Removes the pins of interfaces that are gone, in all namespaces, and
    /// says which. The pin of a namespace that died keeps its program loaded.
    ///
    /// Only for folders that this process may change; others are passed over.
    #[must_use = "says what was removed"]
    pub fn sweep(&self) -> Vec<StalePin> {
        let mut removed = Vec::new();
        for pins in self.all() {
            if let Ok(Some(locked)) = pins.lock_existing() {
                removed.extend(locked.sweep());
                locked.tidy();
            }
        }
        removed
    }

    /// Makes the folder and waits for its lock.
    ///
    /// # Errors
    /// [`Error::NoBpffs`], [`Error::Permission`].
    pub(crate) fn lock(&self) -> Result<LockedPins<'_>> {
        if !self.has_bpffs()? {
            return Err(Error::NoBpffs {
                mount_point: self.mount_point.clone(),
            });
        }
        for _ in 0..ATTEMPTS {
            self.make_folder()?;
            if let Some(locked) = self.lock_existing()? {
                return Ok(locked);
            }
        }
        Err(Error::File {
            action: "cannot lock",
            path: self.folder.clone(),
            source: io::ErrorKind::NotFound.into(),
        })
    }

    /// Waits for the folder's lock; `None` when there is no folder, so no pins.
    ///
    /// # Errors
    /// [`Error::Permission`].
    pub(crate) fn lock_existing(&self) -> Result<Option<LockedPins<'_>>> {
        match lock_folder(&self.folder) {
            Ok(lock) => Ok(Some(LockedPins {
                pins: self,
                _lock: lock,
            })),
            Err(error) if error.is(Errno::ENOENT) => Ok(None),
            Err(source) => Err(Error::kernel(
                "cannot lock the pins",
                "use the pins",
                &[Capability::NetAdmin, Capability::SysAdmin],
                source,
            )),
        }
    }

    /// Our link on an interface, without the lock: for looking only.
    pub(crate) fn look(&self, ifindex: u32) -> Option<OurLink> {
        match self.open(ifindex) {
            Ok(Pinned::Link(link)) => Some(link),
            _ => None,
        }
    }

    /// The pin of a link, in whichever namespace's folder it is: a link goes with
    /// its interface to another namespace, and its pin stays where it was made.
    pub(crate) fn of_link(&self, link_id: u32) -> Option<PathBuf> {
        let mut pins = self.all().into_iter().flat_map(|pins| {
            let paths = pins.pinned().into_iter().map(|ifindex| pins.path(ifindex));
            paths.collect::<Vec<_>>()
        });
        pins.find(|path| pinned_link(path).is_some_and(|(_, info)| info.id == link_id))
    }

    /// Pins whose interface is gone, in all namespaces, also those that died.
    pub(crate) fn all_stale(&self) -> Vec<StalePin> {
        self.all().iter().flat_map(Pins::stale).collect()
    }

    /// Pins of this namespace whose interface is now in another one; `here` are
    /// the numbers of the interfaces of this one.
    pub(crate) fn moved_away(&self, here: &[u32]) -> Vec<MovedPin> {
        let pinned = self.pinned().into_iter();
        pinned
            .filter(|ifindex| !here.contains(ifindex))
            .filter_map(|ifindex| {
                let path = self.path(ifindex);
                let (_, info) = pinned_link(&path)?;
                let attached = info.xdp_ifindex.is_some_and(|index| index != 0);
                attached.then_some(MovedPin { path })
            })
            .collect()
    }

    /// The pins of every namespace that has a folder.
    fn all(&self) -> Vec<Pins> {
        let Ok(folders) = fs::read_dir(self.mount_point.join(FOLDER)) else {
            return Vec::new();
        };
        let folders = folders.flatten().map(|folder| Pins {
            mount_point: self.mount_point.clone(),
            folder: folder.path(),
        });
        folders.collect()
    }

    /// Pins of this namespace whose interface is gone.
    fn stale(&self) -> Vec<StalePin> {
        let defunct = |ifindex: &u32| matches!(self.open(*ifindex), Ok(Pinned::Defunct));
        self.pinned()
            .into_iter()
            .filter(defunct)
            .map(|ifindex| StalePin {
                ifindex,
                path: self.path(ifindex),
            })
            .collect()
    }

    /// Where the maps of a program on an interface are pinned.
    fn maps_folder(&self, ifindex: u32, prog_id: u32) -> PathBuf {
        self.folder.join(format!("{ifindex}-{prog_id}"))
    }

    /// The interfaces and programs that maps are pinned for.
    fn map_folders(&self) -> Vec<(u32, u32)> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let numbers = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let (ifindex, prog_id) = name.to_str()?.split_once('-')?;
            Some((ifindex.parse().ok()?, prog_id.parse().ok()?))
        });
        numbers.collect()
    }

    fn make_folder(&self) -> Result<()> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder);
        made.map_err(|error| {
            file_error(
                "make a folder in bpffs",
                "cannot create",
                &self.folder,
                error,
            )
        })
    }

    /// The numbers of the interfaces that have a pin.
    fn pinned(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect()
    }

    fn open(&self, ifindex: u32) -> Result<Pinned> {
        let path = self.path(ifindex);
        let fd = match bpf::obj_get(&path) {
            Ok(fd) => fd,
            Err(error) if error.is(Errno::ENOENT) => return Ok(Pinned::Nothing),
            Err(source) => {
                let needs = &[Capability::SysAdmin];
                return Err(Error::kernel(
                    "cannot open the pin",
                    "open a pin",
                    needs,
                    source,
                ));
            }
        };
        let info = match bpf::link_info(fd.as_fd()) {
            Ok(info) => info,
            Err(error) => return Ok(Pinned::Foreign(error.to_string())),
        };
        Ok(match info.xdp_ifindex {
            Some(0) => Pinned::Defunct,
            Some(index) if index == ifindex => Pinned::Link(OurLink { fd, info, path }),
            Some(index) => Pinned::Foreign(format!("link {} is on ifindex {index}", info.id)),
            None => Pinned::Foreign(format!("link {} is not an XDP link", info.id)),
        })
    }
}

impl LockedPins<'_> {
    /// Our link on an interface; a pin of an interface that is gone is removed.
    ///
    /// # Errors
    /// [`Error::PinTaken`] when something else has the name.
    pub(crate) fn our_link(&self, interface: &Interface) -> Result<Option<OurLink>> {
        match self.pins.open(interface.index)? {
            Pinned::Nothing => Ok(None),
            Pinned::Link(link) => Ok(Some(link)),
            Pinned::Defunct => self.unpin(interface.index).map(|()| None),
            Pinned::Foreign(why) => Err(Error::PinTaken {
                interface: interface.name.clone(),
                path: self.pins.path(interface.index),
                why,
            }),
        }
    }

    /// Our link on an interface by the pin that was found for it. If that is
    /// another namespace's, the link came here with its interface, and is pinned
    /// here from now on.
    ///
    /// # Errors
    /// [`Error::PinTaken`] when something else has the name.
    pub(crate) fn take(&self, interface: &Interface, pin: &Path) -> Result<Option<OurLink>> {
        let ours = self.our_link(interface)?;
        if ours.is_some() || pin == self.pins.path(interface.index) {
            return Ok(ours);
        }
        let Some((link, info)) = pinned_link(pin) else {
            return Ok(None);
        };
        if info.xdp_ifindex != Some(interface.index) {
            return Ok(None);
        }
        // First the new pin: killed in between, the link has two, of which the
        // old one is stale as soon as the program is detached.
        self.pin(&link, interface)?;
        self.take_maps(interface, pin, info.prog_id)?;
        remove(pin)?;
        if let Some(folder) = pin.parent() {
            // Only an empty folder can be removed, so failing is as good.
            let _ = fs::remove_dir(folder);
        }
        self.our_link(interface)
    }

    /// Moves the pins of a program's maps, which lie beside a pin in another namespace's folder.
    fn take_maps(&self, interface: &Interface, pin: &Path, prog_id: u32) -> Result<()> {
        let there = PathBuf::from(format!("{}-{prog_id}", pin.display()));
        let here = self.pins.maps_folder(interface.index, prog_id);
        match fs::rename(&there, &here) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(file_error("move a pin", "cannot move", &there, error))
            }
            _ => Ok(()),
        }
    }

    /// Pins a link and gives the pin's path. One step: it is pinned, or nothing changed.
    pub(crate) fn pin(&self, link: &OwnedFd, interface: &Interface) -> Result<PathBuf> {
        let path = self.pins.path(interface.index);
        match bpf::obj_pin(link.as_fd(), &path) {
            Ok(()) => Ok(path),
            Err(error) if error.is(Errno::EEXIST) => Err(Error::PinTaken {
                interface: interface.name.clone(),
                path,
                why: "it was put there a moment ago".to_owned(),
            }),
            Err(source) => Err(pin_error(source)),
        }
    }

    /// Removes the pin of an interface; not an error when it is gone already.
    pub(crate) fn unpin(&self, ifindex: u32) -> Result<()> {
        remove(&self.pins.path(ifindex))
    }

    /// Removes the pins of interfaces that are gone, and says which. What
    /// cannot be removed stays for the next time: it harms nobody.
    pub(crate) fn sweep(&self) -> Vec<StalePin> {
        let mut stale = self.pins.stale();
        stale.retain(|pin| self.unpin(pin.ifindex).is_ok());
        self.unpin_idle_maps();
        stale
    }

    /// Pins the maps that a program needs to be held, for the link that it is going to run by.
    pub(crate) fn pin_maps(&self, interface: &Interface, program: &Program) -> Result<()> {
        if program.kept().is_empty() {
            return Ok(());
        }
        let folder = self.pins.maps_folder(interface.index, program.info()?.id);
        let mut builder = DirBuilder::new();
        if let Err(error) = builder.mode(0o700).recursive(true).create(&folder) {
            return Err(file_error(
                "make a folder in bpffs",
                "cannot create",
                &folder,
                error,
            ));
        }
        for map in program.kept().iter() {
            match bpf::obj_pin(map.fd.as_fd(), &folder.join(map.id.to_string())) {
                // The same program was attached before.
                Err(error) if error.is(Errno::EEXIST) => {}
                Err(source) => return Err(pin_error(source)),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Removes the pins of maps whose program no pinned link runs, and what cannot be removed
    /// stays for the next time.
    pub(crate) fn unpin_idle_maps(&self) {
        for (ifindex, prog_id) in self.pins.map_folders() {
            let link = pinned_link(&self.pins.path(ifindex));
            let runs = link.is_some_and(|(_, info)| {
                info.prog_id == prog_id && info.xdp_ifindex.is_some_and(|index| index != 0)
            });
            if !runs {
                remove_folder(&self.pins.maps_folder(ifindex, prog_id));
            }
        }
    }

    /// Removes the folder if it is empty, and ours above it.
    pub(crate) fn tidy(self) {
        // Only an empty folder can be removed, so failing is as good.
        if fs::remove_dir(&self.pins.folder).is_ok()
            && let Some(parent) = self.pins.folder.parent()
        {
            let _ = fs::remove_dir(parent);
        }
    }
}

/// The link that is pinned at `path`, if one is.
fn pinned_link(path: &Path) -> Option<(OwnedFd, LinkInfo)> {
    let fd = bpf::obj_get(path).ok()?;
    let info = bpf::link_info(fd.as_fd()).ok()?;
    Some((fd, info))
}

/// Removes a pin; not an error when it is gone already.
fn remove(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(file_error("remove a pin", "cannot remove", pin, error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with the pins in it, as far as they can be.
fn remove_folder(folder: &Path) {
    let pins = fs::read_dir(folder).into_iter().flatten().flatten();
    for pin in pins {
        let _ = fs::remove_file(pin.path());
    }
    let _ = fs::remove_dir(folder);
}

fn pin_error(source: SyscallError) -> Error {
    Error::kernel(
        "cannot pin the link",
        "pin a link",
        &[Capability::SysAdmin],
        source,
    )
}

fn file_error(verb: &'static str, action: &'static str, path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let errno = error.raw_os_error().map_or(Errno::EACCES, Errno::from_raw);
        return Error::Permission {
            action: verb,
            missing: missing(&[Capability::SysAdmin]),
            source: SyscallError::Call {
                call: "open",
                object: path.display().to_string(),
                errno,
            },
        };
    }
    Error::File {
        action,
        path: path.to_owned(),
        source: error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_pin_has_a_dot() {
        let pins = Pins::of_this_namespace().unwrap();
        let path = pins.path(7);
        assert!(path.starts_with("/sys/fs/bpf/ebpfld"), "{path:?}");
        assert!(path.ends_with("7"));
        assert!(!path.to_string_lossy().contains('.'), "{path:?}");
    }

    #[test]
    fn a_folder_that_is_not_on_bpffs_is_refused_and_left_alone() {
        let nowhere = Path::new("/proc");
        let error = Pins::at(nowhere).unwrap().lock().unwrap_err();
        assert!(matches!(error, Error::NoBpffs { mount_point } if mount_point == nowhere));
    }
}
