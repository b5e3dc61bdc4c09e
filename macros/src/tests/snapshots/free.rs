#[doc(hidden)]
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug)]
pub struct __energy;
#[doc(hidden)]
#[allow(non_snake_case, clippy::all)]
mod ____energy_chains {
    use ::gradiron::math::Arith;
    use ::gradiron::ops::elementwise::{Elementwise, functions};
    /// `t0 = sub(x0, x1); t1 = mul(t0, t0); t1`
    pub struct SubMul;
    impl Elementwise<2usize, 1usize, 0usize> for SubMul {
        const TEXT: &'static str = "t0 = sub(x0, x1); t1 = mul(t0, t0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::sub::<A>(x0, x1);
            let t1 = functions::mul::<A>(t0, t0);
            [t1]
        }
    }
    /// `t0 = sqrt(x0); t0`
    pub struct Sqrt;
    impl Elementwise<1usize, 1usize, 0usize> for Sqrt {
        const TEXT: &'static str = "t0 = sqrt(x0); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0]: [f32; 1usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::sqrt::<A>(x0);
            [t0]
        }
    }
    /// `t0 = constant(0.5); t1 = mul(t0, x0); t1`
    pub struct Mul;
    impl Elementwise<1usize, 1usize, 0usize> for Mul {
        const TEXT: &'static str = "t0 = constant(0.5); t1 = mul(t0, x0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0]: [f32; 1usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::constant::<A>(0.5f32);
            let t1 = functions::mul::<A>(t0, x0);
            [t1]
        }
    }
    /// `t0 = sub(x0, x1); t1 = mul(t0, t0); t0, t1`
    pub struct SubMul2;
    impl Elementwise<2usize, 2usize, 0usize> for SubMul2 {
        const TEXT: &'static str = "t0 = sub(x0, x1); t1 = mul(t0, t0); t0, t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 2usize] {
            let t0 = functions::sub::<A>(x0, x1);
            let t1 = functions::mul::<A>(t0, t0);
            [t0, t1]
        }
    }
    /// `t0 = constant(0.5); t1 = mul(x0, t0); t1`
    pub struct Mul2;
    impl Elementwise<1usize, 1usize, 0usize> for Mul2 {
        const TEXT: &'static str = "t0 = constant(0.5); t1 = mul(x0, t0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0]: [f32; 1usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::constant::<A>(0.5f32);
            let t1 = functions::mul::<A>(x0, t0);
            [t1]
        }
    }
    /// `t0 = copy(x0); t1 = constant(c0); t2 = mul(t0, t1); t3 = sqrt_grad(t2, x1); t3`
    pub struct CopyMulSqrtGrad;
    impl Elementwise<2usize, 1usize, 1usize> for CopyMulSqrtGrad {
        const TEXT: &'static str = "t0 = copy(x0); t1 = constant(c0); t2 = mul(t0, t1); t3 = sqrt_grad(t2, x1); t3";
        #[inline(always)]
        fn eval<A: Arith>(
            [x0,
            x1,
            ]: [f32; 2usize],
            [c0,
            ]: [f32; 1usize],
        ) -> [f32; 1usize] {
            let t0 = functions::copy::<A>(x0);
            let t1 = functions::constant::<A>(c0);
            let t2 = functions::mul::<A>(t0, t1);
            let t3 = functions::sqrt_grad::<A>(t2, x1);
            [t3]
        }
    }
    /// `t0 = copy(x0); t1 = mul(t0, x1); t2 = mul(t0, x1); t3 = add(t1, t2); t4 = neg(t3); t3, t4`
    pub struct CopyMulMulAnd2More;
    impl Elementwise<2usize, 2usize, 0usize> for CopyMulMulAnd2More {
        const TEXT: &'static str = "t0 = copy(x0); t1 = mul(t0, x1); t2 = mul(t0, x1); t3 = add(t1, t2); t4 = neg(t3); t3, t4";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 2usize] {
            let t0 = functions::copy::<A>(x0);
            let t1 = functions::mul::<A>(t0, x1);
            let t2 = functions::mul::<A>(t0, x1);
            let t3 = functions::add::<A>(t1, t2);
            let t4 = functions::neg::<A>(t3);
            [t3, t4]
        }
    }
}
#[allow(clippy::all, non_upper_case_globals)]
#[automatically_derived]
impl __energy {
    const __AT: [usize; 0usize + 1] = {
        let mut at = [0; 0usize + 1];
        at
    };
}
#[allow(clippy::all)]
#[automatically_derived]
impl ::gradiron::Module for __energy {
    const PARAMS: usize = Self::__AT[0usize];
    fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
        let () = Self::__CHECK;
    }
}
#[allow(unused_variables, clippy::all)]
#[automatically_derived]
impl ::gradiron::Program for __energy {
    type Owner = Self;
    const SIZES: &'static [&'static str] = &["n"];
    fn plan(n: ::gradiron::arena::Sizes) -> Vec<::gradiron::FunctionPlan> {
        let n = n[0];
        vec![
            ::gradiron::FunctionPlan::new([Self::__energy_floats(n,
            ::gradiron::Pass::Infer), Self::__energy_floats(n, ::gradiron::Pass::Grad),
            Self::__energy_floats(n, ::gradiron::Pass::GradInputs),], 0, | out |
            Self::__energy_infer_offsets(n, out), | out | Self::__energy_offsets(n,
            false, true, out), | out | Self::__energy_offsets(n, true, true, out),)
        ]
    }
}
#[allow(unused_variables, non_snake_case, clippy::all)]
#[automatically_derived]
impl __energy {
    #[doc(hidden)]
    pub const fn __energy_floats(
        n: ::gradiron::arena::Sizes,
        pass: ::gradiron::Pass,
    ) -> usize {
        let n = n[0];
        let results = 0 + ::gradiron::arena::padded(1);
        let d_args = 0 + ::gradiron::arena::padded(3 * n)
            + ::gradiron::arena::padded(3 * n);
        match pass {
            ::gradiron::Pass::Infer => results + Self::__energy_infer_layout(n).saved,
            ::gradiron::Pass::Grad => {
                2 * results + Self::__energy_layout(n, false, true).saved
            }
            ::gradiron::Pass::GradInputs => {
                2 * results + d_args + Self::__energy_layout(n, true, true).saved
            }
        }
    }
}
#[allow(non_upper_case_globals, clippy::all)]
#[automatically_derived]
impl __energy {
    #[doc(hidden)]
    pub const __CHECK: () = {};
    #[doc(hidden)]
    pub const __energy_SIGNATURE: ::gradiron::check::Signature = ::gradiron::check::Signature {
        args: &[
            (
                "x",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("n"),
                        ::gradiron::check::Size::Fixed(3),
                    ],
                },
            ),
            (
                "y",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("n"),
                        ::gradiron::check::Size::Fixed(3),
                    ],
                },
            ),
        ],
        results: &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[],
            },
        ],
    };
}
#[allow(
    unused_variables,
    unused_parens,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    clippy::all
)]
#[automatically_derived]
impl __energy {
    #[doc(hidden)]
    pub const fn __energy_bind<const Args: usize>(
        leads: [usize; Args],
    ) -> ::gradiron::arena::Sizes {
        let mut n = [1; 4];
        if 0usize < Args {
            n[0usize] = leads[0usize];
        }
        n
    }
    #[doc(hidden)]
    pub const fn __energy_layout(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
    ) -> ::gradiron::arena::Layout<6usize> {
        let n = n[0];
        ::gradiron::arena::plan(
            [
                3 * n,
                3 * n,
                n,
                1,
                if want_inputs { 1 } else { 0 },
                if want_inputs { n } else { 0 },
            ],
            [
                ::gradiron::arena::Life::new(0u32, 9u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    0u32,
                    1u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(1u32, 7u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    3u32,
                    4u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    7u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    7u32,
                    9u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __energy_TABLE: usize = 2usize + 6usize;
    #[doc(hidden)]
    pub fn __energy_offsets(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
        out: &mut Vec<usize>,
    ) {
        let n = n[0];
        let layout = Self::__energy_layout(n, want_inputs, whole);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __energy_infer_layout(
        n: ::gradiron::arena::Sizes,
    ) -> ::gradiron::arena::Layout<3usize> {
        let n = n[0];
        ::gradiron::arena::plan(
            [3 * n, n, 1],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    1u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    1u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    4u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __energy_INFER_TABLE: usize = 2usize + 3usize;
    #[doc(hidden)]
    pub fn __energy_infer_offsets(n: ::gradiron::arena::Sizes, out: &mut Vec<usize>) {
        let n = n[0];
        let layout = Self::__energy_infer_layout(n);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __energy_saved(n: ::gradiron::arena::Sizes) -> usize {
        Self::__energy_layout(n, true, false).saved
    }
    #[doc(hidden)]
    pub const fn __energy_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__energy_layout(n, true, false).scratch
    }
    #[doc(hidden)]
    pub const fn __energy_infer_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__energy_infer_layout(n).saved
    }
    #[doc(hidden)]
    pub const fn __energy_flops(n: ::gradiron::arena::Sizes) -> usize {
        let n = n[0];
        2 + 11 * n
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __energy_infer<
        Kernels__: ::gradiron::device::Kernels,
        const FLOATS__: usize,
        const CLASSES__: usize,
        const RESULTS__: usize,
    >(
        k: &mut Kernels__,
        n: ::gradiron::arena::Sizes,
        offsets: &[usize],
        params: ::gradiron::device::Buf,
        args: [::gradiron::device::Buf; FLOATS__],
        classes: [::gradiron::device::Indices; CLASSES__],
        results: [::gradiron::device::Buf; RESULTS__],
        scratch: ::gradiron::device::Buf,
    ) {
        let n = n[0];
        let x_0 = args[0];
        let y_1 = args[1];
        let v_3 = scratch.part(offsets[2], 3 * n);
        let sum_4 = scratch.part(offsets[3], n);
        let sqrt_5 = scratch.part(offsets[3], n);
        let mean_6 = scratch.part(offsets[4], 1);
        let v_8 = results[0];
        k.map::<
                ____energy_chains::SubMul,
                _,
                _,
                _,
                _,
            >([v_3], [(x_0, [true]), (y_1, [true])], [3 * n], []);
        k.reduce(
            sum_4,
            v_3,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [n, 3],
                kept: [true, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.map::<
                ____energy_chains::Sqrt,
                _,
                _,
                _,
                _,
            >([sqrt_5], [(sum_4, [true])], [n], []);
        k.reduce(
            mean_6,
            sqrt_5,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [n],
                kept: [false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0 / (n) as f32,
            },
        );
        k.map::<____energy_chains::Mul, _, _, _, _>([v_8], [(mean_6, [true])], [1], []);
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __energy_train<
        Kernels__: ::gradiron::device::Kernels,
        const FLOATS__: usize,
        const CLASSES__: usize,
        const RESULTS__: usize,
    >(
        k: &mut Kernels__,
        n: ::gradiron::arena::Sizes,
        offsets: &[usize],
        params: ::gradiron::device::Buf,
        args: [::gradiron::device::Buf; FLOATS__],
        classes: [::gradiron::device::Indices; CLASSES__],
        results: [::gradiron::device::Buf; RESULTS__],
        saved: ::gradiron::device::Buf,
        scratch: ::gradiron::device::Buf,
    ) {
        let n = n[0];
        let x_0 = args[0];
        let y_1 = args[1];
        let v_2 = saved.part(offsets[2], 3 * n);
        let v_3 = scratch.part(offsets[3], 3 * n);
        let sum_4 = saved.part(offsets[4], n);
        let sqrt_5 = saved.part(offsets[4], n);
        let mean_6 = scratch.part(offsets[5], 1);
        let v_8 = results[0];
        k.map::<
                ____energy_chains::SubMul2,
                _,
                _,
                _,
                _,
            >([v_2, v_3], [(x_0, [true]), (y_1, [true])], [3 * n], []);
        k.reduce(
            sum_4,
            v_3,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [n, 3],
                kept: [true, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.map::<
                ____energy_chains::Sqrt,
                _,
                _,
                _,
                _,
            >([sqrt_5], [(sum_4, [true])], [n], []);
        k.reduce(
            mean_6,
            sqrt_5,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [n],
                kept: [false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0 / (n) as f32,
            },
        );
        k.map::<____energy_chains::Mul, _, _, _, _>([v_8], [(mean_6, [true])], [1], []);
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __energy_back<
        Kernels__: ::gradiron::device::Kernels,
        const FLOATS__: usize,
        const CLASSES__: usize,
        const RESULTS__: usize,
    >(
        k: &mut Kernels__,
        n: ::gradiron::arena::Sizes,
        offsets: &[usize],
        want_inputs: bool,
        params: ::gradiron::device::Buf,
        args: [::gradiron::device::Buf; FLOATS__],
        classes: [::gradiron::device::Indices; CLASSES__],
        results: [::gradiron::device::Buf; RESULTS__],
        saved: ::gradiron::device::Buf,
        d_results: [::gradiron::device::Buf; RESULTS__],
        d_params: ::gradiron::device::Buf,
        d_args: [::gradiron::device::Buf; FLOATS__],
        scratch: ::gradiron::device::Buf,
    ) {
        let n = n[0];
        let d_9 = d_results[0];
        let d_mean_10 = if want_inputs {
            scratch.part(offsets[6], 1)
        } else {
            params.part(0, 0)
        };
        let mean_11 = if want_inputs {
            scratch.part(offsets[6], 1)
        } else {
            params.part(0, 0)
        };
        let sqrt_5 = saved.part(offsets[4], n);
        let d_sum_15 = if want_inputs {
            scratch.part(offsets[7], n)
        } else {
            params.part(0, 0)
        };
        let sum_16 = if want_inputs {
            scratch.part(offsets[7], n)
        } else {
            params.part(0, 0)
        };
        let v_2 = saved.part(offsets[2], 3 * n);
        let v_20 = d_args[0];
        let d_y_21 = d_args[1];
        if want_inputs {
            k.map::<
                    ____energy_chains::Mul2,
                    _,
                    _,
                    _,
                    _,
                >([d_mean_10], [(d_9, [true])], [1], []);
        }
        if want_inputs {
            k.map::<
                    ____energy_chains::CopyMulSqrtGrad,
                    _,
                    _,
                    _,
                    _,
                >(
                [d_sum_15],
                [(mean_11, [false]), (sqrt_5, [true])],
                [n],
                [1.0 / (n) as f32],
            );
        }
        if want_inputs {
            k.map::<
                    ____energy_chains::CopyMulMulAnd2More,
                    _,
                    _,
                    _,
                    _,
                >(
                [v_20, d_y_21],
                [(sum_16, [true, false]), (v_2, [true, true])],
                [n, 3],
                [],
            );
        }
    }
}
/// The memory of training and inference on the CPU, for at most these sizes; allocated here
/// and never again.
///
/// # Errors
/// When a size is 0 or memory does not suffice.
pub fn energy_workspace(
    n: usize,
) -> Result<::gradiron::Workspace<__energy>, ::gradiron::WorkspaceError> {
    ::gradiron::Workspace::new(::gradiron::device::Cpu::new(), [n, 1, 1, 1])
}
/// The same on another device.
///
/// # Errors
/// When a size is 0 or the device's memory does not suffice.
pub fn energy_workspace_on<Device__: ::gradiron::device::Device>(
    device: Device__,
    n: usize,
) -> Result<::gradiron::Workspace<__energy, Device__>, ::gradiron::WorkspaceError> {
    ::gradiron::Workspace::new(device, [n, 1, 1, 1])
}
///
///Inference: x `[n, 3]`, y `[n, 3]` → `[]`.
///
/// # Errors
/// When an input does not fit the workspace or another input.
#[allow(unused_variables, unused_parens, clippy::all)]
pub fn energy<'w, Device__: ::gradiron::device::Device>(
    ws: &'w mut ::gradiron::Workspace<__energy, Device__>,
    x: &[[f32; 3]],
    y: &[[f32; 3]],
) -> Result<f32, ::gradiron::InputError> {
    let n = ws.size(0usize, "x", x.len(), 1)?;
    ws.same(0usize, "y", y.len(), 1, n)?;
    let n: ::gradiron::arena::Sizes = [n, 1, 1, 1];
    let mut index_at = 0;
    let classes = [];
    let host = None;
    let inputs: &[&[f32]] = &[::gradiron::view::flat(x), ::gradiron::view::flat(y)];
    let args = [
        ::gradiron::device::Buf::new(::gradiron::device::Region::Input(0u8), 0, 3 * n),
        ::gradiron::device::Buf::new(::gradiron::device::Region::Input(1u8), 0, 3 * n),
    ];
    let mut places = ::gradiron::arena::Places::default();
    let results = [places.take(1)];
    let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Infer));
    let params = ::gradiron::device::Buf::new(
        ::gradiron::device::Region::Params,
        0,
        <__energy>::__AT[<__energy>::__AT.len() - 1],
    );
    ws.run(
        host,
        inputs,
        0usize,
        ::gradiron::Pass::Infer,
        |k, offsets| {
            use ::gradiron::ops::copy::Fill as _;
            <__energy>::__energy_infer(
                k,
                n,
                offsets,
                params,
                args,
                classes,
                results,
                block,
            );
        },
    );
    let ws = &*ws;
    Ok(ws.read(results[0usize])[0])
}
///
///`energy` and the gradients of its float arguments.
///
/// # Errors
/// When an input does not fit the workspace or another input.
#[allow(unused_variables, unused_parens, clippy::all)]
pub fn energy_grad<'w, Device__: ::gradiron::device::Device>(
    ws: &'w mut ::gradiron::Workspace<__energy, Device__>,
    x: &[[f32; 3]],
    y: &[[f32; 3]],
) -> Result<(f32, (&'w [[f32; 3]], &'w [[f32; 3]])), ::gradiron::InputError> {
    let n = ws.size(0usize, "x", x.len(), 1)?;
    ws.same(0usize, "y", y.len(), 1, n)?;
    let n: ::gradiron::arena::Sizes = [n, 1, 1, 1];
    let mut index_at = 0;
    let classes = [];
    let host = None;
    let inputs: &[&[f32]] = &[::gradiron::view::flat(x), ::gradiron::view::flat(y)];
    let args = [
        ::gradiron::device::Buf::new(::gradiron::device::Region::Input(0u8), 0, 3 * n),
        ::gradiron::device::Buf::new(::gradiron::device::Region::Input(1u8), 0, 3 * n),
    ];
    let mut places = ::gradiron::arena::Places::default();
    let results = [places.take(1)];
    let d_results = [places.take(1)];
    let d_args = [places.take(3 * n), places.take(3 * n)];
    let block = places.rest(ws.floats(0usize, ::gradiron::Pass::GradInputs));
    let params = ::gradiron::device::Buf::new(
        ::gradiron::device::Region::Params,
        0,
        <__energy>::__AT[<__energy>::__AT.len() - 1],
    );
    ws.run(
        host,
        inputs,
        0usize,
        ::gradiron::Pass::GradInputs,
        |k, offsets| {
            use ::gradiron::ops::copy::Fill as _;
            <__energy>::__energy_train(
                k,
                n,
                offsets,
                params,
                args,
                classes,
                results,
                block,
                block,
            );
            k.fill(d_results[0], 1.0);
            <__energy>::__energy_back(
                k,
                n,
                offsets,
                true,
                params,
                args,
                classes,
                results,
                block,
                d_results,
                ::gradiron::device::Buf::new(
                    ::gradiron::device::Region::Grads,
                    0,
                    <__energy>::__AT[<__energy>::__AT.len() - 1],
                ),
                d_args,
                block,
            );
        },
    );
    let ws = &*ws;
    Ok((
        ws.read(results[0usize])[0],
        (
            ::gradiron::view::batch(ws.read(d_args[0usize])),
            ::gradiron::view::batch(ws.read(d_args[1usize])),
        ),
    ))
}
