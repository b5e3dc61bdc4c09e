//! What an output of a convolution does not see does not reach it: one value that is not finite or
//! huge, at each place; windows and taps of zeros; and how far the values of a tile may be apart.

use std::collections::BTreeMap;

use gradiron::device::Buf;
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec, Pass};

use crate::any::{AnyKernels, convolve_by};
use crate::conv2d::{bound, lens, reference, terms};
use crate::harness::*;

const VALUES: [f32; 5] = [f32::INFINITY, f32::NAN, -1e6, 3e37, 200.0];

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows];

/// Small planes, with every padding; ragged tiles, several strips, several groups of channels.
fn specs() -> Vec<Conv2dSpec> {
    let new = Conv2dSpec::new;
    let padded = |padding: [usize; 2], spec: Conv2dSpec| Conv2dSpec { padding, ..spec };
    vec![
        padded([1, 1], new(1, [16, 17], [5, 6], [3, 3])),
        new(1, [17, 33], [6, 7], [3, 3]),
        padded([2, 2], new(1, [16, 16], [5, 3], [3, 3])),
        padded([1, 1], new(1, [70, 20], [4, 8], [3, 3])),
        padded([1, 1], new(1, [16, 16], [1, 2], [3, 3])),
        padded([1, 1], new(1, [3, 5], [5, 6], [3, 3])),
        Conv2dSpec { stride: [2, 2], ..padded([1, 1], new(1, [16, 18], [6, 5], [3, 3])) },
    ]
}

/// Runs a pass by each algorithm, and by the one that is chosen.
fn run(pass: Pass, spec: Conv2dSpec, [a, b]: [&[f32]; 2], check: impl Fn(&str, bool, &[f32])) {
    let forms = ALGORITHMS.into_iter().filter(|&algorithm| spec.fits(pass, algorithm));
    for algorithm in forms.map(Some).chain([None]) {
        let scratch = algorithm.map_or(spec.scratch(pass), |a| spec.scratch_of(pass, a));
        let call = |step: &mut AnyKernels<'_>, y: &[Buf], x: &[Buf], scratch: Buf| {
            if let Some(algorithm) = algorithm {
                convolve_by(step, algorithm);
            }
            step.conv2d(pass, y[0], [x[0], x[1]], scratch, spec);
        };
        let winograd = algorithm.unwrap_or(spec.algorithm(pass)) == Algorithm::Winograd;
        let outputs = &[lens(pass, spec)[0]];
        Call { outputs, inputs: &[a, b], indices: &[], scratch }.run(call, |level, y| {
            check(&format!("{pass:?} {algorithm:?} {spec:?} {level}"), winograd, &y[0]);
        });
    }
    if pass == Pass::Forward {
        let outputs = &[spec.output_len(), spec.prepared_len()];
        let scratch = spec.prepared_scratch();
        Call { outputs, inputs: &[a, b], indices: &[], scratch }.run(
            |step, y, x, scratch| {
                step.conv2d_prepare(y[1], x[1], spec);
                step.conv2d_prepared(y[0], x[0], [x[1], y[1]], scratch, spec);
            },
            |level, y| check(&format!("prepared {spec:?} {level}"), true, &y[0]),
        );
    }
}

/// The result and the sum of absolute products.
fn wanted(pass: Pass, spec: Conv2dSpec, [a, b]: [&[f32]; 2]) -> [Vec<f64>; 2] {
    let (a, b) = (wide(a), wide(b));
    let (mut want, mut size) = (vec![0.0; lens(pass, spec)[0]], vec![0.0; lens(pass, spec)[0]]);
    reference(pass, &mut want, [&a, &b], spec);
    reference(pass, &mut size, [&abs(&a), &abs(&b)], spec);
    [want, size]
}

/// A pass whose results lie in planes, and the planes that they are made of.
#[derive(Clone, Copy)]
struct Planes {
    pass: Pass,
    spec: Conv2dSpec,
    from: [usize; 3],
    to: [usize; 3],
    margin: [usize; 2],
}

