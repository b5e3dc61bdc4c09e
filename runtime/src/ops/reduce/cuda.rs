//! Reductions on a GPU: in one kernel, or where there are few results, of parts first and then of
//! the parts' results.

use super::{Reduce, ReduceKind, ReduceSpec};
use crate::device::{Arg, Buf, CudaKernels, Grid, THREADS, Text, place, width};

const TEXT: Text = Text { room: "reduce", text: include_str!("kernels.cu") };

/// Elements of a part, at least.
const PART: usize = 1 << 12;
/// Blocks that keep a GPU busy.
const BLOCKS: usize = 1024;
/// Vectors of results that a block of `columns` takes.
const COLUMNS: usize = 32;

/// A reduction of `x` to `results` of `reduced` elements each.
struct Reduction {
    kind: ReduceKind,
    /// The places of results and of elements, in C.
    places: [String; 2],
    results: usize,
    reduced: usize,
    /// Whether neighbours are reduced.
    rows: bool,
    /// Neighbours that a thread loads at once.
    width: usize,
}

impl Reduction {
    /// The elements of a part.
    fn chunk(&self, splits: usize) -> usize {
        self.reduced.div_ceil(splits).next_multiple_of(if self.rows { self.width } else { 1 })
    }
}

impl CudaKernels {
    fn reduce_to(&mut self, y: Arg, x: Arg, of: &Reduction, scale: f32, splits: usize) {
        let Reduction { results, reduced, .. } = *of;
        let [kept, behind] = &of.places;
        let kind = match of.kind {
            ReduceKind::Sum => 0,
            ReduceKind::Max => 1,
            ReduceKind::Min => 2,
        };
        let (chunk, width) = (of.chunk(splits), of.width);
        let kernel = TEXT.kernel(if of.rows { "rows" } else { "columns" }).with("KIND", kind);
        let kernel = kernel.with("KEPT(o)", format!("({kept})")).with("WIDTH", width);
        let kernel = kernel.with("REDUCED(r)", format!("({behind})"));
        let (kernel, grid, last) = if of.rows {
            let lanes = match chunk / width {
                0..=8 => 1,
                9..=512 => 32,
                _ => THREADS,
            };
            let teams = results * splits;
            (kernel.with("LANES", lanes), Grid::teams(teams, lanes), ("count", teams.into()))
        } else {
            let blocks = results.div_ceil(COLUMNS * width);
            (kernel, Grid::rows(blocks * splits), ("blocks", blocks.into()))
        };
        let args = [
            ("y", y),
            ("x", x),
            ("scale", scale.into()),
            ("results", results.into()),
            ("reduced", reduced.into()),
            ("chunk", chunk.into()),
            last,
        ];
        self.launch(kernel, grid, &args);
    }
}

impl Reduce for CudaKernels {
    fn reduce<const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>) {
        let (results, reduced) = (spec.output_len(), spec.reduced_len());
        // The axes that are kept, and the others: sizes and distances.
        let (mut axes, mut distance, mut last) = ([Vec::new(), Vec::new()], 1, None);
        for axis in (0..R).rev().filter(|axis| spec.dims[*axis] != 1) {
            let which = usize::from(!spec.kept[axis]);
            match axes[which].last_mut() {
                // Neighbours of one kind are one axis.
                Some((size, _)) if last == Some(which) => *size *= spec.dims[axis],
                _ => axes[which].push((spec.dims[axis], distance)),
            }
            distance *= spec.dims[axis];
            last = Some(which);
        }
        let rows = axes[1].first().is_some_and(|(_, distance)| *distance == 1);
        let neighbours = axes[usize::from(rows)].first().map_or(1, |(size, _)| *size);
        let width = width(neighbours, &[x]);
        axes.iter_mut().for_each(|axes| axes.reverse());
        let places = [place("o", &axes[0]), place("r", &axes[1])]
            .map(|place| place.replace('o', "(o)").replace('r', "(r)"));
        let of = Reduction { kind: spec.kind, places, results, reduced, rows, width };
        // Parts, where results alone are too few to keep the GPU busy.
        let blocks = if rows { results } else { results.div_ceil(COLUMNS * width) };
        let elements = if rows { PART } else { PART / COLUMNS };
        let splits = reduced.div_ceil(elements).min(BLOCKS.div_ceil(blocks.max(1))).max(1);
        if splits == 1 {
            return self.reduce_to(y.into(), x.into(), &of, spec.scale, 1);
        }
        // Without the parts that would be empty.
        let splits = reduced.div_ceil(of.chunk(splits));
        let [parts] = self.scratch([splits * results]);
        self.reduce_to(parts, x.into(), &of, 1.0, splits);
        let places = ["(o)".into(), format!("(r) * {results}")];
        let width = if results.is_multiple_of(4) { 4 } else { 1 };
        let of =
            Reduction { kind: spec.kind, places, results, reduced: splits, rows: false, width };
        self.reduce_to(y.into(), parts, &of, spec.scale, 1);
    }
}
