//! The gradient of the weight. Up to [`FEW`] outputs: sums of `d_y · x` with positions in the
//! lanes, over the runs of a [strip](super::strip). More: outer products with outputs in the lanes,
//! `d_w[c, u, v] += d_y[p] · x[c, p + (u, v)]`, of `d_y` transposed and padded rows of `x`. Both
//! keep a sum in each lane until all images of a part are done.

use super::strip::{MAX_KERNEL, Strip};
use super::{SLOTS, TERMS};
use crate::math::{MAX_LANES, Vector, by_level};
use crate::ops::conv2d::cpu::{Run, share};
use crate::ops::conv2d::{Conv2dSpec, max, min};
use crate::ops::matmul::pack::{Part, pack};
use crate::ops::{product, sum};

/// The most outputs for which lanes are positions.
const FEW: usize = 8;
/// The floats of all partial sums, unless one has more.
const PARTIAL: usize = 1 << 17;
/// The floats of transposed `d_y` at a time, unless one row of outputs has more.
const TRANSPOSED: usize = 4 << 10;
/// The most columns of a window whose sums stay in registers.
const COLUMNS: usize = 7;

const fn few(spec: &Conv2dSpec) -> bool {
    spec.out_channels <= FEW
}

/// Whether these sizes can be computed so.
pub(super) const fn fits(spec: &Conv2dSpec) -> bool {
    few(spec)
        || (spec.out_channels <= 2 * MAX_LANES
            && spec.kernel[1] <= COLUMNS
            && spec.dilation[1] == 1)
}

/// Whether it is faster than products.
pub(super) const fn pays(spec: &Conv2dSpec) -> bool {
    spec.window() <= TERMS
}

/// The strips of `x` that are read at a time.
const fn strip(spec: &Conv2dSpec) -> Strip {
    if few(spec) {
        return Strip::of(*spec);
    }
    // Rows of a 1×1 convolution are padded rows of `x`.
    let width = sum([spec.width, product([2, spec.padding[1]])]);
    let whole = Strip::of(Conv2dSpec {
        kernel: [spec.kernel[0], 1],
        stride: [spec.stride[0], 1],
        dilation: [spec.dilation[0], 1],
        ..*spec
    });
    assert!(width == whole.spec.out_width());
    let row = max(product([spec.out_width(), lanes(spec)]), 1);
    let strips = max(spec.out_height().div_ceil(max(TRANSPOSED / row, 1)), whole.count());
    Strip { rows: spec.out_height().div_ceil(max(strips, 1)), ..whole }
}

/// Outputs in whole registers.
const fn lanes(spec: &Conv2dSpec) -> usize {
    product([spec.out_channels.div_ceil(MAX_LANES), MAX_LANES])
}

/// The floats of a partial sum.
const fn partial_len(spec: &Conv2dSpec) -> usize {
    match few(spec) {
        true => product([spec.weight_len(), MAX_LANES]),
        false => product([spec.window(), lanes(spec)]),
    }
}

/// The floats that a part needs besides its sum.
const fn slice_len(spec: &Conv2dSpec) -> usize {
    let strip = strip(spec);
    let transposed = product([strip.rows, spec.out_width(), lanes(spec)]);
    sum([strip.len(), if few(spec) { 0 } else { transposed }])
}

/// Into how many parts the strips of all images are cut.
const fn parts(spec: &Conv2dSpec) -> usize {
    let most = min(max(PARTIAL / max(partial_len(spec), 1), 1), SLOTS);
    min(most, max(product([spec.batch, strip(spec).count()]), 1))
}

/// The floats of scratch.
pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    product([parts(spec), sum([partial_len(spec), slice_len(spec)])])
}

/// As much for all smaller planes and batches: with the transposed gradients of a strip, or of one
/// row.
pub(super) const fn most_scratch(spec: &Conv2dSpec) -> usize {
    let row = product([spec.out_width(), lanes(spec)]);
    let transposed = min(max(TRANSPOSED, row), product([row, spec.out_height()]));
    let slice = sum([strip(spec).most_len(), if few(spec) { 0 } else { transposed }]);
    let most = min(max(PARTIAL / max(partial_len(spec), 1), 1), SLOTS);
    let parts = min(most, max(product([spec.batch, spec.out_height()]), 1));
    product([parts, sum([partial_len(spec), slice])])
}