impl Planes {
    fn new(pass: Pass, spec: Conv2dSpec) -> Self {
        let x = [spec.in_channels, spec.height, spec.width];
        let y = [spec.out_channels, spec.out_height(), spec.out_width()];
        match pass {
            Pass::Forward => Self { pass, spec, from: x, to: y, margin: spec.padding },
            _ => Self { pass, spec, from: y, to: x, margin: spec.padding.map(|p| 2 - p.min(2)) },
        }
    }

    /// Whether a tile of outputs keeps the promise, and the largest value of its inputs: the room's
    /// rule, from its words.
    fn tile(&self, x: &[f32], image: usize, [i, j]: [usize; 2]) -> (bool, f64) {
        let [channels, height, width] = self.from;
        let largest = |top: usize, left: usize, side: usize| {
            let mut most = 0.0_f64;
            for c in 0..channels {
                for row in (top..top + side).filter_map(|r| r.checked_sub(self.margin[0])) {
                    for col in (left..left + side).filter_map(|c| c.checked_sub(self.margin[1])) {
                        if row < height && col < width {
                            let x = x[((image * channels + c) * height + row) * width + col];
                            let size = f64::from(x.abs());
                            most = if size.is_nan() { f64::INFINITY } else { most.max(size) };
                        }
                    }
                }
            }
            most
        };
        let most = largest(4 * i, 4 * j, 6);
        let mut least = f64::INFINITY;
        for row in 4 * i..self.to[1].min(4 * i + 4) {
            for col in 4 * j..self.to[2].min(4 * j + 4) {
                least = least.min(largest(row, col, 3));
            }
        }
        (most == 0.0 || (most <= 1e12 && most <= 16.0 * least), most)
    }

    /// Checks every output of planes `x`.
    fn check(&self, x: &[f32], w: &[f32]) {
        let Self { pass, spec, to, .. } = *self;
        let [want, size] = wanted(pass, spec, [x, w]);
        let fits = spec.fits(pass, Algorithm::Winograd);
        let tiles = [to[1].div_ceil(4), to[2].div_ceil(4)];
        let kept: Vec<(bool, f64)> = (0..spec.batch * tiles[0] * tiles[1])
            .filter(|_| fits)
            .map(|tile| {
                let (image, tile) = (tile / (tiles[0] * tiles[1]), tile % (tiles[0] * tiles[1]));
                self.tile(x, image, [tile / tiles[1], tile % tiles[1]])
            })
            .collect();
        run(pass, spec, [x, w], |name, winograd, got| {
            assert_close(name, got, &want, |i| {
                let plain = (terms(pass, spec) + 2) as f64 * EPSILON * size[i];
                if size[i] == 0.0 || !winograd || !fits {
                    return plain;
                }
                let (image, at) = (i / to.iter().product::<usize>(), i % (to[1] * to[2]));
                let (row, col) = (at / to[2], at % to[2]);
                let (kept, most) = kept[(image * tiles[0] + row / 4) * tiles[1] + col / 4];
                if kept { most * bound(pass, spec, i) } else { plain }
            });
            for (i, &y) in got.iter().enumerate() {
                assert!(size[i] != 0.0 || y == 0.0, "{name}: element {i} is {y:e}, not 0");
            }
        });
    }
}

/// An image for each place of a plane, with `value` at that place of one channel.
fn with_a_pixel_each(
    planes: Planes,
    value: f32,
    background: bool,
    rng: &mut Rng,
) -> (Conv2dSpec, Vec<f32>) {
    let [channels, height, width] = planes.from;
    let count = height * width;
    let mut x = rng.floats(count * channels * count);
    if !background {
        x.fill(0.0);
    }
    for place in 0..count {
        x[(place * channels + place % channels) * count + place] = value;
    }
    (Conv2dSpec { batch: count, ..planes.spec }, x)
}

