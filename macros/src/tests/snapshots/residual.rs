/**

| parameter | shape |
|---|---|
| `up.weight` | `[4*D, D]` |
| `up.bias` | `[4*D]` |
| `down.weight` | `[D, 4*D]` |
| `down.bias` | `[D]` |
| `scale` | `[D]` |
*/
#[derive(Clone, Debug)]
pub struct Residual<const D: usize = 8> {
    params: ::gradiron::Storage,
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::all)]
mod __Residual_chains {
    use ::gradiron::math::Arith;
    use ::gradiron::ops::elementwise::{Elementwise, functions};
    /// `t0 = add(x0, x1); t1 = gelu(t0); t1`
    pub struct AddGelu;
    impl Elementwise<2usize, 1usize, 0usize> for AddGelu {
        const TEXT: &'static str = "t0 = add(x0, x1); t1 = gelu(t0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::add::<A>(x0, x1);
            let t1 = functions::gelu::<A>(t0);
            [t1]
        }
    }
    /// `t0 = add(x0, x1); t1 = add(x2, t0); t2 = mul(t1, x3); t3 = sigmoid(x2); t4 = add(t2, t3); t4`
    pub struct AddAddMulAnd2More;
    impl Elementwise<4usize, 1usize, 0usize> for AddAddMulAnd2More {
        const TEXT: &'static str = "t0 = add(x0, x1); t1 = add(x2, t0); t2 = mul(t1, x3); t3 = sigmoid(x2); t4 = add(t2, t3); t4";
        #[inline(always)]
        fn eval<A: Arith>(
            [x0,
            x1,
            x2,
            x3,
            ]: [f32; 4usize],
            []: [f32; 0usize],
        ) -> [f32; 1usize] {
            let t0 = functions::add::<A>(x0, x1);
            let t1 = functions::add::<A>(x2, t0);
            let t2 = functions::mul::<A>(t1, x3);
            let t3 = functions::sigmoid::<A>(x2);
            let t4 = functions::add::<A>(t2, t3);
            [t4]
        }
    }
    /// `t0 = add(x0, x1); t1 = gelu(t0); t0, t1`
    pub struct AddGelu2;
    impl Elementwise<2usize, 2usize, 0usize> for AddGelu2 {
        const TEXT: &'static str = "t0 = add(x0, x1); t1 = gelu(t0); t0, t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 2usize] {
            let t0 = functions::add::<A>(x0, x1);
            let t1 = functions::gelu::<A>(t0);
            [t0, t1]
        }
    }
    /// `t0 = add(x0, x1); t1 = add(x2, t0); t2 = mul(t1, x3); t3 = sigmoid(x2); t4 = add(t2, t3); t1, t3, t4`
    pub struct AddAddMulAnd2More2;
    impl Elementwise<4usize, 3usize, 0usize> for AddAddMulAnd2More2 {
        const TEXT: &'static str = "t0 = add(x0, x1); t1 = add(x2, t0); t2 = mul(t1, x3); t3 = sigmoid(x2); t4 = add(t2, t3); t1, t3, t4";
        #[inline(always)]
        fn eval<A: Arith>(
            [x0,
            x1,
            x2,
            x3,
            ]: [f32; 4usize],
            []: [f32; 0usize],
        ) -> [f32; 3usize] {
            let t0 = functions::add::<A>(x0, x1);
            let t1 = functions::add::<A>(x2, t0);
            let t2 = functions::mul::<A>(t1, x3);
            let t3 = functions::sigmoid::<A>(x2);
            let t4 = functions::add::<A>(t2, t3);
            [t1, t3, t4]
        }
    }
    /// `t0 = mul(x0, x1); t0`
    pub struct Mul;
    impl Elementwise<2usize, 1usize, 0usize> for Mul {
        const TEXT: &'static str = "t0 = mul(x0, x1); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::mul::<A>(x0, x1);
            [t0]
        }
    }
    /// `t0 = gelu_grad(x0, x1); t0`
    pub struct GeluGrad;
    impl Elementwise<2usize, 1usize, 0usize> for GeluGrad {
        const TEXT: &'static str = "t0 = gelu_grad(x0, x1); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::gelu_grad::<A>(x0, x1);
            [t0]
        }
    }
    /// `t0 = sigmoid_grad(x0, x1); t1 = add(t0, x2); t2 = add(t1, x3); t2`
    pub struct SigmoidGradAddAdd;
    impl Elementwise<4usize, 1usize, 0usize> for SigmoidGradAddAdd {
        const TEXT: &'static str = "t0 = sigmoid_grad(x0, x1); t1 = add(t0, x2); t2 = add(t1, x3); t2";
        #[inline(always)]
        fn eval<A: Arith>(
            [x0,
            x1,
            x2,
            x3,
            ]: [f32; 4usize],
            []: [f32; 0usize],
        ) -> [f32; 1usize] {
            let t0 = functions::sigmoid_grad::<A>(x0, x1);
            let t1 = functions::add::<A>(t0, x2);
            let t2 = functions::add::<A>(t1, x3);
            [t2]
        }
    }
}
#[allow(clippy::all, non_upper_case_globals)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    const __AT: [usize; 5usize + 1] = {
        let mut at = [0; 5usize + 1];
        at[1usize] = at[0usize] + 4 * D * D;
        at[2usize] = at[1usize] + 4 * D;
        at[3usize] = at[2usize] + 4 * D * D;
        at[4usize] = at[3usize] + D;
        at[5usize] = at[4usize] + D;
        at
    };
}
#[allow(clippy::all)]
#[automatically_derived]
impl<const D: usize> ::gradiron::Module for Residual<D> {
    const PARAMS: usize = Self::__AT[5usize];
    fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
        let () = Self::__CHECK;
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "up.weight"),
                shape: vec![4 * D, D],
                start: start + Self::__AT[0usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: D,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "up.bias"),
                shape: vec![4 * D],
                start: start + Self::__AT[1usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: D,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "down.weight"),
                shape: vec![D, 4 * D],
                start: start + Self::__AT[2usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 4 * D,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "down.bias"),
                shape: vec![D],
                start: start + Self::__AT[3usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 4 * D,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "scale"),
                shape: vec![D],
                start: start + Self::__AT[4usize],
                init: ::gradiron::init::Init::Ones,
            });
    }
}
#[automatically_derived]
impl<const D: usize> ::gradiron::Model for Residual<D> {
    type Module = Self;
    fn params(&self) -> &[f32] {
        self.params.as_slice()
    }
    fn params_mut(&mut self) -> &mut [f32] {
        self.params.as_mut_slice()
    }
}
#[allow(clippy::all)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    /// The number of parameters.
    pub const PARAMS: usize = <Self as ::gradiron::Module>::PARAMS;
    /// New parameters, drawn from `seed` by PyTorch's default initialisers.
    pub fn init(seed: ::gradiron::Seed) -> Self {
        let () = Self::__CHECK;
        Self {
            params: ::gradiron::init_params::<Self>(seed),
        }
    }
    ///The parameters of the layer `up`.
    pub fn up(&self) -> ::gradiron::view::Layer<'_, [f32], [f32]> {
        ::gradiron::view::Layer::new(
            &self.params.as_slice()[Self::__AT[0usize]..][..4 * D * D],
            &self.params.as_slice()[Self::__AT[1usize]..][..4 * D],
        )
    }
    ///The parameters of the layer `down`.
    pub fn down(&self) -> ::gradiron::view::Layer<'_, [f32], [f32; D]> {
        ::gradiron::view::Layer::new(
            &self.params.as_slice()[Self::__AT[2usize]..][..4 * D * D],
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[3usize]..][..D]),
        )
    }
    ///The parameter `scale`, `[D]`.
    pub fn scale(&self) -> &[f32; D] {
        ::gradiron::view::array(&self.params.as_slice()[Self::__AT[4usize]..][..D])
    }
}
#[allow(unused_variables, clippy::all)]
#[automatically_derived]
impl<const D: usize> ::gradiron::Program for Residual<D> {
    type Owner = Self;
    const SIZES: &'static [&'static str] = &["batch"];
    fn plan(n: ::gradiron::arena::Sizes) -> Vec<::gradiron::FunctionPlan> {
        let batch = n[0];
        vec![
            ::gradiron::FunctionPlan::new([Self::__forward_floats(n,
            ::gradiron::Pass::Infer), Self::__forward_floats(n, ::gradiron::Pass::Grad),
            Self::__forward_floats(n, ::gradiron::Pass::GradInputs),], 0, | out |
            Self::__forward_infer_offsets(n, out), | out | Self::__forward_offsets(n,
            false, true, out), | out | Self::__forward_offsets(n, true, true, out),)
        ]
    }
}
#[allow(unused_variables, non_snake_case, clippy::all)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    #[doc(hidden)]
    pub const fn __forward_floats(
        n: ::gradiron::arena::Sizes,
        pass: ::gradiron::Pass,
    ) -> usize {
        let batch = n[0];
        let results = 0 + ::gradiron::arena::padded(batch * D);
        let d_args = 0 + ::gradiron::arena::padded(batch * D);
        match pass {
            ::gradiron::Pass::Infer => results + Self::__forward_infer_layout(n).saved,
            ::gradiron::Pass::Grad => {
                2 * results + Self::__forward_layout(n, false, true).saved
            }
            ::gradiron::Pass::GradInputs => {
                2 * results + d_args + Self::__forward_layout(n, true, true).saved
            }
        }
    }
}
#[allow(non_upper_case_globals, clippy::all)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    #[doc(hidden)]
    pub const __CHECK: () = {};
    #[doc(hidden)]
    pub const __forward_SIGNATURE: ::gradiron::check::Signature = ::gradiron::check::Signature {
        args: &[
            (
                "x",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("batch"),
                        ::gradiron::check::Size::Fixed(D),
                    ],
                },
            ),
        ],
        results: &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(D),
                ],
            },
        ],
    };
}
const _: () = {
    let () = <Residual>::__CHECK;
};
#[allow(
    unused_variables,
    unused_parens,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    clippy::all
)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    #[doc(hidden)]
    pub const fn __forward_bind<const Args: usize>(
        leads: [usize; Args],
    ) -> ::gradiron::arena::Sizes {
        let mut n = [1; 4];
        if 0usize < Args {
            n[0usize] = leads[0usize];
        }
        n
    }
    #[doc(hidden)]
    pub const fn __forward_layout(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
    ) -> ::gradiron::arena::Layout<7usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [
                4 * batch * D,
                4 * batch * D,
                batch * D,
                batch * D,
                batch * D,
                4 * batch * D,
                if want_inputs { batch * D } else { 0 },
            ],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    10u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(1u32, 9u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(2u32, 6u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    3u32,
                    14u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    4u32,
                    14u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    8u32,
                    13u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    12u32,
                    14u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __forward_TABLE: usize = 2usize + 7usize;
    #[doc(hidden)]
    pub fn __forward_offsets(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
        out: &mut Vec<usize>,
    ) {
        let batch = n[0];
        let layout = Self::__forward_layout(n, want_inputs, whole);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __forward_infer_layout(
        n: ::gradiron::arena::Sizes,
    ) -> ::gradiron::arena::Layout<2usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [4 * batch * D, batch * D],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    2u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    2u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __forward_INFER_TABLE: usize = 2usize + 2usize;
    #[doc(hidden)]
    pub fn __forward_infer_offsets(n: ::gradiron::arena::Sizes, out: &mut Vec<usize>) {
        let batch = n[0];
        let layout = Self::__forward_infer_layout(n);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __forward_saved(n: ::gradiron::arena::Sizes) -> usize {
        Self::__forward_layout(n, true, false).saved
    }
    #[doc(hidden)]
    pub const fn __forward_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__forward_layout(n, true, false).scratch
    }
    #[doc(hidden)]
    pub const fn __forward_infer_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__forward_infer_layout(n).saved
    }
    #[doc(hidden)]
    pub const fn __forward_flops(n: ::gradiron::arena::Sizes) -> usize {
        let batch = n[0];
        13 * batch * D + 16 * batch * D * D
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __forward_infer<
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
        let batch = n[0];
        let x_0 = args[0];
        let up_weight_1 = params.part(Self::__AT[0], 4 * D * D);
        let up_2 = scratch.part(offsets[2], 4 * batch * D);
        let up_bias_3 = params.part(Self::__AT[1], 4 * D);
        let gelu_5 = scratch.part(offsets[2], 4 * batch * D);
        let down_weight_6 = params.part(Self::__AT[2], 4 * D * D);
        let down_7 = scratch.part(offsets[3], batch * D);
        let down_bias_8 = params.part(Self::__AT[3], D);
        let scale_11 = params.part(Self::__AT[4], D);
        let v_14 = results[0];
        k.matmul(
            up_2,
            x_0,
            up_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: D,
                n: 4 * D,
            },
        );
        k.map::<
                __Residual_chains::AddGelu,
                _,
                _,
                _,
                _,
            >(
            [gelu_5],
            [(up_2, [true, true]), (up_bias_3, [false, true])],
            [batch, 4 * D],
            [],
        );
        k.matmul(
            down_7,
            gelu_5,
            down_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 4 * D,
                n: D,
            },
        );
        k.map::<
                __Residual_chains::AddAddMulAnd2More,
                _,
                _,
                _,
                _,
            >(
            [v_14],
            [
                (down_7, [true, true]),
                (down_bias_8, [false, true]),
                (x_0, [true, true]),
                (scale_11, [false, true]),
            ],
            [batch, D],
            [],
        );
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __forward_train<
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
        let batch = n[0];
        let x_0 = args[0];
        let up_weight_1 = params.part(Self::__AT[0], 4 * D * D);
        let up_2 = saved.part(offsets[2], 4 * batch * D);
        let up_bias_3 = params.part(Self::__AT[1], 4 * D);
        let up_4 = saved.part(offsets[2], 4 * batch * D);
        let gelu_5 = saved.part(offsets[3], 4 * batch * D);
        let down_weight_6 = params.part(Self::__AT[2], 4 * D * D);
        let down_7 = saved.part(offsets[4], batch * D);
        let down_bias_8 = params.part(Self::__AT[3], D);
        let scale_11 = params.part(Self::__AT[4], D);
        let v_10 = saved.part(offsets[4], batch * D);
        let sigmoid_13 = saved.part(offsets[5], batch * D);
        let v_14 = results[0];
        k.matmul(
            up_2,
            x_0,
            up_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: D,
                n: 4 * D,
            },
        );
        k.map::<
                __Residual_chains::AddGelu2,
                _,
                _,
                _,
                _,
            >(
            [up_4, gelu_5],
            [(up_2, [true, true]), (up_bias_3, [false, true])],
            [batch, 4 * D],
            [],
        );
        k.matmul(
            down_7,
            gelu_5,
            down_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 4 * D,
                n: D,
            },
        );
        k.map::<
                __Residual_chains::AddAddMulAnd2More2,
                _,
                _,
                _,
                _,
            >(
            [v_10, sigmoid_13, v_14],
            [
                (down_7, [true, true]),
                (down_bias_8, [false, true]),
                (x_0, [true, true]),
                (scale_11, [false, true]),
            ],
            [batch, D],
            [],
        );
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __forward_back<
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
        let batch = n[0];
        let d_15 = d_results[0];
        let scale_11 = params.part(Self::__AT[4], D);
        let d_17 = scratch.part(offsets[6], batch * D);
        let v_10 = saved.part(offsets[4], batch * D);
        let v_18 = saved.part(offsets[4], batch * D);
        let d_scale_19 = d_params.part(Self::__AT[4], D);
        let d_down_bias_21 = d_params.part(Self::__AT[3], D);
        let down_weight_6 = params.part(Self::__AT[2], 4 * D * D);
        let d_gelu_22 = scratch.part(offsets[7], 4 * batch * D);
        let gelu_5 = saved.part(offsets[3], 4 * batch * D);
        let d_down_weight_23 = d_params.part(Self::__AT[2], 4 * D * D);
        let up_4 = saved.part(offsets[2], 4 * batch * D);
        let d_up_24 = scratch.part(offsets[7], 4 * batch * D);
        let d_up_bias_25 = d_params.part(Self::__AT[1], 4 * D);
        let up_weight_1 = params.part(Self::__AT[0], 4 * D * D);
        let d_x_26 = if want_inputs {
            scratch.part(offsets[8], batch * D)
        } else {
            params.part(0, 0)
        };
        let x_0 = args[0];
        let d_up_weight_27 = d_params.part(Self::__AT[0], 4 * D * D);
        let sigmoid_13 = saved.part(offsets[5], batch * D);
        let up_28 = d_args[0];
        k.map::<
                __Residual_chains::Mul,
                _,
                _,
                _,
                _,
            >([d_17], [(d_15, [true, true]), (scale_11, [false, true])], [batch, D], []);
        k.map::<
                __Residual_chains::Mul,
                _,
                _,
                _,
                _,
            >([v_18], [(d_15, [true]), (v_10, [true])], [batch * D], []);
        k.reduce(
            d_scale_19,
            v_18,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, D],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.reduce(
            d_down_bias_21,
            d_17,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, D],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.matmul(
            d_gelu_22,
            d_17,
            down_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NN,
                m: batch,
                k: D,
                n: 4 * D,
            },
        );
        k.matmul(
            d_down_weight_23,
            d_17,
            gelu_5,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: D,
                k: batch,
                n: 4 * D,
            },
        );
        k.map::<
                __Residual_chains::GeluGrad,
                _,
                _,
                _,
                _,
            >([d_up_24], [(d_gelu_22, [true]), (up_4, [true])], [4 * batch * D], []);
        k.reduce(
            d_up_bias_25,
            d_up_24,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 4 * D],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.matmul(
                d_x_26,
                d_up_24,
                up_weight_1,
                ::gradiron::ops::matmul::MatmulSpec {
                    layout: ::gradiron::ops::matmul::Layout::NN,
                    m: batch,
                    k: 4 * D,
                    n: D,
                },
            );
        }
        k.matmul(
            d_up_weight_27,
            d_up_24,
            x_0,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 4 * D,
                k: batch,
                n: D,
            },
        );
        if want_inputs {
            k.map::<
                    __Residual_chains::SigmoidGradAddAdd,
                    _,
                    _,
                    _,
                    _,
                >(
                [up_28],
                [(d_15, [true]), (sigmoid_13, [true]), (d_17, [true]), (d_x_26, [true])],
                [batch * D],
                [],
            );
        }
    }
}
#[allow(clippy::all)]
#[automatically_derived]
impl<const D: usize> Residual<D> {
    /// The memory of training and inference on the CPU, for at most these sizes; allocated here
    /// and never again.
    ///
    /// # Errors
    /// When a size is 0 or memory does not suffice.
    pub fn workspace(
        batch: usize,
    ) -> Result<::gradiron::Workspace<Self>, ::gradiron::WorkspaceError> {
        ::gradiron::Workspace::new(::gradiron::device::Cpu::new(), [batch, 1, 1, 1])
    }
    /// The same on another device.
    ///
    /// # Errors
    /// When a size is 0 or the device's memory does not suffice.
    pub fn workspace_on<Device__: ::gradiron::device::Device>(
        device: Device__,
        batch: usize,
    ) -> Result<::gradiron::Workspace<Self, Device__>, ::gradiron::WorkspaceError> {
        ::gradiron::Workspace::new(device, [batch, 1, 1, 1])
    }
    /// The bytes of a workspace for training: activations, gradients and scratch memory. The
    /// parameters (`4 * PARAMS`) and the optimizer's state come on top.
    pub const fn train_bytes(batch: usize) -> usize {
        let n = [batch, 1, 1, 1];
        let arena = ::gradiron::arena::max(
            &[
                ::gradiron::arena::max(
                    &[
                        Self::__forward_floats(n, ::gradiron::Pass::Infer),
                        Self::__forward_floats(n, ::gradiron::Pass::Grad),
                        Self::__forward_floats(n, ::gradiron::Pass::GradInputs),
                    ],
                ),
            ],
        );
        let indices = ::gradiron::arena::max(&[0]);
        4 * (arena + indices + <Self as ::gradiron::Module>::PARAMS)
    }
    /// The bytes that inference alone needs.
    pub const fn infer_bytes(batch: usize) -> usize {
        let n = [batch, 1, 1, 1];
        4 * ::gradiron::arena::max(&[Self::__forward_floats(n, ::gradiron::Pass::Infer)])
    }
    ///Floating-point operations of one `forward`.
    pub const fn flops(batch: usize) -> usize {
        Self::__forward_flops([batch, 1, 1, 1])
    }
    ///
    ///Inference: x `[batch, D]` → `[batch, D]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn forward<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; D]],
    ) -> Result<&'w [[f32; D]], ::gradiron::InputError> {
        let batch = ws.size(0usize, "x", x.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[::gradiron::view::flat(x)];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                batch * D,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(batch * D)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Infer));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Residual<D>>::__AT[<Residual<D>>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Residual<
                    D,
                >>::__forward_infer(
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
        Ok(::gradiron::view::batch(ws.read(results[0usize])))
    }
    ///
    ///`forward` and the gradients of the parameters, in `ws.grads()`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn forward_grad<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; D]],
        d_result: &[[f32; D]],
    ) -> Result<&'w [[f32; D]], ::gradiron::InputError> {
        let batch = ws.size(0usize, "x", x.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), batch * D)?;
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(x),
            ::gradiron::view::flat(d_result),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                batch * D,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(batch * D)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                batch * D,
            ),
        ];
        let d_args = [places.take(0)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Grad));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Residual<D>>::__AT[<Residual<D>>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Residual<
                    D,
                >>::__forward_train(
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
                <Residual<
                    D,
                >>::__forward_back(
                    k,
                    n,
                    offsets,
                    false,
                    params,
                    args,
                    classes,
                    results,
                    block,
                    d_results,
                    ::gradiron::device::Buf::new(
                        ::gradiron::device::Region::Grads,
                        0,
                        <Residual<D>>::__AT[<Residual<D>>::__AT.len() - 1],
                    ),
                    d_args,
                    block,
                );
            },
        );
        let ws = &*ws;
        Ok(::gradiron::view::batch(ws.read(results[0usize])))
    }
    ///
    ///`forward`, the gradients of the parameters, and those of its float arguments.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn forward_grad_inputs<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; D]],
        d_result: &[[f32; D]],
    ) -> Result<(&'w [[f32; D]], &'w [[f32; D]]), ::gradiron::InputError> {
        let batch = ws.size(0usize, "x", x.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), batch * D)?;
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(x),
            ::gradiron::view::flat(d_result),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                batch * D,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(batch * D)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                batch * D,
            ),
        ];
        let d_args = [places.take(batch * D)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::GradInputs));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Residual<D>>::__AT[<Residual<D>>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Residual<
                    D,
                >>::__forward_train(
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
                <Residual<
                    D,
                >>::__forward_back(
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
                        <Residual<D>>::__AT[<Residual<D>>::__AT.len() - 1],
                    ),
                    d_args,
                    block,
                );
            },
        );
        let ws = &*ws;
        Ok((
            ::gradiron::view::batch(ws.read(results[0usize])),
            ::gradiron::view::batch(ws.read(d_args[0usize])),
        ))
    }
}
