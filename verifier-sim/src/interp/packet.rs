//! Packets: what a run is given, and the buffer in which a program moves its ends.
//!
//! The buffer is laid out as the kernel's: headroom, metadata, packet, tailroom, in a frame
//! of one page. The sizes are those of `BPF_PROG_TEST_RUN` on x86-64 and of most drivers.
//!
//! Read before: `address.rs`.

use super::errno::Errno;

/// `XDP_PACKET_HEADROOM`: the bytes before the packet, by the UAPI header's definition.
pub const HEADROOM: usize = 256;
/// The bytes at the start of the headroom that the kernel keeps for itself
/// (`struct xdp_frame`).
pub const XDP_FRAME_SIZE: usize = 40;
/// The frame: a page of 4096 bytes.
pub const FRAME_SIZE: usize = 4096;
/// The bytes at the end of a frame that the kernel keeps for itself
/// (`struct skb_shared_info`).
pub const SHARED_INFO_SIZE: usize = 320;
/// The longest packet that fits a frame.
pub const MAX_XDP_LEN: usize = FRAME_SIZE - HEADROOM - SHARED_INFO_SIZE;
/// The longest packet of a socket buffer here.
pub const MAX_SKB_LEN: usize = 0xffff;
/// `ETH_HLEN`: helpers leave a packet at least its Ethernet header.
const ETH_HLEN: usize = 14;
/// The longest metadata: what one byte of `skb_shared_info` counts, in words of 4.
const MAX_METADATA: usize = 252;

/// A packet, and what a context says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) ingress_ifindex: u32,
    pub(crate) rx_queue_index: u32,
    pub(crate) egress_ifindex: u32,
    pub(crate) protocol: u16,
    pub(crate) mark: u32,
}

impl Packet {
    /// A packet of these bytes, from interface 0 and queue 0, without metadata.
    ///
    /// For a socket buffer `protocol` is the EtherType that bytes 12 and 13 spell.
    pub fn new(bytes: &[u8]) -> Packet {
        let protocol = match bytes.get(12..14) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        };
        Packet {
            bytes: bytes.to_vec(),
            protocol,
            ..Packet::default()
        }
    }

    /// Sets the bytes between `data_meta` and `data`.
    #[must_use]
    pub fn metadata(mut self, metadata: &[u8]) -> Packet {
        self.metadata = metadata.to_vec();
        self
    }

    /// Sets the interface that the packet came in by.
    #[must_use]
    pub fn ingress_ifindex(mut self, ifindex: u32) -> Packet {
        self.ingress_ifindex = ifindex;
        self
    }

    /// Sets the queue that the packet came in by.
    #[must_use]
    pub fn rx_queue_index(mut self, queue: u32) -> Packet {
        self.rx_queue_index = queue;
        self
    }

    /// Sets the interface that the packet goes out by, for programs on a devmap's entries.
    #[must_use]
    pub fn egress_ifindex(mut self, ifindex: u32) -> Packet {
        self.egress_ifindex = ifindex;
        self
    }

    /// Sets a socket buffer's EtherType, in host order.
    #[must_use]
    pub fn protocol(mut self, protocol: u16) -> Packet {
        self.protocol = protocol;
        self
    }

    /// Sets a socket buffer's mark.
    #[must_use]
    pub fn mark(mut self, mark: u32) -> Packet {
        self.mark = mark;
        self
    }
}

/// A packet that a run cannot begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Longer than its frame.
    #[error("the packet has {len} bytes, and its frame has room for {max}")]
    TooLong {
        /// The bytes.
        len: usize,
        /// The most.
        max: usize,
    },
    /// Metadata that the kernel would not allow.
    #[error("the metadata has {0} bytes: multiples of 4 up to 252 are allowed")]
    Metadata(usize),
}

/// A packet in its buffer.
#[derive(Debug, Clone)]
pub(crate) struct PacketBuffer {
    bytes: Vec<u8>,
    meta: usize,
    data: usize,
    end: usize,
    /// The limit that `end` can grow to.
    hard_end: usize,
    moves: u32,
}

