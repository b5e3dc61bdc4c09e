//! Layer normalisation, with and without centring.

use proc_macro2::{Literal, TokenStream};

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

/// `d_x, d_weight, d_bias` from `d_y, x, stats, weight`, those of weight and bias where there are.
#[derive(Clone, Debug)]
pub struct Grad {
    pub options: Options,
    pub x: Ty,
}

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
        let (x, d_y, stats) = (b.inputs[0], b.d_y(), b.outputs[1]);
        let grad = Grad { options: self.0.clone(), x: b.ty(x) };
        let given: Vec<_> = (1..b.inputs.len()).collect();
        let weight = self.0.weight.then(|| b.inputs[1]);
        let inputs: Vec<_> = [d_y, x, stats].into_iter().chain(weight).collect();
        let made = b.ops(given.first().copied().unwrap_or(0), grad, &inputs);
        for (i, gradient) in [0].into_iter().chain(given).zip(made) {
            if b.wants(i) {
                b.set(i, gradient);
            }
        }
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

impl Op for Grad {
    fn name(&self) -> String {
        format!("{}.grad", self.options.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let count = usize::from(self.options.weight) + usize::from(self.options.bias);
        let first = self.x.shape.rank() - self.options.axes;
        let row = || Ty::float(self.x.dims()[first..].to_vec());
        let row = inputs.get(3).cloned().unwrap_or_else(row);
        Ok([self.x.clone()].into_iter().chain(vec![row; count]).collect())
    }
}

impl Transform for Grad {}

impl Emission for Grad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (d_x, spec, scratch) = (e.y(0), self.options.spec(&self.x), e.scratch());
        let (d_y, x, stats) = (e.x(0), e.x(1), e.x(2));
        let d_weight = self.options.weight.then(|| e.y(1));
        let d_bias = self.options.bias.then(|| e.y(1 + usize::from(self.options.weight)));
        let d_affine = affine(d_weight, d_bias, d_x);
        let weight = match self.options.weight {
            true => e.x(3).clone(),
            false => quote!(#x.part(0, 0)),
        };
        quote! {
            k.layer_norm_grad(#d_x, #d_affine, #d_y, #x, #weight, #stats, #spec, #scratch);
        }
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(16))
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        let (spec, (rows, dim)) = (self.options.spec(&self.x), self.options.sizes(&self.x));
        Some(Dim::expr(format!("sums of {rows} x {dim}"), quote!(#spec.grad_scratch())))
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }
}
