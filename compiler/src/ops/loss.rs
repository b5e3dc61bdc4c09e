//! The losses with class indices. The elementwise losses are a row of the elementwise table and
//! a mean; see `lower/functions.rs`.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, Shape, product};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// `[N, C, ..]` as `(N, C, product of ..)`.
fn split(scores: &[Dim]) -> (Dim, Dim, Dim) {
    (scores[0].clone(), scores[1].clone(), product(&scores[2..]))
}

/// The class indices `Classes[N, ..]` that belong to scores `[N, C, ..]`.
fn check(rule: &mut Rule, inputs: &[Ty]) -> Result<(), Mismatch> {
    let (scores, label) = (&inputs[0], &inputs[1]);
    if scores.kind != Kind::Float || scores.shape.rank() < 2 {
        return Err(Mismatch::new(format!(
            "expects scores [batch, classes], but receives {scores}"
        )));
    }
    let mut expected = scores.dims().to_vec();
    let classes = expected.remove(1);
    let expected = Ty { shape: Shape(expected), kind: Kind::Classes };
    if label.kind != Kind::Classes {
        return Err(Mismatch::new(format!(
            "expects {expected} as its target, but receives {label}"
        ))
        .help(format!("declare the target as `{expected}`: one index below {classes} a sample")));
    }
    if !rule.equal_shapes(&expected.shape, &label.shape) {
        return Err(Mismatch::new(format!(
            "expects {expected} as its target, but receives {label}"
        ))
        .help(match scores.dims().split_last() {
            // [batch, T, C] and Classes[batch, T].
            Some((_, rest)) if rest == label.dims() && scores.shape.rank() > 2 => {
                "the classes are on axis 1, as in PyTorch: write `.transpose(1, 2)` behind the scores"
                    .into()
            }
            _ => format!("declare the target as `{expected}`"),
        }));
    }
    Ok(())
}

/// PyTorch's `cross_entropy` with mean reduction: the loss, and `d_logits` for a `d_loss` of 1,
/// which costs little more and is all that the backward pass needs.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    pub smoothing: f64,
    /// `d_logits` from `d_loss` and that for a `d_loss` of 1
    pub grad: bool,
}

impl CrossEntropy {
    fn spec(&self, logits: &Ty) -> TokenStream {
        let room = room("cross_entropy");
        let (outer, classes, inner) = split(logits.dims());
        let (outer, classes, inner) = (outer.tokens(), classes.tokens(), inner.tokens());
        let smoothing = proc_macro2::Literal::f32_unsuffixed(self.smoothing as f32);
        quote! {
            #room::CrossEntropySpec {
                outer: #outer, classes: #classes, inner: #inner, smoothing: #smoothing,
            }
        }
    }
}

impl Op for CrossEntropy {
    fn name(&self) -> String {
        let grad = if self.grad { ".grad" } else { "" };
        match self.smoothing {
            0.0 => format!("cross_entropy{grad}"),
            smoothing => format!("cross_entropy{grad}<smoothing {smoothing}>"),
        }
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if self.grad {
            return Ok(vec![Ty { kind: Kind::Float, ..inputs[1].clone() }]);
        }
        check(rule, inputs)?;
        let of_one = Ty { kind: Kind::Saved, ..inputs[0].clone() };
        Ok(vec![Ty::float([]), of_one])
    }

    fn classes(&self, inputs: &[Ty], _: usize) -> Option<TokenStream> {
        (!self.grad).then(|| split(inputs[0].dims()).1.tokens())
    }
}

impl Transform for CrossEntropy {
    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none();
        }
        let inputs = [b.d_y(), b.outputs[1]];
        let d_logits = b.op(0, Self { grad: true, ..self.clone() }, &inputs);
        b.set(0, d_logits);
    }
}

impl Emission for CrossEntropy {
    fn emit(&self, e: &Emit) -> TokenStream {
        if self.grad {
            let (d_logits, d_loss, of_one) = (e.y(0), e.x(0), e.x(1));
            return quote!(k.cross_entropy_grad(#d_logits, #d_loss, #of_one););
        }
        let spec = self.spec(&e.inputs[0]);
        let (loss, of_one, logits, label) = (e.y(0), e.y(1), e.x(0), e.x(1));
        match e.used[1] {
            true => {
                quote!(k.cross_entropy_with_grad(#loss, #of_one, #logits, #label, #spec);)
            }
            false => quote!(k.cross_entropy(#loss, #logits, #label, #spec);),
        }
    }

    /// None for the gradient, which is there when the loss is one of a training step.
    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        if self.grad { Dim::lit(0) } else { inputs[0].shape.len().times(&Dim::lit(4)) }
    }

    fn moves(&self) -> bool {
        !self.grad
    }

    /// The gradient for a `d_loss` of 1 as well.
    fn activation(&self, output: &Ty, k: usize) -> Option<Ty> {
        (self.grad || k == 1).then(|| output.clone())
    }

    /// The gradient of the logits takes their place.
    fn in_place(&self, output: usize, input: usize) -> bool {
        match self.grad {
            true => input == 1,
            false => (output, input) == (1, 0),
        }
    }
}

/// PyTorch's `nll_loss` with mean reduction.
#[derive(Clone, Copy, Debug)]
pub struct NllLoss {
    /// The shape `[N, C, ..]` comes from the input; with `grad`, `d_log_probs` from `d_loss`,
    /// `log_probs` (for its shape) and `label`.
    pub grad: bool,
}

impl Op for NllLoss {
    fn name(&self) -> String {
        if self.grad { "nll_loss.grad".into() } else { "nll_loss".into() }
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if self.grad {
            return Ok(vec![inputs[1].clone()]);
        }
        check(rule, inputs)?;
        Ok(vec![Ty::float([])])
    }

    fn classes(&self, inputs: &[Ty], _: usize) -> Option<TokenStream> {
        Some(split(inputs[usize::from(self.grad)].dims()).1.tokens())
    }
}

impl Transform for NllLoss {
    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none();
        }
        let inputs = [b.d_y(), b.inputs[0], b.inputs[1]];
        let d_x = b.op(0, Self { grad: true }, &inputs);
        b.set(0, d_x);
    }
}

impl Emission for NllLoss {
    fn emit(&self, e: &Emit) -> TokenStream {
        let room = room("nll_loss");
        let (outer, classes, inner) = split(e.inputs[usize::from(self.grad)].dims());
        let (outer, classes, inner) = (outer.tokens(), classes.tokens(), inner.tokens());
        let spec = quote!(#room::NllLossSpec { outer: #outer, classes: #classes, inner: #inner });
        let out = e.y(0);
        if self.grad {
            let (d_loss, label) = (e.x(0), e.x(2));
            quote!(k.nll_loss_grad(#out, #d_loss, #label, #spec);)
        } else {
            let (x, label) = (e.x(0), e.x(1));
            quote!(k.nll_loss(#out, #x, #label, #spec);)
        }
    }
}
