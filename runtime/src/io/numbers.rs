//! The numbers of a file's tensors, of which those of the model alone are read.

use std::io::{self, Read, Seek, SeekFrom};

use safetensors::Dtype;

use super::error::Mismatch;
use super::file::Found;
use super::safetensors::Tensor;
use crate::ops::batch_norm::place_of;

/// Bytes are read in pieces of this size, a whole number of numbers.
const PIECE: usize = 1 << 16;

pub struct Numbers<'a, R> {
    pub file: R,
    /// Where the first tensor begins.
    pub start: u64,
    pub found: &'a Found,
}

impl<R: Read + Seek> Numbers<'_, R> {
    /// The floats of each tensor that the file has, as many as the model has at most, and what is
    /// wrong with them.
    #[allow(clippy::type_complexity)]
    pub fn read(
        &mut self,
        tensors: Vec<Tensor>,
    ) -> io::Result<(Vec<(Tensor, Vec<f32>)>, Vec<Mismatch>)> {
        let mut piece = Vec::new();
        piece.try_reserve_exact(PIECE)?;
        piece.resize(PIECE, 0);
        let (mut all, mut mismatches) = (Vec::new(), Vec::new());
        for tensor in tensors {
            let mut there = tensor.names.iter().filter(|name| self.found.info(name).is_some());
            let Some(first) = there.next() else { continue };
            let mut floats = Vec::new();
            floats.try_reserve_exact(tensor.range().len())?;
            let mut negative = None;
            self.pieces(first, &mut piece, |bytes| {
                match tensor.dtype {
                    Dtype::I64 => floats.extend(numbers(bytes).map(|bytes| {
                        let count = i64::from_le_bytes(bytes);
                        negative = negative.or((count < 0).then_some(count));
                        place_of(count.max(0))
                    })),
                    _ => floats.extend(numbers(bytes).map(f32::from_le_bytes)),
                }
                true
            })?;
            if let Some(found) = negative {
                mismatches.push(Mismatch::Count { tensor: first.clone(), found });
            }
            // What is tied has one weight under several names: parameters, which are floats.
            for other in there {
                let mut rest = &floats[..];
                let is_same = |bytes: &[u8]| {
                    let (here, behind) = rest.split_at(bytes.len() / 4);
                    rest = behind;
                    here.iter()
                        .map(|float| float.to_bits())
                        .eq(numbers(bytes).map(u32::from_le_bytes))
                };
                if !self.pieces(other, &mut piece, is_same)? {
                    let (tensor, equal) = (other.clone(), first.clone());
                    mismatches.push(Mismatch::Tied { tensor, equal });
                    break;
                }
            }
            all.push((tensor, floats));
        }
        Ok((all, mismatches))
    }

    /// Gives `take` the bytes of a tensor, a piece at a time, until it wants no more. Whether it
    /// took all.
    fn pieces(
        &mut self,
        name: &str,
        piece: &mut [u8],
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<bool> {
        let Some(info) = self.found.info(name) else { return Ok(true) };
        let (start, end) = info.data_offsets;
        self.file.seek(SeekFrom::Start(self.start + start as u64))?;
        let mut left = end - start;
        while left > 0 {
            let len = left.min(piece.len());
            self.file.read_exact(&mut piece[..len])?;
            if !take(&piece[..len]) {
                return Ok(false);
            }
            left -= len;
        }
        Ok(true)
    }
}

fn numbers<const BYTES: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; BYTES]> {
    bytes.as_chunks().0.iter().copied()
}
