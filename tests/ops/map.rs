//! The kernel that runs elementwise chains. These chains round each operation by itself, on every
//! instruction set: results must be exact.

use std::marker::PhantomData;

use gradiron::device::{Buf, Kernels};
use gradiron::math::{Arith, Plain};
use gradiron::ops::elementwise::blocks::Operand::{C, T, X};
use gradiron::ops::elementwise::blocks::{Blocks, Link};
use gradiron::ops::elementwise::functions::on_blocks;
use gradiron::ops::elementwise::{Elementwise, Map, functions};

use crate::harness::*;

struct AddRelu;

impl Elementwise<2, 1, 0> for AddRelu {
    const TEXT: &'static str = "t0 = add(x0, x1); t1 = relu(t0); t1";
    #[inline(always)]
    fn eval<A: Arith>([x, b]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [functions::relu::<A>(functions::add::<A>(x, b))]
    }
}

struct Many;

impl Elementwise<3, 2, 3> for Many {
    const TEXT: &'static str = "t0 = mul(x0, x1); t1 = sub(t0, x2); \
                              t2 = clamp(t1, c0, c1); t3 = mul(t0, c2); t3, t2";
    #[inline(always)]
    fn eval<A: Arith>([x, y, z]: [f32; 3], [low, high, factor]: [f32; 3]) -> [f32; 2] {
        let product = functions::mul::<A>(x, y);
        let rest = functions::clamp::<A>(functions::sub::<A>(product, z), low, high);
        [functions::mul::<A>(product, factor), rest]
    }
}

/// The same a function at a time.
struct ManyByBlocks;

impl Elementwise<3, 2, 3> for ManyByBlocks {
    const TEXT: &'static str = Many::TEXT;
    const BLOCKS: Option<Blocks> = Blocks::new(
        true,
        &[
            Link(on_blocks::mul, &[X(0), X(1)]),
            Link(on_blocks::sub, &[T(0), X(2)]),
            Link(on_blocks::clamp, &[T(1), C(0), C(1)]),
            Link(on_blocks::mul, &[T(0), C(2)]),
        ],
        &[3, 2],
    );
    #[inline(always)]
    fn eval<A: Arith>(x: [f32; 3], constants: [f32; 3]) -> [f32; 2] {
        Many::eval::<A>(x, constants)
    }
}

struct Constant;

impl Elementwise<0, 1, 1> for Constant {
    const TEXT: &'static str = "t0 = constant(c0); t0";
    #[inline(always)]
    fn eval<A: Arith>([]: [f32; 0], [value]: [f32; 1]) -> [f32; 1] {
        [functions::constant::<A>(value)]
    }
}

pub struct Copy;

impl Elementwise<1, 1, 0> for Copy {
    const TEXT: &'static str = "t0 = copy(x0); t0";
    #[inline(always)]
    fn eval<A: Arith>([x]: [f32; 1], []: [f32; 0]) -> [f32; 1] {
        [functions::copy::<A>(x)]
    }
}

struct Mapping<E, const IN: usize, const S: usize, const R: usize> {
    dims: [usize; R],
    masks: [[bool; R]; IN],
    constants: [f32; S],
    chain: PhantomData<E>,
}

impl<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> KernelCall
    for (Mapping<E, IN, S, R>, [(); OUT])
where
    E: Elementwise<IN, OUT, S>,
{
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        let Mapping { dims, masks, constants, .. } = self.0;
        let inputs = std::array::from_fn(|i| (x[i], masks[i]));
        k.map::<E, IN, OUT, S, R>(y.try_into().unwrap(), inputs, dims, constants);
    }
}

/// Where an input that has the axes `has` keeps element `at` of the output.
fn place<const R: usize>(mut at: usize, dims: [usize; R], has: [bool; R]) -> usize {
    let (mut place, mut stride) = (0, 1);
    for axis in (0..R).rev() {
        if has[axis] {
            place += at % dims[axis] * stride;
            stride *= dims[axis];
        }
        at /= dims[axis];
    }
    place
}

fn len<const R: usize>(dims: [usize; R], has: [bool; R]) -> usize {
    (0..R).filter(|&i| has[i]).map(|i| dims[i]).product()
}

fn check<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
    dims: [usize; R],
    masks: [[bool; R]; IN],
    constants: [f32; S],
) where
    E: Elementwise<IN, OUT, S>,
{
    let mut rng = Rng(31);
    let inputs = masks.map(|has| rng.floats(len(dims, has)));
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let all = dims.iter().product();
    let mut want = vec![vec![0.0; all]; OUT];
    for at in 0..all {
        let x = std::array::from_fn(|i| inputs[i][place(at, dims, masks[i])]);
        let y = E::eval::<Plain>(x, constants);
        want.iter_mut().zip(y).for_each(|(want, y)| want[at] = y);
    }
    let call = Call { outputs: &[all; OUT], inputs: &inputs, indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            let inputs = std::array::from_fn(|i| (x[i], masks[i]));
            step.map::<E, IN, OUT, S, R>(y.try_into().unwrap(), inputs, dims, constants);
        },
        |level, got| assert!(got == want, "{dims:?} {masks:?} {level}"),
    );
    let mapping = Mapping { dims, masks, constants, chain: PhantomData::<E> };
    call.run_tiny((mapping, [(); OUT]), |level, got| {
        assert!(got == want, "{dims:?} {masks:?} {level}");
    });
}