/// `d_w` from `d_y` and `x`.
pub(in crate::ops::conv2d) fn weight_grad(
    run: Run<'_>,
    d_w: &mut [f32],
    d_y: &[f32],
    x: &[f32],
    scratch: &mut [f32],
) {
    let (level, spec, strip) = (run.level, run.spec, strip(&run.spec));
    let (positions, image) = (spec.positions(), spec.in_channels * spec.height * spec.width);
    let (parts, sum, slice) = (parts(&spec), partial_len(&spec), slice_len(&spec));
    let len = sum + slice;
    let window_rows = strip.window_rows();
    let items = spec.batch * strip.count();
    run.threads.split(run.work(), &mut scratch[..parts * len], len, |part, floats| {
        let (sums, floats) = floats.split_at_mut(sum);
        let (floats, transposed) = floats.split_at_mut(strip.len());
        sums.fill(0.0);
        for item in share(items, part, parts) {
            let (n, i) = (item / strip.count(), item % strip.count());
            strip.fill(level, floats, &x[n * image..][..image], i);
            let (first, rows) = strip.outputs(i);
            let d_y = &d_y[n * spec.out_channels * positions..][..spec.out_channels * positions];
            let d_y = &d_y[first * spec.out_width()..];
            let sums = Sums {
                strip,
                spec,
                window_rows: &window_rows,
                x: floats,
                d_y,
                len: rows * spec.out_width(),
                sums: sums.as_mut_ptr(),
            };
            if few(&spec) {
                // SAFETY: `floats` is a filled strip, with a run of `len` for each tap, and `d_y`
                // has as many from `first` on of each output. `sums` has `MAX_LANES` for each
                // weight.
                by_level!(level, dots(sums => Sums<'_>));
            } else {
                let from = Part { data: d_y.as_ptr(), row: positions, col: 1 };
                let sizes = (spec.out_channels, sums.len);
                // SAFETY: `d_y` has `len` floats of each output, `positions` apart, and
                // `transposed` `lanes`, whole registers, for each position of a strip; a strip has
                // no more than the first.
                unsafe { pack(level, (transposed.as_mut_ptr(), lanes(&spec)), from, sizes) };
                let sums = Sums { d_y: transposed, ..sums };
                // SAFETY: `floats` is a filled strip, and `transposed` has whole registers of
                // outputs for each position. `sums` has as many for each tap.
                by_level!(level, outer_products(sums => Sums<'_>));
            }
        }
    });
    // The first part takes the others.
    let (first, others) = scratch.split_at_mut(len);
    let first = &mut first[..sum];
    for other in others[..(parts - 1) * len].chunks_exact(len) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    let [kh, kw] = spec.kernel;
    let window = spec.window();
    for (i, d_w) in d_w.iter_mut().enumerate() {
        let (o, c, u, v) = (i / window, i % window / (kh * kw), i / kw % kh, i % kw);
        *d_w = if few(&spec) {
            let tap = (v * spec.in_channels + c) * kh + u;
            first[(o * window + tap) * MAX_LANES..][..MAX_LANES].iter().sum()
        } else {
            first[((c * kh + u) * kw + v) * lanes(&spec) + o]
        };
    }
}

/// Adds one strip to the sums.
struct Sums<'a> {
    strip: Strip,
    spec: Conv2dSpec,
    window_rows: &'a [usize; MAX_KERNEL],
    x: &'a [f32],
    /// `[out, positions]`, or transposed `[len, lanes]`
    d_y: &'a [f32],
    /// The positions of the strip.
    len: usize,
    sums: *mut f32,
}

/// The most outputs and taps of a tile of [`dots`].
const OUTPUTS: usize = 4;
const TAPS: usize = 5;

/// `sums[o, (v, c, u)][lane] += Σ_p d_y[o][p] · x[(v, c), u][p]`
#[inline(always)]
unsafe fn dots<V: Vector, const ROWS: usize>(s: Sums<'_>) {
    let (outputs, window, kh) = (s.spec.out_channels, s.spec.window(), s.spec.kernel[0]);
    let most = if ROWS < OUTPUTS * 2 { 2 } else { OUTPUTS };
    let each = outputs.div_ceil(outputs.div_ceil(most));
    let taps_each = window.div_ceil(window.div_ceil(TAPS));
    for tap in (0..window).step_by(taps_each) {
        let taps = taps_each.min(window - tap);
        let mut runs = [s.x.as_ptr(); TAPS];
        for (t, run) in (tap..tap + taps).zip(&mut runs) {
            let at = t / kh * s.strip.pitch() + s.window_rows[t % kh];
            // SAFETY: the strip has a run for each tap, which starts inside of it.
            *run = unsafe { s.x.as_ptr().add(at) };
        }
        for o in (0..outputs).step_by(each) {
            macro_rules! by_tile {
                ($($outputs:literal: $($taps:literal)*;)*) => {
                    match (each.min(outputs - o), taps) {
                        $($(($outputs, $taps) if $outputs * 2 <= ROWS => {
                            dot_tile::<V, $outputs, $taps>(&s, o, tap, &runs);
                        })*)*
                        _ => unreachable!("a tile has at most {OUTPUTS}×{TAPS} sums"),
                    }
                };
            }
            // SAFETY: outputs `o..` and taps `tap..` are as many as the literals that were matched,
            // below those of the weights; the caller lends their runs and sums, and has the
            // instruction set of `V`.
            unsafe {
                by_tile! { 1: 1 2 3 4 5; 2: 1 2 3 4 5; 3: 1 2 3 4 5; 4: 1 2 3 4 5; }
            }
        }
    }
}

#[inline(always)]
unsafe fn dot_tile<V: Vector, const OUTPUTS: usize, const TAPS: usize>(
    s: &Sums<'_>,
    o: usize,
    tap: usize,
    runs: &[*const f32; self::TAPS],
) {
    // SAFETY: the caller lends `len` floats of each of these outputs and runs, which are read in
    // whole registers up to `whole` and behind it by a mask, and `MAX_LANES` sums for each of their
    // weights.
    unsafe {
        let (positions, window) = (s.spec.positions(), s.spec.window());
        let d_y = s.d_y.as_ptr().add(o * positions);
        let to = s.sums.add((o * window + tap) * MAX_LANES);
        let mut sums = [[V::splat(0.0); TAPS]; OUTPUTS];
        let whole = s.len / V::LANES * V::LANES;
        for p in (0..whole).step_by(V::LANES) {
            let mut x = [V::splat(0.0); TAPS];
            for (x, run) in x.iter_mut().zip(runs) {
                *x = V::load(run.add(p));
            }
            for (o, sums) in sums.iter_mut().enumerate() {
                let d = V::load(d_y.add(o * positions + p));
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = sum.add_product(d, x);
                }
            }
        }
        if whole < s.len {
            let mask = V::mask(s.len - whole);
            let mut x = [V::splat(0.0); TAPS];
            for (x, run) in x.iter_mut().zip(runs) {
                *x = V::load_part(run.add(whole), mask);
            }
            for (o, sums) in sums.iter_mut().enumerate() {
                let d = V::load_part(d_y.add(o * positions + whole), mask);
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = sum.add_product(d, x);
                }
            }
        }
        for (o, sums) in sums.iter().enumerate() {
            for (t, sum) in sums.iter().enumerate() {
                let to = to.add((o * window + t) * MAX_LANES);
                V::load(to).add(*sum).store(to);
            }
        }
    }
}

/// `sums[(c, u), v][o] += Σ_p d_y[p][o] · x[c, u][p at v]`
#[inline(always)]
unsafe fn outer_products<V: Vector, const ROWS: usize>(s: Sums<'_>) {
    macro_rules! by_columns {
        ($($columns:literal: $wide:literal $narrow:literal;)*) => {
            match s.spec.kernel[1] {
                $($columns if ROWS > 8 => columns::<V, $wide, $columns>(s),
                  $columns => columns::<V, $narrow, $columns>(s),)*
                _ => unreachable!("a window has at most {COLUMNS} columns"),
            }
        };
    }
    // SAFETY: the literal that was matched is the number of columns, and the caller lends the
    // strip, transposed outputs and sums; it has the instruction set of `V`.
    unsafe {
        by_columns! { 1: 8 8; 2: 6 6; 3: 4 4; 4: 4 3; 5: 5 2; 6: 4 2; 7: 3 1; }
    }
}

#[inline(always)]
unsafe fn columns<V: Vector, const LINES: usize, const COLUMNS: usize>(s: Sums<'_>) {
    let (kh, lanes) = (s.spec.kernel[0], lanes(&s.spec));
    let (width, stride) = (s.strip.spec.out_width(), s.spec.stride[1]);
    let lines = s.spec.in_channels * kh;
    let out_width = s.spec.out_width();
    for line in (0..lines).step_by(LINES) {
        let mut starts = [0; LINES];
        for (i, start) in starts.iter_mut().enumerate() {
            // Sums beyond the last line are not kept.
            let line = (line + i).min(lines - 1);
            *start = line / kh * s.strip.pitch() + s.window_rows[line % kh];
        }
        for o in (0..s.spec.out_channels).step_by(V::LANES) {
            // SAFETY: `len` is whole rows of `out_width` positions, each with whole registers of
            // outputs in `d_y`; a line of the strip has a window of `COLUMNS` for each of them.
            // Sums have whole registers for each tap, and are kept for lines that exist. The caller
            // has the instruction set of `V`.
            unsafe {
                let mut sums = [[V::splat(0.0); COLUMNS]; LINES];
                let mut d_y = s.d_y.as_ptr().add(o);
                for i in 0..s.len / out_width {
                    let mut x = s.x.as_ptr().add(i * width);
                    for _ in 0..out_width {
                        let d = V::load(d_y);
                        for (sums, &start) in sums.iter_mut().zip(&starts) {
                            for (v, sum) in sums.iter_mut().enumerate() {
                                *sum = sum.add_product(V::splat(*x.add(start + v)), d);
                            }
                        }
                        x = x.add(stride);
                        d_y = d_y.add(lanes);
                    }
                }
                let to = s.sums.add(line * COLUMNS * lanes + o);
                for (i, sums) in sums.iter().enumerate().take(lines - line) {
                    for (v, sum) in sums.iter().enumerate() {
                        let to = to.add((i * COLUMNS + v) * lanes);
                        V::load(to).add(*sum).store(to);
                    }
                }
            }
        }
    }
}
