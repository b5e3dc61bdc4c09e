/**

| parameter | shape |
|---|---|
| `conv.weight` | `[6, 1, 5, 5]` |
| `conv.bias` | `[6]` |
| `fc.weight` | `[10, 1176]` |
| `fc.bias` | `[10]` |
*/
#[derive(Clone, Debug)]
pub struct Cnn {
    params: ::gradiron::Storage,
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::all)]
mod __Cnn_chains {
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
    /// `t0 = sub(x0, x1); t1 = square(t0); t1`
    pub struct SubSquare;
    impl Elementwise<2usize, 1usize, 0usize> for SubSquare {
        const TEXT: &'static str = "t0 = sub(x0, x1); t1 = square(t0); t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::sub::<A>(x0, x1);
            let t1 = functions::square::<A>(t0);
            [t1]
        }
    }
    /// `t0 = sub(x0, x1); t1 = square(t0); t0, t1`
    pub struct SubSquare2;
    impl Elementwise<2usize, 2usize, 0usize> for SubSquare2 {
        const TEXT: &'static str = "t0 = sub(x0, x1); t1 = square(t0); t0, t1";
        #[inline(always)]
        fn eval<A: Arith>([x0, x1]: [f32; 2usize], []: [f32; 0usize]) -> [f32; 2usize] {
            let t0 = functions::sub::<A>(x0, x1);
            let t1 = functions::square::<A>(t0);
            [t0, t1]
        }
    }
    /// `t0 = copy(x0); t1 = constant(c0); t2 = mul(t0, t1); t3 = square_grad(t2, x1); t3`
    pub struct CopyMulSquareGrad;
    impl Elementwise<2usize, 1usize, 1usize> for CopyMulSquareGrad {
        const TEXT: &'static str = "t0 = copy(x0); t1 = constant(c0); t2 = mul(t0, t1); t3 = square_grad(t2, x1); t3";
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
            let t3 = functions::square_grad::<A>(t2, x1);
            [t3]
        }
    }
    /// `t0 = neg(x0); t0`
    pub struct Neg;
    impl Elementwise<1usize, 1usize, 0usize> for Neg {
        const TEXT: &'static str = "t0 = neg(x0); t0";
        #[inline(always)]
        fn eval<A: Arith>([x0]: [f32; 1usize], []: [f32; 0usize]) -> [f32; 1usize] {
            let t0 = functions::neg::<A>(x0);
            [t0]
        }
    }
}
#[allow(clippy::all, non_upper_case_globals)]
#[automatically_derived]
impl Cnn {
    const __AT: [usize; 4usize + 1] = {
        let mut at = [0; 4usize + 1];
        at[1usize] = at[0usize] + 150;
        at[2usize] = at[1usize] + 6;
        at[3usize] = at[2usize] + 11760;
        at[4usize] = at[3usize] + 10;
        at
    };
}
#[allow(clippy::all)]
#[automatically_derived]
impl ::gradiron::Module for Cnn {
    const PARAMS: usize = Self::__AT[4usize];
    fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
        let () = Self::__CHECK;
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "conv.weight"),
                shape: vec![6, 1, 5, 5],
                start: start + Self::__AT[0usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 25,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "conv.bias"),
                shape: vec![6],
                start: start + Self::__AT[1usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 25,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc.weight"),
                shape: vec![10, 1176],
                start: start + Self::__AT[2usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 1176,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "fc.bias"),
                shape: vec![10],
                start: start + Self::__AT[3usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 1176,
                    a: 2.236_068,
                },
            });
    }
}
#[automatically_derived]
impl ::gradiron::Model for Cnn {
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
impl Cnn {
    /// The number of parameters.
    pub const PARAMS: usize = <Self as ::gradiron::Module>::PARAMS;
    /// New parameters, drawn from `seed` by PyTorch's default initialisers.
    pub fn init(seed: ::gradiron::Seed) -> Self {
        let () = Self::__CHECK;
        Self {
            params: ::gradiron::init_params::<Self>(seed),
        }
    }
    ///The parameters of the layer `conv`.
    pub fn conv(
        &self,
    ) -> ::gradiron::view::Layer<'_, [[[[f32; 5]; 5]; 1]; 6], [f32; 6]> {
        ::gradiron::view::Layer::new(
            ::gradiron::view::array(
                &self.params.as_slice()[Self::__AT[0usize]..][..150],
            ),
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[1usize]..][..6]),
        )
    }
    ///The parameters of the layer `fc`.
    pub fn fc(&self) -> ::gradiron::view::Layer<'_, [[f32; 1176]; 10], [f32; 10]> {
        ::gradiron::view::Layer::new(
            ::gradiron::view::array(
                &self.params.as_slice()[Self::__AT[2usize]..][..11760],
            ),
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[3usize]..][..10]),
        )
    }
}
#[allow(unused_variables, clippy::all)]
#[automatically_derived]
impl ::gradiron::Program for Cnn {
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
            Self::__loss_floats(n, ::gradiron::Pass::GradInputs),], 0, | out |
            Self::__loss_infer_offsets(n, out), | out | Self::__loss_offsets(n, false,
            true, out), | out | Self::__loss_offsets(n, true, true, out),)
        ]
    }
}
#[allow(unused_variables, non_snake_case, clippy::all)]
#[automatically_derived]
impl Cnn {
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
        let d_args = 0 + ::gradiron::arena::padded(784 * batch)
            + ::gradiron::arena::padded(10 * batch);
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
impl Cnn {
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
                        ::gradiron::check::Size::Fixed(1),
                        ::gradiron::check::Size::Fixed(28),
                        ::gradiron::check::Size::Fixed(28),
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
                        ::gradiron::check::Size::Fixed(1),
                        ::gradiron::check::Size::Fixed(28),
                        ::gradiron::check::Size::Fixed(28),
                    ],
                },
            ),
            (
                "target",
                ::gradiron::check::TypeSig {
                    classes: false,
                    dims: &[
                        ::gradiron::check::Size::Run("batch"),
                        ::gradiron::check::Size::Fixed(10),
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
impl Cnn {
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
    ) -> ::gradiron::arena::Layout<9usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [
                4704 * batch,
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .forward_scratch(),
                1176 * batch,
                1176 * batch,
                10 * batch,
                1176 * batch,
                4704 * batch,
                if want_inputs {
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .input_grad_scratch()
                } else {
                    0
                },
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .weight_grad_scratch(),
            ],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    12u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    0u32,
                    0u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(3u32, 9u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    3u32,
                    11u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    6u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    8u32,
                    11u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    11u32,
                    17u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    16u32,
                    16u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    17u32,
                    17u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __forward_TABLE: usize = 2usize + 9usize;
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
    ) -> ::gradiron::arena::Layout<4usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [
                4704 * batch,
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .forward_scratch(),
                1176 * batch,
                10 * batch,
            ],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    0u32,
                    0u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    5u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    6u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __forward_INFER_TABLE: usize = 2usize + 4usize;
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
        272842 * batch
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
        let conv_weight_1 = params.part(Self::__AT[0], 150);
        let conv_2 = scratch.part(offsets[2], 4704 * batch);
        let conv_4 = params.part(Self::__AT[1], 6);
        let relu_6 = scratch.part(offsets[2], 4704 * batch);
        let max_pool2d_7 = scratch.part(offsets[4], 1176 * batch);
        let flatten_9 = scratch.part(offsets[4], 1176 * batch);
        let fc_weight_10 = params.part(Self::__AT[2], 11760);
        let fc_11 = scratch.part(offsets[5], 10 * batch);
        let fc_bias_12 = params.part(Self::__AT[3], 10);
        let fc_13 = results[0];
        k.conv2d(
            conv_2,
            image_0,
            conv_weight_1,
            scratch
                .part(
                    offsets[3],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .forward_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
            },
        );
        k.map::<
                __Cnn_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_6],
            [(conv_2, [true, true, true]), (conv_4, [false, true, false])],
            [batch, 6, 784],
            [],
        );
        k.max_pool2d(
            max_pool2d_7,
            None,
            relu_6,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.matmul(
            fc_11,
            flatten_9,
            fc_weight_10,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 1176,
                n: 10,
            },
        );
        k.map::<
                __Cnn_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc_13],
            [(fc_11, [true, true]), (fc_bias_12, [false, true])],
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
        let conv_weight_1 = params.part(Self::__AT[0], 150);
        let conv_2 = saved.part(offsets[2], 4704 * batch);
        let conv_4 = params.part(Self::__AT[1], 6);
        let relu_6 = saved.part(offsets[2], 4704 * batch);
        let max_pool2d_7 = saved.part(offsets[4], 1176 * batch);
        let max_pool2d_8 = saved.part(offsets[5], 1176 * batch);
        let flatten_9 = saved.part(offsets[4], 1176 * batch);
        let fc_weight_10 = params.part(Self::__AT[2], 11760);
        let fc_11 = scratch.part(offsets[6], 10 * batch);
        let fc_bias_12 = params.part(Self::__AT[3], 10);
        let fc_13 = results[0];
        k.conv2d(
            conv_2,
            image_0,
            conv_weight_1,
            scratch
                .part(
                    offsets[3],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .forward_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
            },
        );
        k.map::<
                __Cnn_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_6],
            [(conv_2, [true, true, true]), (conv_4, [false, true, false])],
            [batch, 6, 784],
            [],
        );
        k.max_pool2d(
            max_pool2d_7,
            Some(max_pool2d_8),
            relu_6,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.matmul(
            fc_11,
            flatten_9,
            fc_weight_10,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 1176,
                n: 10,
            },
        );
        k.map::<
                __Cnn_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc_13],
            [(fc_11, [true, true]), (fc_bias_12, [false, true])],
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
        let d_fc_14 = d_results[0];
        let d_fc_bias_15 = d_params.part(Self::__AT[3], 10);
        let fc_weight_10 = params.part(Self::__AT[2], 11760);
        let d_flatten_16 = scratch.part(offsets[7], 1176 * batch);
        let flatten_9 = saved.part(offsets[4], 1176 * batch);
        let d_fc_weight_17 = d_params.part(Self::__AT[2], 11760);
        let d_max_pool2d_18 = scratch.part(offsets[7], 1176 * batch);
        let max_pool2d_8 = saved.part(offsets[5], 1176 * batch);
        let d_relu_19 = scratch.part(offsets[8], 4704 * batch);
        let relu_6 = saved.part(offsets[2], 4704 * batch);
        let d_conv_20 = scratch.part(offsets[8], 4704 * batch);
        let conv_21 = d_params.part(Self::__AT[1], 6);
        let conv_weight_1 = params.part(Self::__AT[0], 150);
        let d_image_24 = d_args[0];
        let image_0 = args[0];
        let d_conv_weight_25 = d_params.part(Self::__AT[0], 150);
        k.reduce(
            d_fc_bias_15,
            d_fc_14,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.matmul(
            d_flatten_16,
            d_fc_14,
            fc_weight_10,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NN,
                m: batch,
                k: 10,
                n: 1176,
            },
        );
        k.matmul(
            d_fc_weight_17,
            d_fc_14,
            flatten_9,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 10,
                k: batch,
                n: 1176,
            },
        );
        k.max_pool2d_grad(
            d_relu_19,
            d_max_pool2d_18,
            max_pool2d_8,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.map::<
                __Cnn_chains::ReluGrad,
                _,
                _,
                _,
                _,
            >([d_conv_20], [(d_relu_19, [true]), (relu_6, [true])], [4704 * batch], []);
        k.reduce(
            conv_21,
            d_conv_20,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 6, 28, 28],
                kept: [false, true, false, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.conv2d_input_grad(
                d_image_24,
                d_conv_20,
                conv_weight_1,
                scratch
                    .part(
                        offsets[9],
                        ::gradiron::ops::conv2d::Conv2dSpec {
                            batch: batch,
                            in_channels: 1,
                            out_channels: 6,
                            height: 28,
                            width: 28,
                            kernel: [5, 5],
                            stride: [1, 1],
                            padding: [2, 2],
                            dilation: [1, 1],
                            groups: 1,
                        }
                            .input_grad_scratch(),
                    ),
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                },
            );
        }
        k.conv2d_weight_grad(
            d_conv_weight_25,
            d_conv_20,
            image_0,
            scratch
                .part(
                    offsets[10],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .weight_grad_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
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
    ) -> ::gradiron::arena::Layout<13usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [
                4704 * batch,
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .forward_scratch(),
                1176 * batch,
                1176 * batch,
                10 * batch,
                10 * batch,
                10 * batch,
                10 * batch,
                10 * batch,
                1176 * batch,
                4704 * batch,
                if want_inputs {
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .input_grad_scratch()
                } else {
                    0
                },
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .weight_grad_scratch(),
            ],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    19u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    0u32,
                    0u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    16u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    18u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    7u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    7u32,
                    13u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    8u32,
                    13u32,
                    ::gradiron::arena::Part::Saved,
                ),
                ::gradiron::arena::Life::new(
                    8u32,
                    9u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    13u32,
                    16u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    15u32,
                    18u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    18u32,
                    24u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    23u32,
                    23u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    24u32,
                    24u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __loss_TABLE: usize = 2usize + 13usize;
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
    ) -> ::gradiron::arena::Layout<5usize> {
        let batch = n[0];
        ::gradiron::arena::plan(
            [
                4704 * batch,
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                }
                    .forward_scratch(),
                1176 * batch,
                10 * batch,
                10 * batch,
            ],
            [
                ::gradiron::arena::Life::new(
                    0u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    0u32,
                    0u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    5u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    7u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    7u32,
                    9u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __loss_INFER_TABLE: usize = 2usize + 5usize;
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
        272912 * batch
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
        let conv_weight_2 = params.part(Self::__AT[0], 150);
        let conv_3 = scratch.part(offsets[2], 4704 * batch);
        let conv_5 = params.part(Self::__AT[1], 6);
        let relu_7 = scratch.part(offsets[2], 4704 * batch);
        let max_pool2d_8 = scratch.part(offsets[4], 1176 * batch);
        let flatten_10 = scratch.part(offsets[4], 1176 * batch);
        let fc_weight_11 = params.part(Self::__AT[2], 11760);
        let fc_12 = scratch.part(offsets[5], 10 * batch);
        let fc_bias_13 = params.part(Self::__AT[3], 10);
        let fc_14 = scratch.part(offsets[5], 10 * batch);
        let softmax_15 = scratch.part(offsets[6], 10 * batch);
        let target_1 = args[1];
        let mse_loss_17 = scratch.part(offsets[6], 10 * batch);
        let mse_loss_18 = results[0];
        k.conv2d(
            conv_3,
            image_0,
            conv_weight_2,
            scratch
                .part(
                    offsets[3],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .forward_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
            },
        );
        k.map::<
                __Cnn_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_7],
            [(conv_3, [true, true, true]), (conv_5, [false, true, false])],
            [batch, 6, 784],
            [],
        );
        k.max_pool2d(
            max_pool2d_8,
            None,
            relu_7,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.matmul(
            fc_12,
            flatten_10,
            fc_weight_11,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 1176,
                n: 10,
            },
        );
        k.map::<
                __Cnn_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc_14],
            [(fc_12, [true, true]), (fc_bias_13, [false, true])],
            [batch, 10],
            [],
        );
        k.softmax(
            softmax_15,
            fc_14,
            ::gradiron::ops::softmax::SoftmaxSpec {
                outer: batch,
                size: 10,
                inner: 1,
            },
        );
        k.map::<
                __Cnn_chains::SubSquare,
                _,
                _,
                _,
                _,
            >(
            [mse_loss_17],
            [(softmax_15, [true]), (target_1, [true])],
            [10 * batch],
            [],
        );
        k.reduce(
            mse_loss_18,
            mse_loss_17,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0 / (10 * batch) as f32,
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
        let conv_weight_2 = params.part(Self::__AT[0], 150);
        let conv_3 = saved.part(offsets[2], 4704 * batch);
        let conv_5 = params.part(Self::__AT[1], 6);
        let relu_7 = saved.part(offsets[2], 4704 * batch);
        let max_pool2d_8 = saved.part(offsets[4], 1176 * batch);
        let max_pool2d_9 = saved.part(offsets[5], 1176 * batch);
        let flatten_10 = saved.part(offsets[4], 1176 * batch);
        let fc_weight_11 = params.part(Self::__AT[2], 11760);
        let fc_12 = scratch.part(offsets[6], 10 * batch);
        let fc_bias_13 = params.part(Self::__AT[3], 10);
        let fc_14 = scratch.part(offsets[6], 10 * batch);
        let softmax_15 = saved.part(offsets[7], 10 * batch);
        let target_1 = args[1];
        let mse_loss_16 = saved.part(offsets[8], 10 * batch);
        let mse_loss_17 = scratch.part(offsets[9], 10 * batch);
        let mse_loss_18 = results[0];
        k.conv2d(
            conv_3,
            image_0,
            conv_weight_2,
            scratch
                .part(
                    offsets[3],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .forward_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
            },
        );
        k.map::<
                __Cnn_chains::AddRelu,
                _,
                _,
                _,
                _,
            >(
            [relu_7],
            [(conv_3, [true, true, true]), (conv_5, [false, true, false])],
            [batch, 6, 784],
            [],
        );
        k.max_pool2d(
            max_pool2d_8,
            Some(max_pool2d_9),
            relu_7,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.matmul(
            fc_12,
            flatten_10,
            fc_weight_11,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 1176,
                n: 10,
            },
        );
        k.map::<
                __Cnn_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [fc_14],
            [(fc_12, [true, true]), (fc_bias_13, [false, true])],
            [batch, 10],
            [],
        );
        k.softmax(
            softmax_15,
            fc_14,
            ::gradiron::ops::softmax::SoftmaxSpec {
                outer: batch,
                size: 10,
                inner: 1,
            },
        );
        k.map::<
                __Cnn_chains::SubSquare2,
                _,
                _,
                _,
                _,
            >(
            [mse_loss_16, mse_loss_17],
            [(softmax_15, [true]), (target_1, [true])],
            [10 * batch],
            [],
        );
        k.reduce(
            mse_loss_18,
            mse_loss_17,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0 / (10 * batch) as f32,
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
        let mse_loss_20 = d_results[0];
        let mse_loss_16 = saved.part(offsets[8], 10 * batch);
        let d_mse_loss_24 = saved.part(offsets[8], 10 * batch);
        let d_target_25 = d_args[1];
        let softmax_15 = saved.part(offsets[7], 10 * batch);
        let d_fc_26 = scratch.part(offsets[10], 10 * batch);
        let d_fc_bias_27 = d_params.part(Self::__AT[3], 10);
        let fc_weight_11 = params.part(Self::__AT[2], 11760);
        let d_flatten_28 = scratch.part(offsets[11], 1176 * batch);
        let flatten_10 = saved.part(offsets[4], 1176 * batch);
        let d_fc_weight_29 = d_params.part(Self::__AT[2], 11760);
        let d_max_pool2d_30 = scratch.part(offsets[11], 1176 * batch);
        let max_pool2d_9 = saved.part(offsets[5], 1176 * batch);
        let d_relu_31 = scratch.part(offsets[12], 4704 * batch);
        let relu_7 = saved.part(offsets[2], 4704 * batch);
        let d_conv_32 = scratch.part(offsets[12], 4704 * batch);
        let conv_33 = d_params.part(Self::__AT[1], 6);
        let conv_weight_2 = params.part(Self::__AT[0], 150);
        let d_image_36 = d_args[0];
        let image_0 = args[0];
        let d_conv_weight_37 = d_params.part(Self::__AT[0], 150);
        k.map::<
                __Cnn_chains::CopyMulSquareGrad,
                _,
                _,
                _,
                _,
            >(
            [d_mse_loss_24],
            [(mse_loss_20, [false]), (mse_loss_16, [true])],
            [10 * batch],
            [1.0 / (10 * batch) as f32],
        );
        if want_inputs {
            k.map::<
                    __Cnn_chains::Neg,
                    _,
                    _,
                    _,
                    _,
                >([d_target_25], [(d_mse_loss_24, [true])], [10 * batch], []);
        }
        k.softmax_grad(
            d_fc_26,
            d_mse_loss_24,
            softmax_15,
            ::gradiron::ops::softmax::SoftmaxSpec {
                outer: batch,
                size: 10,
                inner: 1,
            },
        );
        k.reduce(
            d_fc_bias_27,
            d_fc_26,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 10],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        k.matmul(
            d_flatten_28,
            d_fc_26,
            fc_weight_11,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NN,
                m: batch,
                k: 10,
                n: 1176,
            },
        );
        k.matmul(
            d_fc_weight_29,
            d_fc_26,
            flatten_10,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 10,
                k: batch,
                n: 1176,
            },
        );
        k.max_pool2d_grad(
            d_relu_31,
            d_max_pool2d_30,
            max_pool2d_9,
            ::gradiron::ops::pool2d::Pool2dSpec {
                planes: 6 * batch,
                height: 28,
                width: 28,
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
        );
        k.map::<
                __Cnn_chains::ReluGrad,
                _,
                _,
                _,
                _,
            >([d_conv_32], [(d_relu_31, [true]), (relu_7, [true])], [4704 * batch], []);
        k.reduce(
            conv_33,
            d_conv_32,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 6, 28, 28],
                kept: [false, true, false, false],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.conv2d_input_grad(
                d_image_36,
                d_conv_32,
                conv_weight_2,
                scratch
                    .part(
                        offsets[13],
                        ::gradiron::ops::conv2d::Conv2dSpec {
                            batch: batch,
                            in_channels: 1,
                            out_channels: 6,
                            height: 28,
                            width: 28,
                            kernel: [5, 5],
                            stride: [1, 1],
                            padding: [2, 2],
                            dilation: [1, 1],
                            groups: 1,
                        }
                            .input_grad_scratch(),
                    ),
                ::gradiron::ops::conv2d::Conv2dSpec {
                    batch: batch,
                    in_channels: 1,
                    out_channels: 6,
                    height: 28,
                    width: 28,
                    kernel: [5, 5],
                    stride: [1, 1],
                    padding: [2, 2],
                    dilation: [1, 1],
                    groups: 1,
                },
            );
        }
        k.conv2d_weight_grad(
            d_conv_weight_37,
            d_conv_32,
            image_0,
            scratch
                .part(
                    offsets[14],
                    ::gradiron::ops::conv2d::Conv2dSpec {
                        batch: batch,
                        in_channels: 1,
                        out_channels: 6,
                        height: 28,
                        width: 28,
                        kernel: [5, 5],
                        stride: [1, 1],
                        padding: [2, 2],
                        dilation: [1, 1],
                        groups: 1,
                    }
                        .weight_grad_scratch(),
                ),
            ::gradiron::ops::conv2d::Conv2dSpec {
                batch: batch,
                in_channels: 1,
                out_channels: 6,
                height: 28,
                width: 28,
                kernel: [5, 5],
                stride: [1, 1],
                padding: [2, 2],
                dilation: [1, 1],
                groups: 1,
            },
        );
    }
}
#[allow(clippy::all)]
#[automatically_derived]
impl Cnn {
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
        let indices = ::gradiron::arena::max(&[0, 0]);
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
    ///Inference: image `[batch, 1, 28, 28]` → `[batch, 10]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn forward<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[[[f32; 28]; 28]; 1]],
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
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__forward_infer(
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
        image: &[[[[f32; 28]; 28]; 1]],
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
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__forward_train(
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
                <Cnn>::__forward_back(
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
                        <Cnn>::__AT[<Cnn>::__AT.len() - 1],
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
        image: &[[[[f32; 28]; 28]; 1]],
        d_result: &[[f32; 10]],
    ) -> Result<(&'w [[f32; 10]], &'w [[[[f32; 28]; 28]; 1]]), ::gradiron::InputError> {
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
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__forward_train(
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
                <Cnn>::__forward_back(
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
                        <Cnn>::__AT[<Cnn>::__AT.len() - 1],
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
    ///Inference: image `[batch, 1, 28, 28]`, target `[batch, 10]` → `[]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    pub fn loss<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        image: &[[[[f32; 28]; 28]; 1]],
        target: &[[f32; 10]],
    ) -> Result<f32, ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "target", target.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(image),
            ::gradiron::view::flat(target),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                10 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::Infer));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__loss_infer(
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
        image: &[[[[f32; 28]; 28]; 1]],
        target: &[[f32; 10]],
    ) -> Result<f32, ::gradiron::InputError> {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "target", target.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(image),
            ::gradiron::view::flat(target),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                10 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let d_results = [places.take(1)];
        let d_args = [places.take(0), places.take(0)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::Grad));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__loss_train(
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
                <Cnn>::__loss_back(
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
                        <Cnn>::__AT[<Cnn>::__AT.len() - 1],
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
        image: &[[[[f32; 28]; 28]; 1]],
        target: &[[f32; 10]],
    ) -> Result<
        (f32, (&'w [[[[f32; 28]; 28]; 1]], &'w [[f32; 10]])),
        ::gradiron::InputError,
    > {
        let batch = ws.size(0usize, "image", image.len(), 1)?;
        ws.same(0usize, "target", target.len(), 1, batch)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        let mut index_at = 0;
        let classes = [];
        let host = Some(&self.params);
        let inputs: &[&[f32]] = &[
            ::gradiron::view::flat(image),
            ::gradiron::view::flat(target),
        ];
        let args = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(0u8),
                0,
                784 * batch,
            ),
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                10 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(1)];
        let d_results = [places.take(1)];
        let d_args = [places.take(784 * batch), places.take(10 * batch)];
        let block = places.rest(ws.floats(1usize, ::gradiron::Pass::GradInputs));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Cnn>::__AT[<Cnn>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            1usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Cnn>::__loss_train(
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
                <Cnn>::__loss_back(
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
                        <Cnn>::__AT[<Cnn>::__AT.len() - 1],
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
}
