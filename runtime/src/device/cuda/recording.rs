//! What a step asks of a GPU: a list of launches. Generated code names kernels and ranges; the list
//! is made once for the sizes of a call, and runs as often as the call does.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use super::library_call::LibraryCall;
use super::products::{Factors, Product};
use super::timing::Mark;
use crate::arena::Sizes;
use crate::device::{Buf, Element, Indices, Kernels, Region, floats_of_halves};
use crate::ops::fill::Fill;
use crate::profile::PassOps;

/// The launches of a step, in their order.
#[derive(Debug, Default)]
pub struct CudaKernels {
    pub(super) launches: Vec<Launch>,
    /// The floats that calls use on the side, and those in whose place factors are rounded.
    pub(super) side: [usize; 2],
    /// Calls of kernels that draw random numbers.
    draws: u32,
    /// What products are made of.
    factors: Factors,
    /// Whether the gradients follow from a scaled loss.
    pub(super) seeded: bool,
    /// Whether places are marked for a profile.
    pub(super) marked: bool,
}

/// One thing that the GPU does.
#[derive(Debug)]
pub(crate) enum Launch {
    Kernel {
        kernel: CudaKernel,
        grid: Grid,
        args: Vec<Arg>,
    },
    Product {
        product: Product,
        y: Buf,
        a: Arg,
        b: Arg,
        bias: Option<Buf>,
    },
    Library(LibraryCall),
    /// Nothing, but a profile knows the place.
    Mark(Mark),
}

/// The text that holds the kernels of a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub room: &'static str,
    pub text: &'static str,
}

impl Text {
    /// A function of the text, which stands there behind `#ifdef IS_function`.
    pub fn kernel(self, function: &'static str) -> CudaKernel {
        let defines = format!("#define IS_{function} 1\n");
        let text = Cow::Borrowed(self.text);
        CudaKernel { room: self.room, library: "", text, function, defines }
    }
}

/// A kernel with its sizes.
#[derive(Clone, Debug)]
pub(crate) struct CudaKernel {
    pub room: &'static str,
    /// What the text uses.
    pub library: &'static str,
    /// Of a room's kernels, or made for this one.
    pub text: Cow<'static, str>,
    pub function: &'static str,
    /// What stands before the text.
    pub defines: String,
}

impl CudaKernel {
    /// What tells it from others: a room has one kernel of a name, but for texts that are made.
    pub fn key(&self) -> String {
        let Self { room, function, defines, text, .. } = self;
        let made = if let Cow::Owned(text) = text { text } else { "" };
        format!("{room} {function}\n{defines}{made}")
    }

    /// Sets a size, or another word that the text uses.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        let _ = writeln!(self.defines, "#define {name} {value}");
        self
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arg {
    Buf(Buf),
    Indices(Indices),
    Size(u32),
    Float(f32),
    /// Four words: the seed and the number of the step, each the lower half first.
    Random,
    /// The scalars of the optimizer whose step follows.
    Scalars,
    /// The state of the scale of losses.
    LossScale,
    Null,
    /// Memory for parts of a call, from this float on.
    Scratch(usize),
    /// Factors that were rounded for the next product, in the place of the floats from there on. Of
    /// a call of a library the result as well.
    Rounded(usize),
    /// Memory behind no region.
    Address(u64),
}

impl Arg {
    /// The first element of a range, counted from an aligned one, and what it is.
    fn place(&self) -> (usize, Element) {
        match *self {
            Self::Buf(buf) => (buf.start, buf.element),
            Self::Rounded(start) => (2 * start, Element::Half),
            Self::Scratch(start) => (start, Element::Float),
            _ => (0, Element::Float),
        }
    }
}

impl From<Buf> for Arg {
    fn from(buf: Buf) -> Self {
        Self::Buf(buf)
    }
}

impl From<Option<Buf>> for Arg {
    fn from(buf: Option<Buf>) -> Self {
        buf.map_or(Self::Null, Self::Buf)
    }
}

impl From<Indices> for Arg {
    fn from(indices: Indices) -> Self {
        Self::Indices(indices)
    }
}

impl From<usize> for Arg {
    /// # Panics
    /// When a size does not fit; memory ends before.
    fn from(size: usize) -> Self {
        Self::Size(u32::try_from(size).expect("gradiron: a size of more than 32 bits"))
    }
}

impl From<f32> for Arg {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

/// Blocks of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub blocks: usize,
    pub threads: usize,
}

/// Threads of most blocks.
pub(crate) const THREADS: usize = 256;

impl Grid {
    /// A thread for each of `count` elements.
    pub fn each(count: usize) -> Self {
        Self { blocks: count.div_ceil(THREADS), threads: THREADS }
    }

    /// A block for each of `count` rows.
    pub fn rows(count: usize) -> Self {
        Self { blocks: count, threads: THREADS }
    }

