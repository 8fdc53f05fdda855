//! Bytes on their way out of one connection.
//!
//! Replies are written one behind the other into a tail; a large slice of the log is not copied but takes its place
//! between two chunks. All of it leaves with one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A slice shorter than this is cheaper to copy than to hand to the kernel on its own.
const COPY_LIMIT_BYTES: usize = 2048;

/// Room that headers behind large bodies share, so that not each of them begins with a few bytes and grows.
const HEADERS_BYTES: usize = 4096;
/// Room for one of them.
const HEADER_BYTES: usize = 512;

/// What a connection still has to write.
#[derive(Debug, Default)]
pub struct Outbound {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    chunk_bytes: usize,
}

impl Outbound {
    /// Where headers and small bodies are written.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Adds `bytes` behind all that is there.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_LIMIT_BYTES {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        self.close_tail();
        self.chunk_bytes += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Keeps no room while there is nothing to write.
    pub(crate) fn give_back(&mut self) {
        if !self.has_remaining() {
            *self = Outbound::default();
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunk_bytes += self.tail.len();
            self.chunks.push_back(self.tail.split().freeze());
            if self.tail.capacity() < HEADER_BYTES {
                self.tail.reserve(HEADERS_BYTES);
            }
        }
    }
}

impl Buf for Outbound {
    fn remaining(&self) -> usize {
        self.chunk_bytes + self.tail.len()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&self.tail, |front| front)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let all = self
            .chunks
            .iter()
            .map(|chunk| &**chunk)
            .chain([&*self.tail]);
        let mut count = 0;
        for (slot, bytes) in slices.iter_mut().zip(all) {
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(front) = self.chunks.front_mut() {
            let taken = bytes.min(front.len());
            front.advance(taken);
            self.chunk_bytes -= taken;
            bytes -= taken;
            if !front.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
        self.tail.advance(bytes);
        if self.tail.is_empty() {
            self.tail.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_in_however_they_are_cut() {
        let mut out = Outbound::default();
        let mut expected = Vec::new();
        for (index, length) in [3, 5000, 10, 0, 2048, 2047, 9000].into_iter().enumerate() {
            let bytes = vec![index as u8; length];
            expected.extend_from_slice(&bytes);
            out.push(bytes.into());
        }
        assert_eq!(out.remaining(), expected.len());
        let mut written = Vec::new();
        for step in (1..).step_by(97) {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = out.chunks_vectored(&mut slices);
            let front: Vec<u8> = slices[..count]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .take(step)
                .collect();
            out.advance(front.len());
            written.extend(front);
            if !out.has_remaining() {
                break;
            }
        }
        assert_eq!(written, expected);
    }
}
