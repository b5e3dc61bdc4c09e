//! Chains over few elements: a register at a time, all read before any is written, so that an
//! output may be an input's memory.

use super::{Elementwise, Map};
use crate::device::{Buf, TinyKernels};
use crate::math::{Far, MAX_LANES, Vector};
use crate::ops::product;

impl<V: Vector> Map for TinyKernels<'_, V> {
    #[inline(always)]
    fn map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        outputs: [Buf; OUT],
        inputs: [(Buf, [bool; R]); IN],
        dims: [usize; R],
        constants: [f32; S],
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        // Plain loops here and below: the compiler unrolls them, and the shapes become constants.
        let len = product(dims);
        if len == 0 {
            return;
        }
        let mut to = [std::ptr::null_mut(); OUT];
        for o in 0..OUT {
            to[o] = self.to(outputs[o], len);
        }
        let (mut from, mut strides) = ([std::ptr::null(); IN], [[0; R]; IN]);
        for i in 0..IN {
            let (buf, has) = inputs[i];
            let mut len = 1;
            for axis in (0..R).rev() {
                if has[axis] {
                    strides[i][axis] = len;
                    len = product([len, dims[axis]]);
                }
            }
            from[i] = self.from(buf, len);
        }
        // The last axes that each input has all or none of are one row. Axis 0 may be known at run
        // time only: that its size is 1 makes no case of its own, so that one loop is compiled.
        let (mut cols, mut axes) = (1, R);
        let (mut steps, mut started) = ([true; IN], false);
        for axis in (0..R).rev() {
            if axis > 0 && dims[axis] == 1 {
                axes = axis;
                continue;
            }
            let mut has = [false; IN];
            let mut same = true;
            for i in 0..IN {
                has[i] = inputs[i].1[axis];
                same &= !started || has[i] == steps[i];
            }
            if !same {
                break;
            }
            (steps, started) = (has, true);
            cols *= dims[axis];
            axes = axis;
        }
        for row in 0..dims[..axes].iter().product() {
            let (mut starts, mut rest): ([usize; IN], _) = ([0; IN], row);
            for axis in (0..axes).rev() {
                let at = if axis == 0 { rest } else { rest % dims[axis] };
                rest /= dims[axis];
                for i in 0..IN {
                    starts[i] += at * strides[i][axis];
                }
            }
            // SAFETY: `to` and `from` checked that outputs have the product of `dims` and inputs
            // that of their axes. No axis is empty, so `row` is a place in the axes before `axes`,
            // whose start is inside each input, with `cols` elements behind it or one that stays;
            // outputs have `cols` for each row. The step has its memory to itself.
            unsafe {
                let (mut from, mut to) = (from, to);
                for i in 0..IN {
                    from[i] = from[i].add(starts[i]);
                }
                for to in &mut to {
                    *to = to.add(row * cols);
                }
                for at in (0..cols).step_by(V::LANES) {
                    let len = V::LANES.min(cols - at);
                    block::<V, E, IN, OUT, S>(to, from, steps, at, len, constants);
                }
            }
        }
    }
}

/// The `len` elements from `at` on, of inputs that go on (`steps`) or stay.
#[inline(always)]
unsafe fn block<
    V: Vector,
    E: Elementwise<IN, OUT, S>,
    const IN: usize,
    const OUT: usize,
    const S: usize,
>(
    outputs: [*mut f32; OUT],
    inputs: [*const f32; IN],
    steps: [bool; IN],
    at: usize,
    len: usize,
    constants: [f32; S],
) {
    let (mut x, mut y) = ([[0.0; MAX_LANES]; IN], [[0.0; MAX_LANES]; OUT]);
    for i in 0..IN {
        // SAFETY: the caller lends `len` elements from `at` on, or one that stays, and has the
        // instruction set of `V`; `x[i]` has room for the widest register.
        unsafe {
            let lanes = match steps[i] {
                true => V::load_part(inputs[i].add(at), V::mask(len)),
                false => V::splat(*inputs[i]),
            };
            lanes.store(x[i].as_mut_ptr());
        }
    }
    for e in 0..V::LANES {
        let element = E::eval::<V::Arith>(std::array::from_fn(|i| x[i][e]), constants);
        for o in 0..OUT {
            y[o][e] = element[o];
        }
    }
    if E::TURNS {
        for e in 0..len {
            let element = std::array::from_fn(|i| x[i][e]);
            if E::is_far::<V::Arith>(element, constants) {
                let element = E::eval::<Far<V::Arith>>(element, constants);
                for o in 0..OUT {
                    y[o][e] = element[o];
                }
            }
        }
    }
    for (output, y) in outputs.into_iter().zip(&y) {
        // SAFETY: the caller lends `len` elements from `at` on to write, and has the instruction
        // set of `V`; `y` is as long as the widest register.
        unsafe { V::load(y.as_ptr()).store_part(output.add(at), V::mask(len)) }
    }
}