/// Whether case `number` is taken: builds with debug assertions run often and take a fifth, those
/// without, as in `scripts/full-check.sh`, take all.
fn is_taken(number: usize) -> bool {
    !cfg!(debug_assertions) || number.is_multiple_of(5)
}

/// One value among others, or alone, reaches the outputs whose window holds it.
#[test]
fn pixels() {
    let mut number = 0;
    for spec in specs() {
        for pass in [Pass::Forward, Pass::InputGrad] {
            for value in VALUES.into_iter().chain([1.0, 1e-30]) {
                for background in [true, false] {
                    if !background && value.abs() > 1.0 {
                        continue;
                    }
                    number += 1;
                    if !is_taken(number) {
                        continue;
                    }
                    let mut rng = Rng(5);
                    let planes = Planes::new(pass, spec);
                    let (spec, x) = with_a_pixel_each(planes, value, background, &mut rng);
                    let w = rng.floats(spec.weight_len());
                    Planes { spec, ..planes }.check(&x, &w);
                }
            }
        }
    }
}

/// A plane of some zeros, and of values that fade.
#[test]
fn fading_planes() {
    for base in specs() {
        for pass in [Pass::Forward, Pass::InputGrad] {
            for [height, width] in [[9, 10], [23, 21]] {
                let spec = Conv2dSpec { batch: 3, height, width, ..base };
                let mut rng = Rng(9);
                let planes = Planes::new(pass, spec);
                let [channels, height, width] = planes.from;
                let plane = height * width;
                let mut x = rng.floats(spec.batch * channels * plane);
                for (i, x) in x.iter_mut().enumerate() {
                    let (row, col) = (i % plane / width, i % width);
                    match i / (channels * plane) {
                        0 => *x *= (-1.5 * (row + col) as f32).exp2(),
                        1 if row * 2 < height || col == 3 => *x = 0.0,
                        _ => *x *= 1e20 * (-9.0 * row as f32).exp2(),
                    }
                }
                planes.check(&x, &rng.floats(spec.weight_len()));
            }
        }
    }
}

/// The gradient of the weight from one huge value, or one that is not finite, on either side, among
/// others or alone.
#[test]
fn weight_gradients() {
    let mut number = 0;
    for (n, spec) in specs().into_iter().enumerate() {
        for (side, value) in [0, 1].into_iter().flat_map(|side| VALUES.map(|value| (side, value))) {
            let mut rng = Rng(6);
            let mut sides = [rng.floats(spec.output_len()), rng.floats(spec.input_len())];
            let [channels, height, width] = match side {
                0 => [spec.out_channels, spec.out_height(), spec.out_width()],
                _ => [spec.in_channels, spec.height, spec.width],
            };
            if value == 200.0 {
                sides[side].fill(0.0);
            }
            let before = sides[side].clone();
            // All places of one kind of planes; else the corners, and some between.
            let places = height * width;
            for place in (0..places).filter(|at| n == 0 || at % 7 == 0 || at + 1 == places) {
                number += 1;
                if !is_taken(number) {
                    continue;
                }
                sides[side].copy_from_slice(&before);
                sides[side][place % channels * places + place] = value;
                check_weight_gradient(spec, [&sides[0], &sides[1]]);
            }
        }
    }
}

