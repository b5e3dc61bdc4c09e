//! Folding rows and columns in a fixed order with short chains.

/// What is folded: an associative operation with its neutral element.
pub(crate) trait Fold {
    const NEUTRAL: f32;
    fn fold(a: f32, b: f32) -> f32;
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
}

impl Fold for Max {
    const NEUTRAL: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn fold(a: f32, b: f32) -> f32 {
        // NaN, once there, stays: no comparison with it holds.
        if b > a || b.is_nan() { b } else { a }
    }
}

impl Fold for Min {
    const NEUTRAL: f32 = f32::INFINITY;
    #[inline(always)]
    fn fold(a: f32, b: f32) -> f32 {
        if b < a || b.is_nan() { b } else { a }
    }
}

/// Numbers in one chain.
pub(crate) const CHAIN: usize = 128;
const LANES: usize = 64;

/// Three levels of results: each is carried up after [`CHAIN`] entries.
pub(crate) struct Levels {
    level: [f32; 3],
    count: [usize; 2],
}

impl Levels {
    #[inline(always)]
    pub fn new<F: Fold>() -> Self {
        Self { level: [F::NEUTRAL; 3], count: [0; 2] }
    }

    #[inline(always)]
    pub fn push<F: Fold>(&mut self, value: f32) {
        self.level[0] = F::fold(self.level[0], value);
        self.count[0] += 1;
        if self.count[0] == CHAIN {
            self.level[1] = F::fold(self.level[1], self.level[0]);
            self.level[0] = F::NEUTRAL;
            self.count[0] = 0;
            self.count[1] += 1;
            if self.count[1] == CHAIN {
                self.level[2] = F::fold(self.level[2], self.level[1]);
                self.level[1] = F::NEUTRAL;
                self.count[1] = 0;
            }
        }
    }

    #[inline(always)]
    pub fn finish<F: Fold>(&self) -> f32 {
        F::fold(F::fold(self.level[2], self.level[1]), self.level[0])
    }
}

/// Folds neighbouring numbers.
#[inline(always)]
pub(crate) fn fold_row<F: Fold>(x: &[f32]) -> f32 {
    if x.len() < LANES {
        return fold_short::<F>(x);
    }
    let mut levels = Levels::new::<F>();
    for block in x.chunks(LANES * CHAIN / 4) {
        let mut lanes = [F::NEUTRAL; LANES];
        let pieces = block.chunks_exact(LANES);
        let rest = fold_short::<F>(pieces.remainder());
        for piece in pieces {
            for (lane, x) in lanes.iter_mut().zip(piece) {
                *lane = F::fold(*lane, *x);
            }
        }
        levels.push::<F>(F::fold(fold_lanes::<F, LANES>(lanes), rest));
    }
    levels.finish::<F>()
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

/// `y[j]` folds `x[i · row + j]` over `rows`, for at most [`COLUMNS`] columns.
#[inline(always)]
pub(crate) fn fold_columns<F: Fold>(y: &mut [f32], x: &[f32], row: usize, rows: usize) {
    let mut levels = [[F::NEUTRAL; COLUMNS]; 3];
    let cols = y.len();
    for i in 0..rows {
        let x = &x[i * row..][..cols];
        if cols == COLUMNS {
            // The same loop with a length that the compiler knows.
            for (sum, x) in levels[0].iter_mut().zip(&x[..COLUMNS]) {
                *sum = F::fold(*sum, *x);
            }
        } else {
            for (sum, x) in levels[0].iter_mut().zip(x) {
                *sum = F::fold(*sum, *x);
            }
        }
        if (i + 1) % CHAIN == 0 {
            carry::<F>(&mut levels, 0);
            if (i + 1) % (CHAIN * CHAIN) == 0 {
                carry::<F>(&mut levels, 1);
            }
        }
    }
    carry::<F>(&mut levels, 0);
    carry::<F>(&mut levels, 1);
    y.copy_from_slice(&levels[2][..cols]);
}

#[inline(always)]
fn carry<F: Fold>(levels: &mut [[f32; COLUMNS]; 3], from: usize) {
    let (lower, upper) = levels.split_at_mut(from + 1);
    for (to, from) in upper[0].iter_mut().zip(&mut lower[from]) {
        *to = F::fold(*to, *from);
        *from = F::NEUTRAL;
    }
}
