//! Layer normalisation, with and without centring.

use proc_macro2::{Literal, TokenStream};

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// The options of PyTorch's `LayerNorm` and `RMSNorm`.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many axes, the last ones, are normalised together.
    pub axes: usize,
    pub eps: f64,
    /// Whether the mean is taken away.
    pub centred: bool,
    pub weight: bool,
    pub bias: bool,
}

/// `y, stats` from `x, weight, bias`, the last two where there are.
#[derive(Clone, Debug)]
pub struct LayerNorm(pub Options);

impl Options {
    /// The number of rows of `x` and their length.
    fn sizes(&self, x: &Ty) -> (Dim, Dim) {
        let (rows, row) = x.dims().split_at(x.shape.rank() - self.axes);
        (product(rows), product(row))
    }

    fn spec(&self, x: &Ty) -> TokenStream {
        let (rows, dim) = self.sizes(x);
        let (room, rows, dim) = (room("layer_norm"), rows.tokens(), dim.tokens());
        let (eps, centred) = (Literal::f32_suffixed(self.eps as f32), self.centred);
        quote! {
            #room::LayerNormSpec { rows: #rows, dim: #dim, eps: #eps, centred: #centred }
        }
    }

    fn name(&self) -> &'static str {
        if self.centred { "layer_norm" } else { "rms_norm" }
    }
}

/// Weight and bias, or their gradients, an empty range of `any` for what there is not.
fn affine(
    weight: Option<&TokenStream>,
    bias: Option<&TokenStream>,
    any: &TokenStream,
) -> TokenStream {
    let room = room("layer_norm");
    let [weight, bias] = [weight, bias].map(|buf| match buf {
        Some(buf) => buf.clone(),
        None => quote!(#any.part(0, 0)),
    });
    quote!(#room::Affine { weight: #weight, bias: #bias })
}

impl Op for LayerNorm {
    fn name(&self) -> String {
        self.0.name().into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (rows, _) = self.0.sizes(&inputs[0]);
        // The runtime's `layer_norm::STATS`.
        let stats = Ty { kind: Kind::Saved, ..Ty::float([rows.times(&Dim::lit(3))]) };
        Ok(vec![inputs[0].clone(), stats])
    }
}

impl Transform for LayerNorm {
    fn backward(&self, b: &mut Backward) {
        let of: Vec<_> = (0..b.inputs.len()).collect();
        let weight = self.0.weight.then(|| b.inputs[1]);
        let reads = [b.d_y(), b.inputs[0], b.outputs[1]].into_iter().chain(weight);
        grad::add(b, self, &of, &reads.collect::<Vec<_>>());
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        match axis + self.0.axes < s.whole[0].shape.rank() {
            true => s.same(self.clone(), axis),
            false => Err(NEEDS_ALL),
        }
    }
}

impl Emission for LayerNorm {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.0.spec(&e.inputs[0]));
        let weight = self.0.weight.then(|| e.x(1));
        let bias = self.0.bias.then(|| e.x(1 + usize::from(self.0.weight)));
        let affine = affine(weight, bias, x);
        let stats = match e.used[1] {
            true => e.y(1).clone(),
            false => quote!(#y.part(0, 0)),
        };
        quote!(k.layer_norm(#y, #stats, #x, #affine, #spec);)
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(8))
    }
}

impl GradCall for LayerNorm {
    /// `d_x, d_weight, d_bias` from `d_y, x, stats, weight`, those of weight and bias where there
    /// are.
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, spec, scratch) = (e.y(0), self.0.spec(&e.outputs[0]), e.scratch());
        let (d_y, x, stats) = (e.x(0), e.x(1), e.x(2));
        let d_weight = self.0.weight.then(|| e.y(1));
        let d_bias = self.0.bias.then(|| e.y(1 + usize::from(self.0.weight)));
        let d_affine = affine(d_weight, d_bias, d_x);
        let weight = match self.0.weight {
            true => e.x(3).clone(),
            false => quote!(#x.part(0, 0)),
        };
        quote! {
            k.layer_norm_grad(#d_x, #d_affine, #d_y, #x, #weight, #stats, #spec, #scratch);
        }
    }

    fn grad_flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(16))
    }

    fn grad_scratch(&self, outputs: &[Ty]) -> Option<Dim> {
        let (spec, (rows, dim)) = (self.0.spec(&outputs[0]), self.0.sizes(&outputs[0]));
        Some(Dim::expr(format!("sums of {rows} x {dim}"), quote!(#spec.grad_scratch())))
    }
}