impl PacketBuffer {
    /// The packet in a frame with head and tail room, as XDP programs get it.
    pub(crate) fn xdp(packet: &Packet) -> Result<PacketBuffer, PacketError> {
        let len = packet.bytes.len();
        if len > MAX_XDP_LEN {
            return Err(PacketError::TooLong {
                len,
                max: MAX_XDP_LEN,
            });
        }
        let meta_len = packet.metadata.len();
        if !is_metadata_len(meta_len) {
            return Err(PacketError::Metadata(meta_len));
        }
        let mut bytes = vec![0; HEADROOM - meta_len];
        bytes.extend(&packet.metadata);
        bytes.extend(&packet.bytes);
        bytes.resize(FRAME_SIZE, 0);
        Ok(PacketBuffer {
            bytes,
            meta: HEADROOM - meta_len,
            data: HEADROOM,
            end: HEADROOM + len,
            hard_end: FRAME_SIZE - SHARED_INFO_SIZE,
            moves: 0,
        })
    }

    /// The packet with no room around it, as programs on socket buffers see it.
    pub(crate) fn skb(packet: &Packet) -> Result<PacketBuffer, PacketError> {
        let len = packet.bytes.len();
        if len > MAX_SKB_LEN {
            return Err(PacketError::TooLong {
                len,
                max: MAX_SKB_LEN,
            });
        }
        Ok(PacketBuffer {
            bytes: packet.bytes.clone(),
            meta: 0,
            data: 0,
            end: len,
            hard_end: len,
            moves: 0,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.data
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.data..self.end).unwrap_or(&[])
    }

    pub(crate) fn metadata(&self) -> &[u8] {
        self.bytes.get(self.meta..self.data).unwrap_or(&[])
    }

    /// How often the packet was moved.
    pub(crate) fn moves(&self) -> u32 {
        self.moves
    }

    /// Where metadata, packet and what is behind begin in the buffer.
    pub(crate) fn ends(&self) -> (usize, usize, usize) {
        (self.meta, self.data, self.end)
    }

    /// `size` bytes from `offset` of the buffer, if they are metadata or packet.
    pub(crate) fn slice(&self, offset: i64, size: u64) -> Option<&[u8]> {
        let (start, end) = self.range(offset, size)?;
        self.bytes.get(start..end)
    }

    /// As [`slice`](PacketBuffer::slice), to be written.
    pub(crate) fn slice_mut(&mut self, offset: i64, size: u64) -> Option<&mut [u8]> {
        let (start, end) = self.range(offset, size)?;
        self.bytes.get_mut(start..end)
    }

    fn range(&self, offset: i64, size: u64) -> Option<(usize, usize)> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        (start >= self.meta && end <= self.end).then_some((start, end))
    }

    /// Writes into the packet, as far as it reaches.
    pub(crate) fn overwrite(&mut self, offset: usize, bytes: &[u8]) {
        let packet = self.bytes.get_mut(self.data..self.end).unwrap_or(&mut []);
        for (to, from) in packet.iter_mut().skip(offset).zip(bytes) {
            *to = *from;
        }
    }

    /// Notes that pointers to the packet have ended.
    pub(crate) fn moved(&mut self) {
        self.moves = self.moves.wrapping_add(1);
    }

    /// `bpf_xdp_adjust_head`: moves `data`, and the metadata with it.
    pub(crate) fn adjust_head(&mut self, delta: i32) -> Result<(), Errno> {
        let meta_len = self.data - self.meta;
        let data = shifted(self.data, delta)?;
        if data < XDP_FRAME_SIZE + meta_len || data + ETH_HLEN > self.end {
            return Err(Errno::Invalid);
        }
        let meta = data - meta_len;
        self.bytes.copy_within(self.meta..self.data, meta);
        (self.meta, self.data) = (meta, data);
        self.moved();
        Ok(())
    }

    /// `bpf_xdp_adjust_tail`: moves `data_end`; bytes that it gains are zero.
    pub(crate) fn adjust_tail(&mut self, delta: i32) -> Result<(), Errno> {
        let end = shifted(self.end, delta)?;
        if end > self.hard_end || end < self.data + ETH_HLEN {
            return Err(Errno::Invalid);
        }
        if let Some(gained) = self.bytes.get_mut(self.end..end) {
            gained.fill(0);
        }
        self.end = end;
        self.moved();
        Ok(())
    }