/// The mask with the bits of `bits`.
fn mask<const R: usize>(bits: usize) -> [bool; R] {
    std::array::from_fn(|i| bits >> i & 1 == 1)
}

/// Every mask, beside an input that has all axes and beside one that does not.
fn check_masks<const R: usize>(dims: [usize; R]) {
    for bits in 0..1 << R {
        check::<AddRelu, 2, 1, 0, R>(dims, [[true; R], mask(bits)], []);
        check::<AddRelu, 2, 1, 0, R>(dims, [mask(bits), mask(!bits)], []);
        let masks = [mask(bits), [true; R], mask(bits / 2)];
        check::<Many, 3, 2, 3, R>(dims, masks, [-0.3, 0.2, 1.7]);
        check::<ManyByBlocks, 3, 2, 3, R>(dims, masks, [-0.3, 0.2, 1.7]);
    }
}

#[test]
fn one_axis() {
    for size in SIZES.into_iter().chain([128, 1000, 8192, 20_000]) {
        check_masks([size]);
    }
    check::<Copy, 1, 1, 0, 0>([], [[]], []);
}

#[test]
fn two_axes() {
    for (rows, row) in [(64, 10), (100, 1), (1, 100), (7, 3), (3, 64), (2, 65), (65, 128), (17, 63)]
    {
        check_masks([rows, row]);
    }
    // Rows longer than what a thread takes at a time, rows across such borders, many short ones.
    for dims in [[3, 20_001], [5, 8192], [11, 3001], [9001, 3], [20_000, 1], [1, 20_000]] {
        check_masks(dims);
    }
}

#[test]
fn more_axes() {
    for dims in [[4, 6, 784], [3, 5, 7], [64, 1, 10], [1, 65, 2], [2, 3, 1], [30, 30, 30]] {
        check_masks(dims);
    }
    for dims in [[2, 3, 4, 5], [3, 1, 65, 2], [2, 17, 1, 64], [5, 4, 3, 1], [7, 11, 13, 17]] {
        check_masks(dims);
    }
}

#[test]
fn nothing() {
    check_masks([0]);
    check_masks([0, 3]);
    check_masks([3, 0]);
    check_masks([2, 0, 5]);
}

#[test]
fn without_inputs() {
    for size in [1, 65, 9000] {
        check::<Constant, 0, 1, 1, 1>([size], [], [0.75]);
        check::<Constant, 0, 1, 1, 2>([3, size], [], [0.75]);
    }
}

/// An output in the memory of an input, beside another output.
#[test]
fn in_place() {
    for dims in [[64, 10], [3, 65], [7, 1], [1, 7], [2, 20_000], [9001, 3]] {
        let mut rng = Rng(32);
        let (all, constants) = (dims[0] * dims[1], [-0.3, 0.2, 1.7]);
        let (x, y, z) = (rng.floats(all), rng.floats(dims[1]), rng.floats(dims[0]));
        let mut want = vec![vec![0.0; all]; 2];
        for at in 0..all {
            let [a, b] = Many::eval::<Plain>([x[at], y[at % dims[1]], z[at / dims[1]]], constants);
            (want[0][at], want[1][at]) = (a, b);
        }
        let call = Call { outputs: &[all, all], inputs: &[&x, &y, &z], indices: &[], scratch: 0 };
        let check = |level: &str, got: &[Vec<f32>]| assert!(got == want, "{dims:?} {level}");
        call.run(|step, out, x, _| InPlace(dims).call(step, out, x), check);
        call.run_tiny(InPlace(dims), check);
    }
}

struct InPlace([usize; 2]);

impl KernelCall for InPlace {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, out: &[Buf], x: &[Buf]) {
        let (dims, constants) = (self.0, [-0.3, 0.2, 1.7]);
        k.map::<Copy, 1, 1, 0, 1>([out[1]], [(x[0], [true])], [dims[0] * dims[1]], []);
        let inputs = [(out[1], [true; 2]), (x[1], [false, true]), (x[2], [true, false])];
        k.map::<Many, 3, 2, 3, 2>([out[0], out[1]], inputs, dims, constants);
    }
}

fn add_in_place(outputs: [usize; 1], has: [bool; 2]) {
    let x = [1.0; 12];
    let call = Call { outputs: &outputs, inputs: &[&x], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            step.map::<AddRelu, 2, 1, 0, 2>([y[0]], [(x[0], [true; 2]), (y[0], has)], [3, 4], []);
        },
        |_, _| (),
    );
}

#[test]
fn an_input_with_all_axes_can_be_overwritten() {
    add_in_place([12], [true, true]);
}

#[test]
#[should_panic(expected = "a chain's output is in use")]
fn a_repeated_input_cannot_be_overwritten() {
    add_in_place([12], [false, true]);
}

#[test]
#[should_panic(expected = "a chain's output is too small")]
fn an_output_must_have_room() {
    add_in_place([11], [true, true]);
}