    /// `lanes` threads for each of `count` rows: one, a warp or a block.
    pub fn teams(count: usize, lanes: usize) -> Self {
        Self::each(count * lanes)
    }
}

/// The threads that share a row of `size` elements, `inner` apart. Neighbouring threads take
/// neighbouring elements.
pub(crate) fn lanes(size: usize, inner: usize) -> usize {
    match (inner, size) {
        (1, 0..=8) => 1,
        (1, 9..=1024) => 32,
        (1, _) => THREADS,
        _ => 1,
    }
}

/// The elements that a thread moves at once: 16 bytes of the narrowest argument, or half of that,
/// where all ranges are aligned and all `sizes` are multiples of it; else one.
pub(crate) fn at_once(args: &[Arg], sizes: &[usize]) -> usize {
    let places: Vec<_> = args.iter().map(Arg::place).collect();
    let bytes = |element: &Element| element.bytes();
    let most = 16 / places.iter().map(|(_, element)| bytes(element)).min().unwrap_or(4);
    let fits = |width: &usize| {
        let aligned =
            |(start, element): &(usize, Element)| start % (16 / bytes(element)).min(*width) == 0;
        places.iter().all(aligned) && sizes.iter().all(|size| size % width == 0)
    };
    [most, most / 2].into_iter().find(fits).unwrap_or(1)
}

/// The same for rows of `size` neighbours in ranges of which some may be empty.
pub(crate) fn width(size: usize, bufs: &[Buf]) -> usize {
    let full = bufs.iter().filter(|buf| buf.len > 0).map(|buf| Arg::Buf(*buf));
    at_once(&full.collect::<Vec<_>>(), &[size])
}

/// The elements of 16 bytes.
pub(crate) fn of_vector(buf: Buf) -> usize {
    16 / buf.element.bytes()
}

impl CudaKernels {
    /// A list without launches, of a step whose products are made of `factors`.
    pub(super) fn new(factors: Factors) -> Self {
        Self { factors, ..Self::default() }
    }

    /// What products are made of.
    pub(crate) fn factors(&self) -> Factors {
        self.factors
    }

    /// Memory for the next launches, until it is asked for again: the starts of parts of these
    /// lengths.
    pub(crate) fn scratch<const N: usize>(&mut self, lens: [usize; N]) -> [Arg; N] {
        let mut end = 0;
        let starts = lens.map(|len| {
            let start = end;
            end += len.next_multiple_of(64);
            Arg::Scratch(start)
        });
        self.side[0] = self.side[0].max(end);
        starts
    }

    /// Adds a launch. The types of arguments are those of their ranges: in the text, `y_t` is the
    /// type of the elements of the argument `y`, and `HALF` that of 16 bits.
    pub(crate) fn launch(&mut self, mut kernel: CudaKernel, grid: Grid, args: &[(&str, Arg)]) {
        if grid.blocks == 0 {
            return;
        }
        let _ = writeln!(kernel.defines, "typedef {} HALF;", self.factors.half());
        for (name, arg) in args {
            let element = match arg {
                Arg::Buf(Buf { element: Element::Half, .. }) => {
                    assert!(
                        kernel.text.contains(&format!("{name}_t")),
                        "gradiron: `{name}` of `{}` cannot be halves (a bug)",
                        kernel.function
                    );
                    "HALF"
                }
                Arg::Rounded(_) => "HALF",
                Arg::Buf(_) | Arg::Null | Arg::Scratch(_) | Arg::Address(_) => "float",
                _ => continue,
            };
            let _ = writeln!(kernel.defines, "typedef {element} {name}_t;");
        }
        let args = args.iter().map(|(_, arg)| *arg).collect();
        self.launches.push(Launch::Kernel { kernel, grid, args });
    }

    /// Adds a product, as part of the one before it where they are a batch. Factors are rounded
    /// first where they are floats and the step computes with halves.
    pub(crate) fn product(
        &mut self,
        product: Product,
        y: Buf,
        factors: [Buf; 2],
        bias: Option<Buf>,
    ) {
        let mut end = 0;
        let [a, b] = factors.map(|factor| self.factor(factor, &mut end));
        let bias = bias.map(|bias| match y.element {
            Element::Half => bias.halves_of_params(),
            Element::Float => bias,
        });
        if let (None, Some(Launch::Product { product: last, y: y0, a: a0, b: b0, bias: None })) =
            (bias, self.launches.last_mut())
            && let (Arg::Buf(a0), Arg::Buf(a), Arg::Buf(b0), Arg::Buf(b)) = (*a0, a, *b0, b)
            && let Some(batch) = last.joined(product, [(*y0, y), (a0, a), (b0, b)])
        {
            *last = batch;
            return;
        }
        self.launches.push(Launch::Product { product, y, a, b, bias });
    }

    /// A factor as the step's products take it; behind `end` where it has to be rounded.
    pub(crate) fn factor(&mut self, factor: Buf, end: &mut usize) -> Arg {
        if !self.factors.are_halves() || factor.element == Element::Half {
            return factor.into();
        }
        if factor.region == Region::Params {
            return factor.halves_of_params().into();
        }
        let rounded = self.rounded(factor.len, end);
        self.copy_as(rounded, factor.into(), factor.len);
        rounded
    }

    /// The place of so many halves behind `end`.
    pub(crate) fn rounded(&mut self, len: usize, end: &mut usize) -> Arg {
        let rounded = Arg::Rounded(*end);
        *end += floats_of_halves(len).next_multiple_of(64);
        self.side[1] = self.side[1].max(*end);
        rounded
    }

    /// Marks a place for a profile, where there is one.
    pub(super) fn mark(&mut self, mark: Mark) {
        if self.marked {
            self.launches.push(Launch::Mark(mark));
        }
    }

    /// The number of the next call that draws random numbers.
    pub(crate) fn draw(&mut self) -> u32 {
        self.draws += 1;
        self.draws - 1
    }
}

impl Kernels for CudaKernels {
    fn seed(&mut self, d_loss: Buf) {
        if !self.seed_scaled(d_loss) {
            self.fill(d_loss, 1.0);
        }
    }

    fn enter(&mut self, ops: &'static PassOps, n: Sizes) {
        self.mark(Mark::Enter(ops, n));
    }

    fn op(&mut self, number: usize) {
        self.mark(Mark::Op(number));
    }

    fn item(&mut self, number: usize) {
        self.mark(Mark::Item(number));
    }

    fn leave(&mut self) {
        self.mark(Mark::Leave);
    }

    fn finish<const N: usize>(&mut self, d_params: Buf, d_args: [Buf; N]) {
        self.unscale([d_params].into_iter().chain(d_args));
    }
}