    /// `bpf_xdp_adjust_meta`: moves `data_meta`.
    pub(crate) fn adjust_meta(&mut self, delta: i32) -> Result<(), Errno> {
        let meta = shifted(self.meta, delta)?;
        if meta < XDP_FRAME_SIZE || meta > self.data {
            return Err(Errno::Invalid);
        }
        if !is_metadata_len(self.data - meta) {
            return Err(Errno::Access);
        }
        self.meta = meta;
        self.moved();
        Ok(())
    }
}

fn is_metadata_len(len: usize) -> bool {
    len.is_multiple_of(4) && len <= MAX_METADATA
}

fn shifted(position: usize, delta: i32) -> Result<usize, Errno> {
    let delta = isize::try_from(delta).map_err(|_| Errno::Invalid)?;
    position.checked_add_signed(delta).ok_or(Errno::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(len: usize) -> PacketBuffer {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        PacketBuffer::xdp(&Packet::new(&bytes)).unwrap()
    }

    #[test]
    fn the_head_moves_within_the_headroom_and_leaves_an_ethernet_header() {
        let room = (HEADROOM - XDP_FRAME_SIZE) as i32;
        assert_eq!(buffer(64).adjust_head(-room - 1), Err(Errno::Invalid));
        assert_eq!(buffer(64).adjust_head(51), Err(Errno::Invalid));
        let mut packet = buffer(64);
        assert_eq!(packet.adjust_head(-room), Ok(()));
        assert_eq!(packet.len(), 64 + HEADROOM - XDP_FRAME_SIZE);
        assert_eq!(packet.adjust_head(room + 50), Ok(()));
        assert_eq!(packet.bytes(), &(50..64).collect::<Vec<u8>>());
        assert_eq!(packet.adjust_head(i32::MIN), Err(Errno::Invalid));
    }

    #[test]
    fn the_tail_grows_with_zeros_up_to_the_shared_info() {
        let mut packet = buffer(64);
        assert_eq!(packet.adjust_tail(-50), Ok(()));
        assert_eq!(packet.adjust_tail(-1), Err(Errno::Invalid));
        assert_eq!(packet.adjust_tail(2), Ok(()));
        assert_eq!(packet.bytes()[14..], [0, 0]);
        assert_eq!(packet.adjust_tail((MAX_XDP_LEN - 16) as i32), Ok(()));
        assert_eq!(packet.adjust_tail(1), Err(Errno::Invalid));
    }

    #[test]
    fn metadata_goes_in_words_and_follows_the_head() {
        let mut packet = buffer(64);
        let refused = [
            (-1, Errno::Access),
            (-2, Errno::Access),
            (4, Errno::Invalid),
            (-220, Errno::Invalid),
        ];
        for (delta, errno) in refused {
            assert_eq!(packet.adjust_meta(delta), Err(errno), "{delta}");
        }
        assert_eq!(packet.adjust_meta(-8), Ok(()));
        packet.slice_mut(HEADROOM as i64 - 8, 8).unwrap().fill(7);
        assert_eq!(packet.adjust_head(-4), Ok(()));
        assert_eq!(packet.metadata(), [7; 8]);
        assert_eq!(packet.len(), 68);
        let most = -((HEADROOM - 4 - XDP_FRAME_SIZE) as i32);
        assert_eq!(packet.adjust_head(most + 8 - 1), Err(Errno::Invalid));
        assert_eq!(packet.adjust_head(most + 8), Ok(()));
    }

    #[test]
    fn what_does_not_fit_a_frame_is_refused() {
        let long = Packet::new(&vec![0; MAX_XDP_LEN + 1]);
        assert!(matches!(
            PacketBuffer::xdp(&long),
            Err(PacketError::TooLong { .. })
        ));
        let odd = Packet::new(&[0; 64]).metadata(&[0; 3]);
        assert!(matches!(
            PacketBuffer::xdp(&odd),
            Err(PacketError::Metadata(3))
        ));
        assert!(PacketBuffer::xdp(&Packet::new(&[])).is_ok());
    }
}
