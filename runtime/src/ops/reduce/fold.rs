//! Folding rows and columns in a fixed order: in `f32` for short chains, whose results are carried
//! in `f64`, so that the error of a sum does not grow with its length.

/// What is folded: an associative operation with its neutral element.
pub(crate) trait Fold {
    const NEUTRAL: f32;
    fn fold(a: f32, b: f32) -> f32;
    /// The same of what is carried.
    fn join(a: f64, b: f64) -> f64;
}

pub(crate) struct Sum;
pub(crate) struct Max;
pub(crate) struct Min;

impl Fold for Sum {
    const NEUTRAL: f32 = 0.0;
    #[inline(always)]
    fn fold(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        a + b
    }
}

impl Fold for Max {
    const NEUTRAL: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn fold(a: f32, b: f32) -> f32 {
        // NaN, once there, stays: no comparison with it holds.
        if b > a || b.is_nan() { b } else { a }
    }
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        if b > a || b.is_nan() { b } else { a }
    }
}

impl Fold for Min {
    const NEUTRAL: f32 = f32::INFINITY;
    #[inline(always)]
    fn fold(a: f32, b: f32) -> f32 {
        if b < a || b.is_nan() { b } else { a }
    }
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        if b < a || b.is_nan() { b } else { a }
    }
}

/// Numbers that are folded one after another in `f32`.
pub(crate) const CHAIN: usize = 16;
const LANES: usize = 64;

/// Folds neighbouring numbers.
#[inline(always)]
pub(crate) fn fold_row<F: Fold>(x: &[f32]) -> f64 {
    if x.len() < LANES {
        return f64::from(fold_short::<F>(x));
    }
    let mut total = f64::from(F::NEUTRAL);
    for block in x.chunks(LANES * CHAIN) {
        let mut lanes = [F::NEUTRAL; LANES];
        let pieces = block.chunks_exact(LANES);
        let rest = fold_short::<F>(pieces.remainder());
        for piece in pieces {
            for (lane, x) in lanes.iter_mut().zip(piece) {
                *lane = F::fold(*lane, *x);
            }
        }
        total = F::join(total, f64::from(F::fold(fold_lanes::<F, LANES>(lanes), rest)));
    }
    total
}

#[inline(always)]
fn fold_lanes<F: Fold, const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut width = N / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = F::fold(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Fewer than [`LANES`] numbers.
#[inline(always)]
fn fold_short<F: Fold>(x: &[f32]) -> f32 {
    let mut lanes = [F::NEUTRAL; 8];
    let pieces = x.chunks_exact(8);
    let rest = pieces.remainder();
    for piece in pieces {
        for (lane, x) in lanes.iter_mut().zip(piece) {
            *lane = F::fold(*lane, *x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = F::fold(*lane, *x);
    }
    fold_lanes::<F, 8>(lanes)
}

/// Columns that are folded together.
pub(crate) const COLUMNS: usize = 64;

/// `y[j]` folds `x[i · row + j]` over `rows`, times `scale`, for at most [`COLUMNS`] columns.
#[inline(always)]
pub(crate) fn fold_columns<F: Fold>(y: &mut [f32], x: &[f32], row: usize, rows: usize, scale: f32) {
    let (mut totals, cols) = ([f64::from(F::NEUTRAL); COLUMNS], y.len());
    for from in (0..rows).step_by(CHAIN) {
        let mut chain = [F::NEUTRAL; COLUMNS];
        for i in from..rows.min(from + CHAIN) {
            let x = &x[i * row..][..cols];
            if cols == COLUMNS {
                // The same loop with a length that the compiler knows.
                for (folded, x) in chain.iter_mut().zip(&x[..COLUMNS]) {
                    *folded = F::fold(*folded, *x);
                }
            } else {
                for (folded, x) in chain.iter_mut().zip(x) {
                    *folded = F::fold(*folded, *x);
                }
            }
        }
        for (total, folded) in totals.iter_mut().zip(&chain) {
            *total = F::join(*total, f64::from(*folded));
        }
    }
    for (y, total) in y.iter_mut().zip(&totals) {
        *y = (total * f64::from(scale)) as f32;
    }
}

/// Sums of [`COLUMNS`] columns, carried in `f64` after [`CHAIN`] rows.
pub(crate) struct ColumnSums {
    chain: [f32; COLUMNS],
    totals: [f64; COLUMNS],
    rows: usize,
}

impl ColumnSums {
    #[inline(always)]
    pub fn new() -> Self {
        Self { chain: [0.0; COLUMNS], totals: [0.0; COLUMNS], rows: 0 }
    }

    /// What the next row is added to.
    #[inline(always)]
    pub fn next_row(&mut self) -> &mut [f32; COLUMNS] {
        if self.rows == CHAIN {
            self.carry();
        }
        self.rows += 1;
        &mut self.chain
    }

    #[inline(always)]
    fn carry(&mut self) {
        for (total, sum) in self.totals.iter_mut().zip(&mut self.chain) {
            *total += f64::from(*sum);
            *sum = 0.0;
        }
        self.rows = 0;
    }

    #[inline(always)]
    pub fn finish(mut self) -> [f32; COLUMNS] {
        self.carry();
        self.totals.map(|total| total as f32)
    }
}
