/**

| parameter | shape |
|---|---|
| `fc1.weight` | `[128, 784]` |
| `fc1.bias` | `[128]` |
| `fc2.weight` | `[10, 128]` |
| `fc2.bias` | `[10]` |
*/
#[derive(Clone, Debug)]
pub struct Mlp {
    params: ::gradiron::Storage,
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::all)]
mod __Mlp_chains {
    use ::gradiron::math::Arith;
    use ::gradiron::ops::elementwise::{Elementwise, functions};
    /// `t0 = add(x0, x1); t1 = relu(t0); t1`
    pub struct AddRelu;
    impl Elementwise<2usize, 1usize, 0usize> for AddRelu {
        const TEXT: &'static str = "t0 = add(x0, x1); t1 = relu(t0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::add::<A>(x0, x1);
            let t1 = functions::relu::<A>(t0);
            [t1]
        }
    }
    /// `t0 = add(x0, x1); t0`
    pub struct Add;
    impl Elementwise<2usize, 1usize, 0usize> for Add {
        const TEXT: &'static str = "t0 = add(x0, x1); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::add::<A>(x0, x1);
            [t0]
        }
    }
    /// `t0 = relu_grad(x0, x1); t0`
    pub struct ReluGrad;
    impl Elementwise<2usize, 1usize, 0usize> for ReluGrad {
        const TEXT: &'static str = "t0 = relu_grad(x0, x1); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::relu_grad::<A>(x0, x1);
            [t0]
        }
    }
}
#[allow(clippy::all, non_upper_case_globals)]
#[automatically_derived]
impl Mlp {
    const __AT: [usize; 4usize + 1] = {
        let mut at = [0; 4usize + 1];
        at[1usize] = at[0usize] + 100352;
        at[2usize] = at[1usize] + 128;
        at[3usize] = at[2usize] + 1280;
        at[4usize] = at[3usize] + 10;
        at
    };
}
#[allow(clippy::all)]
#[automatically_derived]
impl ::gradiron::Module for Mlp {
    const PARAMS: usize = Self::__AT[4usize];
    fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
        let () = Self::__CHECK;
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc1.weight"),
                shape: vec![128, 784],
                start: start + Self::__AT[0usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 784,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc1.bias"),
                shape: vec![128],
                start: start + Self::__AT[1usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 784,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc2.weight"),
                shape: vec![10, 128],
                start: start + Self::__AT[2usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 128,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc2.bias"),
                shape: vec![10],
                start: start + Self::__AT[3usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 128,
                    a: 2.236_068,
                },
            });
    }
}
#[automatically_derived]
impl ::gradiron::Model for Mlp {
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
impl Mlp {
    /// The number of parameters.
    pub const PARAMS: usize = <Self as ::gradiron::Module>::PARAMS;
    /// New parameters, drawn from `seed` by PyTorch's default initialisers.
    pub fn init(seed: ::gradiron::Seed) -> Self {
        let () = Self::__CHECK;
        Self {
            params: ::gradiron::init_params::<Self>(seed),
        }
    }
    ///The parameters of the layer `fc1`.
    pub fn fc1(&self) -> ::gradiron::view::Layer<'_, [[f32; 784]; 128], [f32; 128]> {
        ::gradiron::view::Layer::new(
            ::gradiron::view::array(
                &self.params.as_slice()[Self::__AT[0usize]..][..100352],
            ),
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[1usize]..][..128]),
        )
    }
    ///The parameters of the layer `fc2`.
    pub fn fc2(&self) -> ::gradiron::view::Layer<'_, [[f32; 128]; 10], [f32; 10]> {
        ::gradiron::view::Layer::new(
            ::gradiron::view::array(
                &self.params.as_slice()[Self::__AT[2usize]..][..1280],
            ),
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[3usize]..][..10]),
        )
    }
}
#[allow(unused_variables, clippy::all)]
#[automatically_derived]
impl ::gradiron::Program for Mlp {
    type Owner = Self;
    const SIZES: &'static [&'static str] = &["batch"];
    fn plan(n: ::gradiron::arena::Sizes) -> Vec<::gradiron::FunctionPlan> {
        let batch = n[0];
        vec![
            ::gradiron::FunctionPlan::new([Self::__forward_floats(n,
            ::gradiron::Pass::Infer), Self::__forward_floats(n, ::gradiron::Pass::Grad),
            Self::__forward_floats(n, ::gradiron::Pass::GradInputs),], 0, | out |
            Self::__forward_infer_offsets(n, out), | out | Self::__forward_offsets(n,
            false, true, out), | out | Self::__forward_offsets(n, true, true, out),),
            ::gradiron::FunctionPlan::new([Self::__loss_floats(n,
            ::gradiron::Pass::Infer), Self::__loss_floats(n, ::gradiron::Pass::Grad),
            Self::__loss_floats(n, ::gradiron::Pass::GradInputs),], 0 + batch, | out |
            Self::__loss_infer_offsets(n, out), | out | Self::__loss_offsets(n, false,
            true, out), | out | Self::__loss_offsets(n, true, true, out),)
        ]
    }
}
#[allow(unused_variables, non_snake_case, clippy::all)]
#[automatically_derived]
impl Mlp {
    #[doc(hidden)]
    pub const fn __forward_floats(
        n: ::gradiron::arena::Sizes,
        pass: ::gradiron::Pass,
    ) -> usize {
        let batch = n[0];
        let results = 0 + ::gradiron::arena::padded(10 * batch);
        let d_args = 0 + ::gradiron::arena::padded(784 * batch);
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
    #[doc(hidden)]
    pub const fn __loss_floats(
        n: ::gradiron::arena::Sizes,
        pass: ::gradiron::Pass,
    ) -> usize {
        let batch = n[0];
        let results = 0 + ::gradiron::arena::padded(1);
        let d_args = 0 + ::gradiron::arena::padded(784 * batch);
        match pass {
            ::gradiron::Pass::Infer => results + Self::__loss_infer_layout(n).saved,
            ::gradiron::Pass::Grad => {
                2 * results + Self::__loss_layout(n, false, true).saved
            }
            ::gradiron::Pass::GradInputs => {
                2 * results + d_args + Self::__loss_layout(n, true, true).saved
            }
        }
    }
}
#[allow(non_upper_case_globals, clippy::all)]
#[automatically_derived]
impl Mlp {
    #[doc(hidden)]
    pub const __CHECK: () = {};
    #[doc(hidden)]
    pub const __forward_SIGNATURE: ::gradiron::check::Signature = ::gradiron::check::Signature {
        args: &[
            (
                "image",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("batch"),
                        ::gradiron::check::Size::Fixed(784),
                    ],
                },
            ),
        ],
        results: &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(10),
                ],
            },
        ],
    };
    #[doc(hidden)]
    pub const __loss_SIGNATURE: ::gradiron::check::Signature = ::gradiron::check::Signature {
        args: &[
            (
                "image",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("batch"),
                        ::gradiron::check::Size::Fixed(784),
                    ],
                },
            ),
            (
                "label",
                ::gradiron::check::TypeSig {
                    classes: true,
                    dims: &[::gradiron::check::Size::Run("batch")],
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
impl Mlp {
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
    ) -> ::gradiron::arena::Layout<3usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [128 * batch, 10 * batch, 128 * batch],
            [
                ::gradiron::arena::Life::new(0u32, 7u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    2u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    10u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __forward_TABLE: usize = 2usize + 3usize;
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
            [128 * batch, 10 * batch],
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
        203530 * batch
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
        let image_0 = args[0];
        let fc1_weight_1 = params.part(Self::__AT[0], 100352);
        let fc1_2 = scratch.part(offsets[2], 128 * batch);
        let fc1_bias_3 = params.part(Self::__AT[1], 128);
        let relu_5 = scratch.part(offsets[2], 128 * batch);
        let fc2_weight_6 = params.part(Self::__AT[2], 1280);
        let fc2_7 = scratch.part(offsets[3], 10 * batch);
        let fc2_bias_8 = params.part(Self::__AT[3], 10);
        let fc2_9 = results[0];
        k.matmul(
            fc1_2,
            image_0,
            fc1_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 784,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_5],
            [(fc1_2, [true, true]), (fc1_bias_3, [false, true])],
            [batch, 128],
            [],
        );
        k.matmul(
            fc2_7,
            relu_5,
            fc2_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 128,
                n: 10,
            },
        );
        k.map::<
                __Mlp_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc2_9],
            [(fc2_7, [true, true]), (fc2_bias_8, [false, true])],
            [batch, 10],
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
        let image_0 = args[0];
        let fc1_weight_1 = params.part(Self::__AT[0], 100352);
        let fc1_2 = saved.part(offsets[2], 128 * batch);
        let fc1_bias_3 = params.part(Self::__AT[1], 128);
        let relu_5 = saved.part(offsets[2], 128 * batch);
        let fc2_weight_6 = params.part(Self::__AT[2], 1280);
        let fc2_7 = scratch.part(offsets[3], 10 * batch);
        let fc2_bias_8 = params.part(Self::__AT[3], 10);
        let fc2_9 = results[0];
        k.matmul(
            fc1_2,
            image_0,
            fc1_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 784,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_5],
            [(fc1_2, [true, true]), (fc1_bias_3, [false, true])],
            [batch, 128],
            [],
        );
        k.matmul(
            fc2_7,
            relu_5,
            fc2_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 128,
                n: 10,
            },
        );
        k.map::<
                __Mlp_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc2_9],
            [(fc2_7, [true, true]), (fc2_bias_8, [false, true])],
            [batch, 10],
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
        let d_fc2_10 = d_results[0];
        let d_fc2_bias_11 = d_params.part(Self::__AT[3], 10);
        let fc2_weight_6 = params.part(Self::__AT[2], 1280);
        let d_relu_12 = scratch.part(offsets[4], 128 * batch);
        let relu_5 = saved.part(offsets[2], 128 * batch);
        let d_fc2_weight_13 = d_params.part(Self::__AT[2], 1280);
        let d_fc1_14 = scratch.part(offsets[4], 128 * batch);
        let d_fc1_bias_15 = d_params.part(Self::__AT[1], 128);
        let fc1_weight_1 = params.part(Self::__AT[0], 100352);
        let d_image_16 = d_args[0];
        let image_0 = args[0];
        let d_fc1_weight_17 = d_params.part(Self::__AT[0], 100352);
        k.reduce(
            d_fc2_bias_11,
            d_fc2_10,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.matmul(
            d_relu_12,
            d_fc2_10,
            fc2_weight_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NN,
                m: batch,
                k: 10,
                n: 128,
            },
        );
        k.matmul(
            d_fc2_weight_13,
            d_fc2_10,
            relu_5,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 10,
                k: batch,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::ReluGrad,
                _,
                _,
                _,
                _,
            >([d_fc1_14], [(d_relu_12, [true]), (relu_5, [true])], [128 * batch], []);
        k.reduce(
            d_fc1_bias_15,
            d_fc1_14,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 128],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.matmul(
                d_image_16,
                d_fc1_14,
                fc1_weight_1,
                ::gradiron::ops::matmul::MatmulSpec {
                    layout: ::gradiron::ops::matmul::Layout::NN,
                    m: batch,
                    k: 128,
                    n: 784,
                },
            );
        }
        k.matmul(
            d_fc1_weight_17,
            d_fc1_14,
            image_0,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 128,
                k: batch,
                n: 784,
            },
        );
    }
    #[doc(hidden)]
    pub const fn __loss_bind<const Args: usize>(
        leads: [usize; Args],
    ) -> ::gradiron::arena::Sizes {
        let mut n = [1; 4];
        if 0usize < Args {
            n[0usize] = leads[0usize];
        }
        n
    }
    #[doc(hidden)]
    pub const fn __loss_layout(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
    ) -> ::gradiron::arena::Layout<5usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [128 * batch, 10 * batch, batch, 10 * batch, 128 * batch],
            [
                ::gradiron::arena::Life::new(0u32, 9u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(2u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(4u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    5u32,
                    8u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    7u32,
                    12u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __loss_TABLE: usize = 2usize + 5usize;
    #[doc(hidden)]
    pub fn __loss_offsets(
        n: ::gradiron::arena::Sizes,
        want_inputs: bool,
        whole: bool,
        out: &mut Vec<usize>,
    ) {
        let batch = n[0];
        let layout = Self::__loss_layout(n, want_inputs, whole);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __loss_infer_layout(
        n: ::gradiron::arena::Sizes,
    ) -> ::gradiron::arena::Layout<3usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [128 * batch, 10 * batch, batch],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    2u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    2u32,
                    4u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    4u32,
                    4u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __loss_INFER_TABLE: usize = 2usize + 3usize;
    #[doc(hidden)]
    pub fn __loss_infer_offsets(n: ::gradiron::arena::Sizes, out: &mut Vec<usize>) {
        let batch = n[0];
        let layout = Self::__loss_infer_layout(n);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
    }
    #[doc(hidden)]
    pub const fn __loss_saved(n: ::gradiron::arena::Sizes) -> usize {
        Self::__loss_layout(n, true, false).saved
    }
    #[doc(hidden)]
    pub const fn __loss_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__loss_layout(n, true, false).scratch
    }
    #[doc(hidden)]
    pub const fn __loss_infer_scratch(n: ::gradiron::arena::Sizes) -> usize {
        Self::__loss_infer_layout(n).saved
    }
    #[doc(hidden)]
    pub const fn __loss_flops(n: ::gradiron::arena::Sizes) -> usize {
        let batch = n[0];
        203570 * batch
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __loss_infer<
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
        let image_0 = args[0];
        let fc1_weight_2 = params.part(Self::__AT[0], 100352);
        let fc1_3 = scratch.part(offsets[2], 128 * batch);
        let fc1_bias_4 = params.part(Self::__AT[1], 128);
        let relu_6 = scratch.part(offsets[2], 128 * batch);
        let fc2_weight_7 = params.part(Self::__AT[2], 1280);
        let fc2_8 = scratch.part(offsets[3], 10 * batch);
        let fc2_bias_9 = params.part(Self::__AT[3], 10);
        let fc2_10 = scratch.part(offsets[3], 10 * batch);
        let label_1 = classes[0];
        let cross_entropy_11 = results[0];
        let cross_entropy_12 = scratch.part(offsets[4], batch);
        k.matmul(
            fc1_3,
            image_0,
            fc1_weight_2,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 784,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_6],
            [(fc1_3, [true, true]), (fc1_bias_4, [false, true])],
            [batch, 128],
            [],
        );
        k.matmul(
            fc2_8,
            relu_6,
            fc2_weight_7,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 128,
                n: 10,
            },
        );
        k.map::<
                __Mlp_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc2_10],
            [(fc2_8, [true, true]), (fc2_bias_9, [false, true])],
            [batch, 10],
            [],
        );
        k.cross_entropy(
            cross_entropy_11,
            cross_entropy_12,
            fc2_10,
            label_1,
            ::gradiron::ops::cross_entropy::CrossEntropySpec {
                outer: batch,
                classes: 10,
                inner: 1,
                smoothing: 0.0,
            },
        );
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __loss_train<
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
        let image_0 = args[0];
        let fc1_weight_2 = params.part(Self::__AT[0], 100352);
        let fc1_3 = saved.part(offsets[2], 128 * batch);
        let fc1_bias_4 = params.part(Self::__AT[1], 128);
        let relu_6 = saved.part(offsets[2], 128 * batch);
        let fc2_weight_7 = params.part(Self::__AT[2], 1280);
        let fc2_8 = saved.part(offsets[3], 10 * batch);
        let fc2_bias_9 = params.part(Self::__AT[3], 10);
        let fc2_10 = saved.part(offsets[3], 10 * batch);
        let label_1 = classes[0];
        let cross_entropy_11 = results[0];
        let cross_entropy_12 = saved.part(offsets[4], batch);
        k.matmul(
            fc1_3,
            image_0,
            fc1_weight_2,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 784,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_6],
            [(fc1_3, [true, true]), (fc1_bias_4, [false, true])],
            [batch, 128],
            [],
        );
        k.matmul(
            fc2_8,
            relu_6,
            fc2_weight_7,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 128,
                n: 10,
            },
        );
        k.map::<
                __Mlp_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc2_10],
            [(fc2_8, [true, true]), (fc2_bias_9, [false, true])],
            [batch, 10],
            [],
        );
        k.cross_entropy(
            cross_entropy_11,
            cross_entropy_12,
            fc2_10,
            label_1,
            ::gradiron::ops::cross_entropy::CrossEntropySpec {
                outer: batch,
                classes: 10,
                inner: 1,
                smoothing: 0.0,
            },
        );
    }
    #[doc(hidden)]
    #[inline(never)]
    pub fn __loss_back<
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
        let d_cross_entropy_13 = d_results[0];
        let fc2_10 = saved.part(offsets[3], 10 * batch);
        let cross_entropy_12 = saved.part(offsets[4], batch);
        let label_1 = classes[0];
        let d_fc2_14 = scratch.part(offsets[5], 10 * batch);
        let d_fc2_bias_15 = d_params.part(Self::__AT[3], 10);
        let fc2_weight_7 = params.part(Self::__AT[2], 1280);
        let d_relu_16 = scratch.part(offsets[6], 128 * batch);
        let relu_6 = saved.part(offsets[2], 128 * batch);
        let d_fc2_weight_17 = d_params.part(Self::__AT[2], 1280);
        let d_fc1_18 = scratch.part(offsets[6], 128 * batch);
        let d_fc1_bias_19 = d_params.part(Self::__AT[1], 128);
        let fc1_weight_2 = params.part(Self::__AT[0], 100352);
        let d_image_20 = d_args[0];
        let image_0 = args[0];
        let d_fc1_weight_21 = d_params.part(Self::__AT[0], 100352);
        k.cross_entropy_grad(
            d_fc2_14,
            d_cross_entropy_13,
            fc2_10,
            cross_entropy_12,
            label_1,
            ::gradiron::ops::cross_entropy::CrossEntropySpec {
                outer: batch,
                classes: 10,
                inner: 1,
                smoothing: 0.0,
            },
        );
        k.reduce(
            d_fc2_bias_15,
            d_fc2_14,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.matmul(
            d_relu_16,
            d_fc2_14,
            fc2_weight_7,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NN,
                m: batch,
                k: 10,
                n: 128,
            },
        );
        k.matmul(
            d_fc2_weight_17,
            d_fc2_14,
            relu_6,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 10,
                k: batch,
                n: 128,
            },
        );
        k.map::<
                __Mlp_chains::ReluGrad,
                _,
                _,
                _,
                _,
            >([d_fc1_18], [(d_relu_16, [true]), (relu_6, [true])], [128 * batch], []);
        k.reduce(
            d_fc1_bias_19,
            d_fc1_18,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 128],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.matmul(
                d_image_20,
                d_fc1_18,
                fc1_weight_2,
                ::gradiron::ops::matmul::MatmulSpec {
                    layout: ::gradiron::ops::matmul::Layout::NN,
                    m: batch,
                    k: 128,
                    n: 784,
                },
            );
        }
        k.matmul(
            d_fc1_weight_21,
            d_fc1_18,
            image_0,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 128,
                k: batch,
                n: 784,
            },
        );
    }
}
#[allow(clippy::all)]
#[automatically_derived]
impl Mlp {
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
                ::gradiron::arena::max(
                    &[
                        Self::__loss_floats(n, ::gradiron::Pass::Infer),
                        Self::__loss_floats(n, ::gradiron::Pass::Grad),
                        Self::__loss_floats(n, ::gradiron::Pass::GradInputs),
                    ],
                ),
            ],
        );
        let indices = ::gradiron::arena::max(&[0, 0 + batch]);
        4 * (arena + indices + <Self as ::gradiron::Module>::PARAMS)
    }
    /// The bytes that inference alone needs.
    pub const fn infer_bytes(batch: usize) -> usize {
        let n = [batch, 1, 1, 1];
        4
            * ::gradiron::arena::max(
                &[
                    Self::__forward_floats(n, ::gradiron::Pass::Infer),
                    Self::__loss_floats(n, ::gradiron::Pass::Infer),
                ],
            )
    }
    ///Floating-point operations of one `forward`.
    pub const fn flops(batch: usize) -> usize {
        Self::__forward_flops([batch, 1, 1, 1])
    }
    ///
    ///Inference: image `[batch, 784]` → `[batch, 10]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn forward<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[f32; 784]],
    ) -> Result<&'w [[f32; 10]], ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[::gradiron::view::flat(image)];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(10 * batch)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Infer));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__forward_infer(
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
        image: &[[f32; 784]],
        d_result: &[[f32; 10]],
    ) -> Result<&'w [[f32; 10]], ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), 10 * batch)?;
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(image),
            ::gradiron::view::flat(d_result),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(10 * batch)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                10 * batch,
            ),
        ];
        let d_args = [places.take(0)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Grad));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__forward_train(
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
                <Mlp>::__forward_back(
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
                        <Mlp>::__AT[<Mlp>::__AT.len() - 1],
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
        image: &[[f32; 784]],
        d_result: &[[f32; 10]],
    ) -> Result<(&'w [[f32; 10]], &'w [[f32; 784]]), ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), 10 * batch)?;
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(image),
            ::gradiron::view::flat(d_result),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(10 * batch)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                10 * batch,
            ),
        ];
        let d_args = [places.take(784 * batch)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::GradInputs));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__forward_train(
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
                <Mlp>::__forward_back(
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
                        <Mlp>::__AT[<Mlp>::__AT.len() - 1],
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
    ///
    ///Inference: image `[batch, 784]`, label `Classes[batch]` → `[]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn loss<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[f32; 784]],
        label: &[impl ::gradiron::ClassIndex],
    ) -> Result<f32, ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "label", label.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [
            ws.classes(&mut index_at, "label", label, ::gradiron::arena::min(&[10]))?,
        ];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[::gradiron::view::flat(image)];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::Infer));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__loss_infer(
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
    ///`loss` and the gradients of the parameters, in `ws.grads()`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn loss_grad<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[f32; 784]],
        label: &[impl ::gradiron::ClassIndex],
    ) -> Result<f32, ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "label", label.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [
            ws.classes(&mut index_at, "label", label, ::gradiron::arena::min(&[10]))?,
        ];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[::gradiron::view::flat(image)];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let d_results = [places.take(1)];
        let d_args = [places.take(0)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::Grad));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__loss_train(
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
                <Mlp>::__loss_back(
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
                        <Mlp>::__AT[<Mlp>::__AT.len() - 1],
                    ),
                    d_args,
                    block,
                );
            },
        );
        let ws = &*ws;
        Ok(ws.read(results[0usize])[0])
    }
    ///
    ///`loss`, the gradients of the parameters, and those of its float arguments.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn loss_grad_inputs<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[f32; 784]],
        label: &[impl ::gradiron::ClassIndex],
    ) -> Result<(f32, &'w [[f32; 784]]), ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "label", label.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [
            ws.classes(&mut index_at, "label", label, ::gradiron::arena::min(&[10]))?,
        ];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[::gradiron::view::flat(image)];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let d_results = [places.take(1)];
        let d_args = [places.take(784 * batch)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::GradInputs));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Mlp>::__AT[<Mlp>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Mlp>::__loss_train(
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
                <Mlp>::__loss_back(
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
                        <Mlp>::__AT[<Mlp>::__AT.len() - 1],
                    ),
                    d_args,
                    block,
                );
            },
        );
        let ws = &*ws;
        Ok((
            ws.read(results[0usize])[0],
            ::gradiron::view::batch(ws.read(d_args[0usize])),
        ))
    }
}