/// Whether the gradient of the weight keeps the promise: the room's rule, from its words.
fn weight_gradient_kept(spec: Conv2dSpec, [d_y, x]: [&[f32]; 2]) -> bool {
    // The larger of two, a NaN if one is.
    let larger = |a: f64, b: f64| {
        if a.is_nan() {
            a
        } else if b.is_nan() {
            b
        } else {
            a.max(b)
        }
    };
    let largest = |planes: &[f32], of: [usize; 4], row: usize, col: usize| {
        let [image, channels, height, width] = of;
        let at = |c: usize| ((image * channels + c) * height + row) * width + col;
        let channels = if row < height && col < width { 0..channels } else { 0..0 };
        channels.map(|c| f64::from(planes[at(c)].abs())).fold(0.0, larger)
    };
    let (mut tiles, mut taps) = (0.0, [0.0; 9]);
    for image in 0..spec.batch {
        let of_y = [image, spec.out_channels, spec.out_height(), spec.out_width()];
        let of_x = [image, spec.in_channels, spec.height, spec.width];
        let x_at = |row: usize, col: usize| {
            let [row, col] = [row.checked_sub(spec.padding[0]), col.checked_sub(spec.padding[1])];
            row.zip(col).map_or(0.0, |(row, col)| largest(x, of_x, row, col))
        };
        for tile_row in (0..spec.out_height()).step_by(4) {
            for tile_col in (0..spec.out_width()).step_by(4) {
                let mut most = [0.0_f64; 2];
                for (row, col) in (0..6).flat_map(|row| (0..6).map(move |col| (row, col))) {
                    let x = x_at(tile_row + row, tile_col + col);
                    most[0] = larger(most[0], x);
                    if row >= 4 || col >= 4 {
                        continue;
                    }
                    let d_y = largest(d_y, of_y, tile_row + row, tile_col + col);
                    most[1] = larger(most[1], d_y);
                    for (tap, sum) in taps.iter_mut().enumerate() {
                        *sum += d_y * x_at(tile_row + row + tap / 3, tile_col + col + tap % 3);
                    }
                }
                let moderate = most.iter().all(|&size| size <= 1e12);
                tiles += if moderate { most[0] * most[1] } else { f64::NAN };
            }
        }
    }
    taps.iter().all(|&tap| tiles <= 4.0 * tap)
}

/// Replaces by what is wanted each NaN that may come from padding: zeros, which may be multiplied
/// with a factor that is not finite, or left out.
fn without_padding(got: &[f32], want: &[f64], meets: impl Fn(usize) -> bool) -> Vec<f32> {
    let pairs = got.iter().zip(want).enumerate();
    pairs.map(|(i, (&y, &want))| if y.is_nan() && meets(i) { want as f32 } else { y }).collect()
}

/// Checks the gradient of the weight: with the bound of plain sums where the promise is not kept.
fn check_weight_gradient(spec: Conv2dSpec, sides: [&[f32]; 2]) {
    let pass = Pass::WeightGrad;
    let [want, size] = wanted(pass, spec, sides);
    // Where a tap meets padding beside an output gradient that is not finite.
    let of_y = [spec.out_height(), spec.out_width()];
    let meets = |i: usize| {
        let tap = [i % 9 / 3, i % 3];
        let mut d_y = sides[0].iter().enumerate().filter(|(_, d_y)| !d_y.is_finite());
        d_y.any(|(place, _)| {
            let place = [place / of_y[1] % of_y[0], place % of_y[1]];
            let inside = |axis: usize, size: usize| {
                let at = place[axis] * spec.stride[axis] + tap[axis];
                (spec.padding[axis]..size + spec.padding[axis]).contains(&at)
            };
            !inside(0, spec.height) || !inside(1, spec.width)
        })
    };
    let most = |x: &[f32]| x.iter().fold(0.0_f64, |a, &x| a.max(f64::from(x.abs())));
    let most = most(sides[0]) * most(sides[1]);
    let kept = spec.fits(pass, Algorithm::Winograd) && weight_gradient_kept(spec, sides);
    run(pass, spec, sides, |name, winograd, got| {
        let got = &without_padding(got, &want, meets);
        assert_close(name, got, &want, |i| match winograd && kept && size[i] != 0.0 {
            true => most * bound(pass, spec, i),
            false => (terms(pass, spec) + 2) as f64 * EPSILON * size[i],
        });
        for (i, &y) in got.iter().enumerate() {
            assert!(size[i] != 0.0 || y == 0.0, "{name}: element {i} is {y:e}, not 0");
        }
    });
}

