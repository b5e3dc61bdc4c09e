//! A run that is observed: which operation is under way, and what it reads and writes.

use std::sync::Arc;

use super::{Input, Observation, Observer, Output, Place, Range};
use crate::arena::Sizes;
use crate::buf::{Buf, Region};
use crate::device::Failure;
use crate::profile::PassOps;

/// A tensor of the parameters or of the state: its name, its first float and how many it has.
pub(crate) type NamedTensor = (String, usize, usize);

/// What one run shows to observers.
pub(crate) struct Watch {
    observers: Vec<Arc<dyn Observer>>,
    function: &'static str,
    tensors: Vec<NamedTensor>,
    /// What is under way, the innermost last.
    stack: Vec<Frame>,
    /// The model of a row of models that is next.
    item: Option<usize>,
    inputs: Vec<(Buf, Input)>,
    writes: Vec<Buf>,
    /// The operations that made what is in memory.
    makers: Vec<(Buf, String)>,
    failed: Option<Failure>,
}

enum Frame {
    Pass {
        ops: &'static PassOps,
        n: Sizes,
        /// The names of the fields that lead to its model.
        within: String,
    },
    Op(usize),
}

impl Watch {
    pub fn new(
        observers: Vec<Arc<dyn Observer>>,
        function: &'static str,
        tensors: Vec<NamedTensor>,
    ) -> Self {
        let (stack, inputs, writes, makers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (item, failed) = (None, None);
        Self { observers, function, tensors, stack, item, inputs, writes, makers, failed }
    }

    /// What an observer has ended the run with.
    pub fn outcome(self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)
    }

    /// A pass begins: that of the run, or of a model that the operation under way calls.
    pub fn enter(&mut self, ops: &'static PassOps, n: Sizes) {
        let mut within = self.name().unwrap_or_default();
        if let Some(item) = self.item.take() {
            within = format!("{within}.{item}");
        }
        self.stack.push(Frame::Pass { ops, n, within });
    }

    /// The next pass is that of the model `number` of a row.
    pub fn item(&mut self, number: usize) {
        self.item = Some(number);
    }

    /// The operation `number` begins; the one before ended in [`end_op`](Self::end_op).
    pub fn op(&mut self, number: usize) {
        self.stack.push(Frame::Op(number));
    }

    /// The pass ends, and its last operation has before.
    pub fn leave(&mut self) {
        self.stack.pop();
    }

    /// What the operation under way is called.
    fn name(&self) -> Option<String> {
        let [.., Frame::Pass { ops, within, .. }, Frame::Op(number)] = &self.stack[..] else {
            return None;
        };
        let (name, dot) = (ops.line(*number).name, if within.is_empty() { "" } else { "." });
        Some(format!("{within}{dot}{name}"))
    }

