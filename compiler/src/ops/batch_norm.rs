//! Batch normalisation: one op for the user and for differentiation, which is then expanded into
//! its statistics and elementwise ops.
//!
//! `y = (x − mean) · scale + shift` with `scale = w · invstd` and `shift = b − rest · scale`, where
//! `mean + rest` is the mean in two `f32`s. The mean is taken away before anything is multiplied,
//! so that nothing cancels however far it is from zero.

use proc_macro2::{Literal, TokenStream};

use super::elementwise::{Constant, Elementwise};
use super::shaping::Reshape;
use super::{Backward, Emission, Emit, Expand, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, Shape, product};
use crate::graph::{Kind, Ty, ValueId};
use crate::hygiene::quote;

/// The options of PyTorch's `BatchNorm1d` and `BatchNorm2d`.
#[derive(Clone, Debug)]
pub struct Options {
    pub eps: f64,
    /// The weight of a batch in the running statistics; none: all batches weigh the same.
    pub momentum: Option<f64>,
    /// Whether there are a weight and a bias.
    pub affine: bool,
    /// Whether there are running statistics.
    pub track: bool,
}

/// `y, mean, rest, invstd, new_state` from `x, weight, bias, state`, the weight and the bias when
/// `affine`. The state are the running mean, the running variance and the number of batches.
#[derive(Clone, Debug)]
pub struct BatchNorm(pub Options);

/// `mean, rest, invstd, new_state` from `x, state`.
#[derive(Clone, Debug)]
pub struct Statistics(pub Options);

/// `Σ d_y · x̂, Σ d_y` of each channel from `d_y, x, mean, rest, invstd`; the flag says whether there
/// are running statistics.
#[derive(Clone, Debug)]
pub struct Sums(pub bool);

/// `[channels]` of `x`.
fn per_channel(x: &Ty) -> Ty {
    Ty::float([x.dims()[1].clone()])
}

/// The number of elements of a channel.
fn count(x: &Ty) -> Dim {
    x.dims()[0].times(&product(&x.dims()[2..]))
}

/// `[channels, 1, 1]` where `x` is `[batch, channels, height, width]`.
pub fn planes(x: &Ty) -> Shape {
    let ones = x.dims()[2..].iter().map(|_| Dim::lit(1));
    Shape([x.dims()[1].clone()].into_iter().chain(ones).collect())
}

fn spec(x: &Ty, eps: f64) -> TokenStream {
    let (room, eps) = (room("batch_norm"), Literal::f32_suffixed(eps as f32));
    let [batch, channels] = [0, 1].map(|i| x.dims()[i].tokens());
    let inner = product(&x.dims()[2..]).tokens();
    quote! {
        #room::BatchNormSpec { batch: #batch, channels: #channels, inner: #inner, eps: #eps }
    }
}

impl Op for BatchNorm {
    fn name(&self) -> String {
        "batch_norm".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let statistics = per_channel(&inputs[0]);
        let state = inputs.iter().filter(|ty| ty.kind == Kind::State).cloned();
        let statistics = vec![statistics; 3];
        let made = [inputs[0].clone()].into_iter().chain(statistics);
        Ok(made.chain(state).collect())
    }
}

impl Transform for BatchNorm {
    fn backward(&self, b: &mut Backward) {
        let (x, d_y) = (b.inputs[0], b.d_y());
        let [mean, rest, invstd] = [1, 2, 3].map(|k| b.outputs[k]);
        let weight = self.0.affine.then(|| b.inputs[1]);
        let first = usize::from(self.0.affine);
        let sums = b.ops(first, Sums(self.0.track), &[d_y, x, mean, rest, invstd]);
        if self.0.affine {
            b.set(1, sums[0]);
            b.set(2, sums[1]);
        }
        if !b.wants(0) {
            return;
        }
        // d_x = scale · (d_y − d_b / n − x̂ · d_w / n) = scale · (d_y + (x − mean) · slope +
        // offset), with slope = −invstd · d_w / n and offset = −d_b / n − rest · slope.
        let ty = b.ty(x);
        let share = b.op(0, Elementwise::constant(Constant::Over(1.0, count(&ty))), &[]);
        let mut op =
            |func: &'static str, inputs: &[ValueId]| b.op(0, Elementwise::new(func), inputs);
        let scale = match weight {
            Some(weight) => op("mul", &[weight, invstd]),
            None => invstd,
        };
        let mean_product = op("mul", &[sums[0], share]);
        let slope = op("mul", &[mean_product, invstd]);
        let slope = op("neg", &[slope]);
        let mean_d_y = op("mul", &[sums[1], share]);
        let offset = op("mul_add", &[rest, slope, mean_d_y]);
        let offset = op("neg", &[offset]);
        let planes = planes(&ty);
        let [scale, slope, mean, offset] =
            [scale, slope, mean, offset].map(|value| b.op(0, Reshape(planes.clone()), &[value]));
        let mut op =
            |func: &'static str, inputs: &[ValueId]| b.op(0, Elementwise::new(func), inputs);
        let centred = op("sub", &[x, mean]);
        let of_x = op("mul_add", &[centred, slope, offset]);
        let d_x = op("add", &[d_y, of_x]);
        let d_x = op("mul", &[d_x, scale]);
        b.set(0, d_x);
    }

