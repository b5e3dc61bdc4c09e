/**

| parameter | shape |
|---|---|
| `first.weight` | `[64, 16]` |
| `first.bias` | `[64]` |
| `blocks` | `4 × Block<64>` |
| `head` | `Head` |
*/
#[derive(Clone, Debug)]
struct Net {
    params: ::gradiron::Storage,
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::all)]
mod __Net_chains {
    use ::gradiron::math::Arith;
    use ::gradiron::ops::elementwise::{Elementwise, functions};
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
}
#[allow(clippy::all, non_upper_case_globals)]
#[automatically_derived]
impl Net {
    const __AT: [usize; 4usize + 1] = {
        let mut at = [0; 4usize + 1];
        at[1usize] = at[0usize] + 1024;
        at[2usize] = at[1usize] + 64;
        at[3usize] = at[2usize] + 4 * <Block<64> as ::gradiron::Module>::PARAMS;
        at[4usize] = at[3usize] + <Head as ::gradiron::Module>::PARAMS;
        at
    };
}
#[allow(clippy::all)]
#[automatically_derived]
impl ::gradiron::Module for Net {
    const PARAMS: usize = Self::__AT[4usize];
    fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
        let () = Self::__CHECK;
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "first.weight"),
                shape: vec![64, 16],
                start: start + Self::__AT[0usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 16,
                    a: 2.236_068,
                },
            });
        specs
            .push(::gradiron::ParamSpec {
                name: format!("{prefix}{}", "first.bias"),
                shape: vec![64],
                start: start + Self::__AT[1usize],
                init: ::gradiron::init::Init::KaimingUniform {
                    fan_in: 16,
                    a: 2.236_068,
                },
            });
        for i in 0..4 {
            let at = Self::__AT[2usize] + i * <Block<64> as ::gradiron::Module>::PARAMS;
            <Block<
                64,
            > as ::gradiron::Module>::describe(
                &format!("{prefix}{}.{i}.", "blocks"),
                start + at,
                specs,
            );
        }
        <Head as ::gradiron::Module>::describe(
            &format!("{prefix}{}.", "head"),
            start + Self::__AT[3usize],
            specs,
        );
    }
}
#[automatically_derived]
impl ::gradiron::Model for Net {
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
impl Net {
    /// The number of parameters.
    pub const PARAMS: usize = <Self as ::gradiron::Module>::PARAMS;
    /// New parameters, drawn from `seed` by PyTorch's default initialisers.
    pub fn init(seed: ::gradiron::Seed) -> Self {
        let () = Self::__CHECK;
        Self {
            params: ::gradiron::init_params::<Self>(seed),
        }
    }
    ///The parameters of the layer `first`.
    pub fn first(&self) -> ::gradiron::view::Layer<'_, [[f32; 16]; 64], [f32; 64]> {
        ::gradiron::view::Layer::new(
            ::gradiron::view::array(
                &self.params.as_slice()[Self::__AT[0usize]..][..1024],
            ),
            ::gradiron::view::array(&self.params.as_slice()[Self::__AT[1usize]..][..64]),
        )
    }
}
#[allow(unused_variables, clippy::all)]
#[automatically_derived]
impl ::gradiron::Program for Net {
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
impl Net {
    #[doc(hidden)]
    pub const fn __forward_floats(
        n: ::gradiron::arena::Sizes,
        pass: ::gradiron::Pass,
    ) -> usize {
        let batch = n[0];
        let results = 0 + ::gradiron::arena::padded(2 * batch);
        let d_args = 0 + ::gradiron::arena::padded(16 * batch);
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
const _: () = {
    let () = <Block<64>>::__CHECK;
    ::gradiron::check::call(
        &<Block<64>>::__forward_SIGNATURE,
        "blocks",
        true,
        &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(64),
                ],
            },
        ],
        &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(64),
                ],
            },
        ],
    )
};
const _: () = {
    let () = <Head>::__CHECK;
    ::gradiron::check::call(
        &<Head>::__forward_SIGNATURE,
        "head",
        false,
        &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(64),
                ],
            },
        ],
        &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(2),
                ],
            },
        ],
    )
};
#[allow(non_upper_case_globals, clippy::all)]
#[automatically_derived]
impl Net {
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
                        ::gradiron::check::Size::Fixed(16),
                    ],
                },
            ),
        ],
        results: &[
            ::gradiron::check::TypeSig {
                classes: false,
                dims: &[
                    ::gradiron::check::Size::Run("batch"),
                    ::gradiron::check::Size::Fixed(2),
                ],
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
impl Net {
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
    ) -> ::gradiron::arena::Layout<12usize> {
        let batch = n[0];
        let saved_0 = <Block<64>>::__forward_saved(<Block<64>>::__forward_bind([batch]));
        let scratch_0 = <Block<
            64,
        >>::__forward_scratch(<Block<64>>::__forward_bind([batch]));
        let saved_1 = <Head>::__forward_saved(<Head>::__forward_bind([batch]));
        let scratch_1 = <Head>::__forward_scratch(<Head>::__forward_bind([batch]));
        ::gradiron::arena::plan(
            [
                64 * batch,
                64 * batch,
                192 * batch,
                4 * saved_0,
                scratch_0,
                0,
                saved_1,
                scratch_1,
                64 * batch,
                scratch_1,
                64 * batch,
                128 * batch + scratch_0,
            ],
            [
                ::gradiron::arena::Life::new(0u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(2u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(2u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(2u32, 5u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    2u32,
                    2u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(3u32, 4u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(3u32, 4u32, ::gradiron::arena::Part::Saved),
                ::gradiron::arena::Life::new(
                    3u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    4u32,
                    5u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    4u32,
                    4u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    8u32,
                    ::gradiron::arena::Part::Backward,
                ),
                ::gradiron::arena::Life::new(
                    5u32,
                    5u32,
                    ::gradiron::arena::Part::Backward,
                ),
            ],
            whole,
        )
    }
    #[doc(hidden)]
    pub const __forward_TABLE: usize = 2usize + 12usize + <Block<64>>::__forward_TABLE
        + <Head>::__forward_TABLE;
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
        <Block<
            64,
        >>::__forward_offsets(<Block<64>>::__forward_bind([batch]), true, false, out);
        <Head>::__forward_offsets(<Head>::__forward_bind([batch]), true, false, out);
    }
    #[doc(hidden)]
    pub const fn __forward_infer_layout(
        n: ::gradiron::arena::Sizes,
    ) -> ::gradiron::arena::Layout<4usize> {
        let batch = n[0];
        let infer_scratch_0 = <Block<
            64,
        >>::__forward_infer_scratch(<Block<64>>::__forward_bind([batch]));
        let infer_scratch_1 = <Head>::__forward_infer_scratch(
            <Head>::__forward_bind([batch]),
        );
        ::gradiron::arena::plan(
            [64 * batch, 64 * batch, 64 * batch + infer_scratch_0, infer_scratch_1],
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
                ::gradiron::arena::Life::new(
                    2u32,
                    2u32,
                    ::gradiron::arena::Part::Forward,
                ),
                ::gradiron::arena::Life::new(
                    3u32,
                    3u32,
                    ::gradiron::arena::Part::Forward,
                ),
            ],
            true,
        )
    }
    #[doc(hidden)]
    pub const __forward_INFER_TABLE: usize = 2usize + 4usize
        + <Block<64>>::__forward_INFER_TABLE + <Head>::__forward_INFER_TABLE;
    #[doc(hidden)]
    pub fn __forward_infer_offsets(n: ::gradiron::arena::Sizes, out: &mut Vec<usize>) {
        let batch = n[0];
        let layout = Self::__forward_infer_layout(n);
        out.extend_from_slice(&[layout.saved, layout.scratch]);
        out.extend_from_slice(&layout.offsets);
        <Block<64>>::__forward_infer_offsets(<Block<64>>::__forward_bind([batch]), out);
        <Head>::__forward_infer_offsets(<Head>::__forward_bind([batch]), out);
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
        let flops_0 = <Block<64>>::__forward_flops(<Block<64>>::__forward_bind([batch]));
        let flops_1 = <Head>::__forward_flops(<Head>::__forward_bind([batch]));
        2112 * batch + 4 * flops_0 + flops_1
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
        let offsets_0 = &offsets[6usize..][..<Block<64>>::__forward_INFER_TABLE];
        let infer_scratch_0 = offsets_0[0usize];
        let offsets_1 = &offsets[6usize
            + <Block<64>>::__forward_INFER_TABLE..][..<Head>::__forward_INFER_TABLE];
        let infer_scratch_1 = offsets_1[0usize];
        let x_0 = args[0];
        let first_weight_1 = params.part(Self::__AT[0], 1024);
        let first_2 = scratch.part(offsets[2], 64 * batch);
        let first_bias_3 = params.part(Self::__AT[1], 64);
        let first_4 = scratch.part(offsets[2], 64 * batch);
        let blocks_5 = params
            .part(Self::__AT[2], 4 * <Block<64> as ::gradiron::Module>::PARAMS);
        let blocks_6 = scratch.part(offsets[3], 64 * batch);
        let head_9 = params.part(Self::__AT[3], <Head as ::gradiron::Module>::PARAMS);
        let head_10 = results[0];
        k.matmul(
            first_2,
            x_0,
            first_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 16,
                n: 64,
            },
        );
        k.map::<
                __Net_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [first_4],
            [(first_2, [true, true]), (first_bias_3, [false, true])],
            [batch, 64],
            [],
        );
        {
            let count = 4;
            let between = scratch
                .part(offsets[4], 64 * batch + infer_scratch_0)
                .part(infer_scratch_0, 64 * batch);
            for i in 0..count {
                let at = |i: usize| {
                    if (count - i) % 2 == 0 { blocks_6 } else { between }
                };
                let from = if i == 0 { first_4 } else { at(i) };
                <Block<
                    64,
                >>::__forward_infer(
                    k,
                    <Block<64>>::__forward_bind([batch]),
                    offsets_0,
                    blocks_5
                        .part(
                            i * <Block<64> as ::gradiron::Module>::PARAMS,
                            <Block<64> as ::gradiron::Module>::PARAMS,
                        ),
                    [from],
                    [],
                    [at(i + 1)],
                    scratch
                        .part(offsets[4], 64 * batch + infer_scratch_0)
                        .part(0, infer_scratch_0),
                );
            }
        }
        <Head>::__forward_infer(
            k,
            <Head>::__forward_bind([batch]),
            offsets_1,
            head_9,
            [blocks_6],
            [],
            [head_10],
            scratch.part(offsets[5], infer_scratch_1),
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
        let offsets_0 = &offsets[14usize..][..<Block<64>>::__forward_TABLE];
        let saved_0 = offsets_0[0usize];
        let scratch_0 = offsets_0[1usize];
        let offsets_1 = &offsets[14usize
            + <Block<64>>::__forward_TABLE..][..<Head>::__forward_TABLE];
        let saved_1 = offsets_1[0usize];
        let scratch_1 = offsets_1[1usize];
        let x_0 = args[0];
        let first_weight_1 = params.part(Self::__AT[0], 1024);
        let first_2 = saved.part(offsets[2], 64 * batch);
        let first_bias_3 = params.part(Self::__AT[1], 64);
        let first_4 = saved.part(offsets[2], 64 * batch);
        let blocks_5 = params
            .part(Self::__AT[2], 4 * <Block<64> as ::gradiron::Module>::PARAMS);
        let blocks_6 = saved.part(offsets[3], 64 * batch);
        let blocks_7 = saved.part(offsets[4], 192 * batch);
        let blocks_8 = saved.part(offsets[5], 4 * saved_0);
        let head_9 = params.part(Self::__AT[3], <Head as ::gradiron::Module>::PARAMS);
        let head_10 = results[0];
        let head_11 = saved.part(offsets[7], 0);
        let head_12 = saved.part(offsets[8], saved_1);
        k.matmul(
            first_2,
            x_0,
            first_weight_1,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::NT,
                m: batch,
                k: 16,
                n: 64,
            },
        );
        k.map::<
                __Net_chains::Add,
                _,
                _,
                _,
                _,
            >(
            [first_4],
            [(first_2, [true, true]), (first_bias_3, [false, true])],
            [batch, 64],
            [],
        );
        {
            let count = 4;
            for i in 0..count {
                let at = |i: usize| {
                    if i == 0 {
                        first_4
                    } else if i == count {
                        blocks_6
                    } else {
                        blocks_7.part((i - 1) * 64 * batch, 64 * batch)
                    }
                };
                <Block<
                    64,
                >>::__forward_train(
                    k,
                    <Block<64>>::__forward_bind([batch]),
                    offsets_0,
                    blocks_5
                        .part(
                            i * <Block<64> as ::gradiron::Module>::PARAMS,
                            <Block<64> as ::gradiron::Module>::PARAMS,
                        ),
                    [at(i)],
                    [],
                    [at(i + 1)],
                    blocks_8.part(i * saved_0, saved_0),
                    scratch.part(offsets[6], scratch_0),
                );
            }
        }
        <Head>::__forward_train(
            k,
            <Head>::__forward_bind([batch]),
            offsets_1,
            head_9,
            [blocks_6],
            [],
            [head_10],
            head_12,
            scratch.part(offsets[9], scratch_1),
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
        let offsets_0 = &offsets[14usize..][..<Block<64>>::__forward_TABLE];
        let saved_0 = offsets_0[0usize];
        let scratch_0 = offsets_0[1usize];
        let offsets_1 = &offsets[14usize
            + <Block<64>>::__forward_TABLE..][..<Head>::__forward_TABLE];
        let saved_1 = offsets_1[0usize];
        let scratch_1 = offsets_1[1usize];
        let head_9 = params.part(Self::__AT[3], <Head as ::gradiron::Module>::PARAMS);
        let blocks_6 = saved.part(offsets[3], 64 * batch);
        let head_10 = results[0];
        let head_11 = saved.part(offsets[7], 0);
        let head_12 = saved.part(offsets[8], saved_1);
        let d_head_13 = d_results[0];
        let d_head_14 = d_params
            .part(Self::__AT[3], <Head as ::gradiron::Module>::PARAMS);
        let d_blocks_15 = scratch.part(offsets[10], 64 * batch);
        let blocks_5 = params
            .part(Self::__AT[2], 4 * <Block<64> as ::gradiron::Module>::PARAMS);
        let first_4 = saved.part(offsets[2], 64 * batch);
        let blocks_7 = saved.part(offsets[4], 192 * batch);
        let blocks_8 = saved.part(offsets[5], 4 * saved_0);
        let d_blocks_16 = d_params
            .part(Self::__AT[2], 4 * <Block<64> as ::gradiron::Module>::PARAMS);
        let d_first_17 = scratch.part(offsets[12], 64 * batch);
        let d_first_bias_18 = d_params.part(Self::__AT[1], 64);
        let first_weight_1 = params.part(Self::__AT[0], 1024);
        let d_x_19 = d_args[0];
        let x_0 = args[0];
        let d_first_weight_20 = d_params.part(Self::__AT[0], 1024);
        <Head>::__forward_back(
            k,
            <Head>::__forward_bind([batch]),
            offsets_1,
            true,
            head_9,
            [blocks_6],
            [],
            [head_10],
            head_12,
            [d_head_13],
            d_head_14,
            [d_blocks_15],
            scratch.part(offsets[11], scratch_1).part(0, scratch_1),
        );
        {
            let count = 4;
            for i in (0..count).rev() {
                let at = |i: usize| {
                    if i == 0 {
                        first_4
                    } else if i == count {
                        blocks_6
                    } else {
                        blocks_7.part((i - 1) * 64 * batch, 64 * batch)
                    }
                };
                let d_at = |i: usize| {
                    if i == 0 {
                        d_first_17
                    } else if i == count {
                        d_blocks_15
                    } else {
                        scratch
                            .part(offsets[13], 128 * batch + scratch_0)
                            .part(scratch_0 + i % 2 * 64 * batch, 64 * batch)
                    }
                };
                <Block<
                    64,
                >>::__forward_back(
                    k,
                    <Block<64>>::__forward_bind([batch]),
                    offsets_0,
                    i > 0 || true,
                    blocks_5
                        .part(
                            i * <Block<64> as ::gradiron::Module>::PARAMS,
                            <Block<64> as ::gradiron::Module>::PARAMS,
                        ),
                    [at(i)],
                    [],
                    [at(i + 1)],
                    blocks_8.part(i * saved_0, saved_0),
                    [d_at(i + 1)],
                    d_blocks_16
                        .part(
                            i * <Block<64> as ::gradiron::Module>::PARAMS,
                            <Block<64> as ::gradiron::Module>::PARAMS,
                        ),
                    [d_at(i)],
                    scratch.part(offsets[13], 128 * batch + scratch_0).part(0, scratch_0),
                );
            }
        }
        k.reduce(
            d_first_bias_18,
            d_first_17,
            ::gradiron::ops::reduce::ReduceSpec {
                dims: [batch, 64],
                kept: [false, true],
                kind: ::gradiron::ops::reduce::ReduceKind::Sum,
                scale: 1.0,
            },
        );
        if want_inputs {
            k.matmul(
                d_x_19,
                d_first_17,
                first_weight_1,
                ::gradiron::ops::matmul::MatmulSpec {
                    layout: ::gradiron::ops::matmul::Layout::NN,
                    m: batch,
                    k: 64,
                    n: 16,
                },
            );
        }
        k.matmul(
            d_first_weight_20,
            d_first_17,
            x_0,
            ::gradiron::ops::matmul::MatmulSpec {
                layout: ::gradiron::ops::matmul::Layout::TN,
                m: 64,
                k: batch,
                n: 16,
            },
        );
    }
}
#[allow(clippy::all)]
#[automatically_derived]
impl Net {
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
    ///Inference: x `[batch, 16]` → `[batch, 2]`.
    ///
    /// # Errors
    /// When an input does not fit the workspace or another input.
    #[allow(unused_variables, unused_parens, clippy::all)]
    fn forward<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; 16]],
    ) -> Result<&'w [[f32; 2]], ::gradiron::InputError> {
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
                16 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(2 * batch)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Infer));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Net>::__AT[<Net>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Infer,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Net>::__forward_infer(
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
    fn forward_grad<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; 16]],
        d_result: &[[f32; 2]],
    ) -> Result<&'w [[f32; 2]], ::gradiron::InputError> {
        let batch = ws.size(0usize, "x", x.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), 2 * batch)?;
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
                16 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(2 * batch)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                2 * batch,
            ),
        ];
        let d_args = [places.take(0)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::Grad));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Net>::__AT[<Net>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::Grad,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Net>::__forward_train(
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
                <Net>::__forward_back(
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
                        <Net>::__AT[<Net>::__AT.len() - 1],
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
    fn forward_grad_inputs<'w, Device__: ::gradiron::device::Device>(
        &self,
        ws: &'w mut ::gradiron::Workspace<Self, Device__>,
        x: &[[f32; 16]],
        d_result: &[[f32; 2]],
    ) -> Result<(&'w [[f32; 2]], &'w [[f32; 16]]), ::gradiron::InputError> {
        let batch = ws.size(0usize, "x", x.len(), 1)?;
        let n: ::gradiron::arena::Sizes = [batch, 1, 1, 1];
        ws.exact("d_result", ::gradiron::view::flat(d_result).len(), 2 * batch)?;
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
                16 * batch,
            ),
        ];
        let mut places = ::gradiron::arena::Places::default();
        let results = [places.take(2 * batch)];
        let d_results = [
            ::gradiron::device::Buf::new(
                ::gradiron::device::Region::Input(1u8),
                0,
                2 * batch,
            ),
        ];
        let d_args = [places.take(16 * batch)];
        let block = places.rest(ws.floats(0usize, ::gradiron::Pass::GradInputs));
        let params = ::gradiron::device::Buf::new(
            ::gradiron::device::Region::Params,
            0,
            <Net>::__AT[<Net>::__AT.len() - 1],
        );
        ws.run(
            host,
            inputs,
            0usize,
            ::gradiron::Pass::GradInputs,
            |k, offsets| {
                use ::gradiron::ops::copy::Fill as _;
                <Net>::__forward_train(
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
                <Net>::__forward_back(
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
                        <Net>::__AT[<Net>::__AT.len() - 1],
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