    /// A kernel is about to read and to write, numbers as they are.
    pub fn note<'m>(&mut self, reads: &[Buf], writes: &[Buf], at: impl Fn(Buf) -> &'m [f32]) {
        if !matches!(self.stack.last(), Some(Frame::Op(_))) {
            return;
        }
        for read in reads.iter().filter(|read| read.len > 0) {
            // What a kernel of this operation made for the next one is none of its inputs.
            let known = self.inputs.iter().any(|(known, _)| known == read);
            if !known && !self.writes.contains(read) {
                let input = Input { name: self.origin(*read), range: Range::of(at(*read)) };
                self.inputs.push((*read, input));
            }
        }
        for write in writes.iter().filter(|write| write.len > 0) {
            if !self.writes.contains(write) {
                self.writes.push(*write);
            }
        }
    }

    /// What is in a range.
    fn origin(&self, buf: Buf) -> String {
        let holds = |(_, start, len): &&NamedTensor| (*start..start + len).contains(&buf.start);
        let tensor = self.tensors.iter().find(holds).map(|(name, ..)| name.clone());
        let maker = self.makers.iter().rev().find(|(made, _)| made.overlaps(buf));
        match buf.region {
            Region::Params => tensor.unwrap_or_else(|| "a parameter".into()),
            Region::Input(i) => format!("argument {}", i + 1),
            Region::Constant => "a constant".into(),
            Region::Cache => "the cache".into(),
            Region::Prepared => "prepared parameters".into(),
            Region::Grads | Region::Arena => {
                maker.map_or_else(|| "the gradient of a result".into(), |(_, name)| name.clone())
            }
        }
    }

    /// The operation under way ends, if there is one, and is shown.
    pub fn end_op<'m>(&mut self, at: impl Fn(Buf) -> &'m [f32]) {
        let Some(name) = self.name() else { return };
        let Some(Frame::Op(number)) = self.stack.pop() else { return };
        let Some(Frame::Pass { ops, n, .. }) = self.stack.last() else { return };
        let inputs: Vec<Input> = self.inputs.drain(..).map(|(_, input)| input).collect();
        let writes = std::mem::take(&mut self.writes);
        let line = ops.line(number);
        let made = made(&line.shapes(*n), &writes);
        self.makers.retain(|(known, _)| writes.iter().all(|write| !write.overlaps(*known)));
        self.makers.extend(writes.iter().map(|write| (*write, name.clone())));
        if made.is_empty() {
            return;
        }
        let outputs = made.into_iter().map(|(buf, shape)| Output { shape, values: at(buf) });
        let outputs: Vec<_> = outputs.collect();
        let place = Place { file: ops.file, steps: line.places() };
        let seen = Observation {
            function: self.function,
            phase: ops.phase,
            name: &name,
            kind: line.kind,
            place: &place,
            inputs: &inputs,
            outputs: &outputs,
        };
        if self.failed.is_none() {
            self.failed = self.observers.iter().find_map(|observer| observer.observe(&seen).err());
        }
    }
}

/// Which of the ranges that an operation has written are results, in the order of these, and their
/// sizes: the others are scratch memory. Where a size is not known, all may be.
fn made(shapes: &[Vec<Option<usize>>], writes: &[Buf]) -> Vec<(Buf, Vec<usize>)> {
    let fits = |shape: &Vec<Option<usize>>, len: usize| {
        solved(shape, len).is_some() || shape.iter().filter(|size| size.is_none()).count() > 1
    };
    let mut found: Vec<Option<Buf>> = vec![None; shapes.len()];
    for write in writes {
        let free =
            (0..shapes.len()).find(|at| found[*at].is_none() && fits(&shapes[*at], write.len));
        if let Some(at) = free {
            found[at] = Some(*write);
        }
    }
    let made = found.into_iter().zip(shapes).filter_map(|(write, shape)| {
        let write = write?;
        Some((write, solved(shape, write.len).unwrap_or_else(|| vec![write.len])))
    });
    made.collect()
}

/// The sizes of `len` elements of which one may be unknown.
fn solved(shape: &[Option<usize>], len: usize) -> Option<Vec<usize>> {
    let known: usize = shape.iter().flatten().product();
    let unknown = shape.iter().filter(|size| size.is_none()).count();
    let rest = match unknown {
        0 if known == len => 1,
        1 if known > 0 && len.is_multiple_of(known) => len / known,
        _ => return None,
    };
    Some(shape.iter().map(|size| size.unwrap_or(rest)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_from_scratch_memory() {
        let buf = |start, len| Buf::new(Region::Arena, start, len);
        let shapes = [vec![Some(2), None], vec![Some(3)]];
        let writes = [buf(0, 3), buf(16, 8), buf(32, 5), buf(64, 8)];
        let made = made(&shapes, &writes);
        assert_eq!(made, [(buf(16, 8), vec![2, 4]), (buf(0, 3), vec![3])]);
        assert_eq!(solved(&[None, None], 12), None);
    }
}