/// Weights that are masked let nothing through: neither a value nor a gradient.
#[test]
fn masked_weights() {
    let spec = Conv2dSpec { padding: [1, 1], ..Conv2dSpec::new(1, [18, 18], [13, 14], [3, 3]) };
    let mut rng = Rng(8);
    for by_channel in [false, true] {
        let mut w = rng.floats(spec.weight_len());
        for (i, w) in w.iter_mut().enumerate() {
            let (output, input, tap) = (i / 9 / 18, i / 9 % 18, i % 9);
            let hidden = tap > 4 || (by_channel && tap == 4 && output / 6 < input / 6);
            if hidden {
                *w = 0.0;
            }
        }
        let x = rng.floats(spec.input_len());
        let mut later = x.clone();
        let (row, col) = (6, 7);
        for (i, x) in later.iter_mut().enumerate() {
            let place = i % (13 * 14);
            if place > row * 14 + col
                || (by_channel && place == row * 14 + col && i / (13 * 14) >= 6)
            {
                *x = 1e3 * (*x + 2.0);
            }
        }
        let results = [&x, &later].map(|x| {
            let all = std::cell::RefCell::new(BTreeMap::new());
            run(Pass::Forward, spec, [x, &w], |name, _, y| {
                all.borrow_mut().insert(name.to_string(), y.to_vec());
            });
            all.into_inner()
        });
        // Where a sample of the calls runs on a device, it may have one of the two.
        let both = results[0].iter().filter_map(|(name, y)| Some((y, results[1].get(name)?)));
        for (y, later) in both {
            for (i, (y, later)) in y.iter().zip(later).enumerate() {
                let place = i % (13 * 14);
                let sees = place > row * 14 + col
                    || (place == row * 14 + col && by_channel && i / (13 * 14) >= 6);
                assert!(sees || y.to_bits() == later.to_bits(), "element {i}: {y:e}, {later:e}");
            }
        }
        // The gradient of one output.
        let mut d_y = vec![0.0; spec.output_len()];
        d_y[row * 14 + col] = 1.0;
        let [want, size] = wanted(Pass::InputGrad, spec, [&d_y, &w]);
        run(Pass::InputGrad, spec, [&d_y, &w], |name, _, d_x| {
            assert_close(name, d_x, &want, |i| 3.0 * EPSILON * size[i]);
            let exact = d_x.iter().zip(&size).all(|(d_x, &size)| size != 0.0 || *d_x == 0.0);
            assert!(exact, "{name}: a masked tap lets a gradient through");
        });
    }
}

/// One weight that is huge or not finite reaches the outputs of its channel.
#[test]
fn weights() {
    for spec in specs() {
        for pass in [Pass::Forward, Pass::InputGrad] {
            for value in [f32::INFINITY, f32::NAN, -1e6] {
                for tap in [0, 4] {
                    let mut rng = Rng(2);
                    let x = rng.floats(lens(pass, spec)[1]);
                    let mut w = rng.floats(spec.weight_len());
                    w[tap] = value;
                    let [want, size] = wanted(pass, spec, [&x, &w]);
                    let plain = |i: usize| (terms(pass, spec) + 2) as f64 * EPSILON * size[i];
                    let [_, height, width] = Planes::new(pass, spec).to;
                    // Where the window leaves the plane, if it does anywhere.
                    let meets = |i: usize| {
                        let (row, col) = (i / width % height, i % width);
                        let far = |at: usize, size: usize| at.min(size - 1 - at) >= 2;
                        // On a GPU taps beyond the plane are products with zeros everywhere.
                        let on_gpu = cfg!(feature = "cuda");
                        let inside = far(row, height) && far(col, width) && !on_gpu;
                        let padded = pass == Pass::InputGrad || spec.padding != [0, 0];
                        let touched = size[i] != 0.0 && i / (height * width) == 0;
                        let finite = value.is_finite();
                        !(finite || inside) && padded && touched
                    };
                    run(pass, spec, [&x, &w], |name, _, got| {
                        let got = &without_padding(got, &want, meets);
                        assert_close(&format!("{name} {value}"), got, &want, plain);
                    });
                }
            }
        }
    }
}