    fn expand(&self, e: &mut Expand) -> Option<Vec<ValueId>> {
        let Options { eps, affine, track, .. } = self.0;
        let x = e.inputs[0];
        let state = e.inputs[if affine { 3 } else { 1 }..].to_vec();
        let from_state = e.inference && track;
        let statistics = match from_state {
            true => Vec::new(),
            false => {
                let inputs: Vec<_> = [x].into_iter().chain(state.iter().copied()).collect();
                e.ops(Statistics(self.0.clone()), &inputs)
            }
        };
        let (mean, scale) = if from_state {
            // What is made of parameters and state alone.
            let eps = e.op(Elementwise::constant(Constant::Literal(eps)), &[]);
            let var = e.op(Elementwise::new("add"), &[state[1], eps]);
            let std = e.op(Elementwise::new("sqrt"), &[var]);
            let weight = match affine {
                true => e.inputs[1],
                false => e.op(Elementwise::constant(Constant::Literal(1.0)), &[]),
            };
            (state[0], e.op(Elementwise::new("div"), &[weight, std]))
        } else if affine {
            let (weight, invstd) = (e.inputs[1], statistics[2]);
            (statistics[0], e.op(Elementwise::new("mul"), &[weight, invstd]))
        } else {
            (statistics[0], statistics[2])
        };
        let of_rest = (!from_state).then(|| e.op(Elementwise::new("mul"), &[statistics[1], scale]));
        let bias = affine.then(|| e.inputs[2]);
        let shift = match (bias, of_rest) {
            (Some(bias), Some(rest)) => Some(e.op(Elementwise::new("sub"), &[bias, rest])),
            (None, Some(rest)) => Some(e.op(Elementwise::new("neg"), &[rest])),
            (bias, None) => bias,
        };
        let planes = planes(e.graph.ty(x));
        let [mean, scale] = [mean, scale].map(|value| e.op(Reshape(planes.clone()), &[value]));
        let centred = e.op(Elementwise::new("sub"), &[x, mean]);
        let y = match shift {
            Some(shift) => {
                let shift = e.op(Reshape(planes), &[shift]);
                e.op(Elementwise::new("mul_add"), &[centred, scale, shift])
            }
            None => e.op(Elementwise::new("mul"), &[centred, scale]),
        };
        Some([y].into_iter().chain(statistics).collect())
    }
}

impl Emission for BatchNorm {
    fn emit(&self, _: &Emit) -> TokenStream {
        panic!("batch normalisation is expanded")
    }
}

impl Op for Statistics {
    fn name(&self) -> String {
        "batch_norm.statistics".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let statistics = per_channel(&inputs[0]);
        let made = vec![statistics; 3];
        Ok(made.into_iter().chain(inputs[1..].iter().cloned()).collect())
    }
}

impl Transform for Statistics {}

impl Emission for Statistics {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (mean, rest, invstd, x) = (e.y(0), e.y(1), e.y(2), e.x(0));
        let (spec, room) = (spec(&e.inputs[0], self.0.eps), room("batch_norm"));
        // In inference there is no new state.
        let running = match self.0.track && !e.inference {
            true => {
                let (old, new) = (&e.input_vars[1..], &e.output_vars[3..]);
                let momentum = match self.0.momentum {
                    Some(momentum) => {
                        let momentum = Literal::f32_suffixed(momentum as f32);
                        quote!(::core::option::Option::Some(#momentum))
                    }
                    None => quote!(::core::option::Option::None),
                };
                let running = quote! {
                    #room::Running { old: [#(#old),*], new: [#(#new),*], momentum: #momentum }
                };
                quote!(::core::option::Option::Some(#running))
            }
            false => quote!(::core::option::Option::None),
        };
        match self.0.track && !e.inference {
            true => quote! {
                #room::statistics(
                    k, want.frozen, [#mean, #rest], #invstd, #x, #running, #spec
                );
            },
            false => quote!(k.batch_norm_statistics([#mean, #rest], #invstd, #x, #running, #spec);),
        }
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(4))
    }
}

impl Op for Sums {
    fn name(&self) -> String {
        "batch_norm.sums".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![per_channel(&inputs[0]); 2])
    }
}

impl Transform for Sums {}

impl Emission for Sums {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (outputs, spec) = (&e.output_vars, spec(&e.inputs[0], 0.0));
        let [d_y, x, mean, rest, invstd] = [0, 1, 2, 3, 4].map(|i| e.x(i));
        let room = room("batch_norm");
        match self.0 {
            true => quote! {
                #room::sums(k, want.frozen, [#(#outputs),*], #d_y, #x, [#mean, #rest], #invstd, #spec);
            },
            false => {
                quote!(k.batch_norm_sums(#(#outputs,)* #d_y, #x, [#mean, #rest], #invstd, #spec);)
            }
        }
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(4))
    }
}
