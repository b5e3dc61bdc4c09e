//! Maximum and average pooling.

use proc_macro2::TokenStream;

use super::conv2d::Window;
use super::{Backward, Emit, Mismatch, Op, Rule, room};
use crate::dim::{Dim, product};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// `y` and the positions of the maxima, from `x`
    Max,
    /// `d_x` from `d_y` and the positions
    MaxGrad,
    Avg,
    /// `d_x` from `d_y`
    AvgGrad,
}

#[derive(Clone, Debug)]
pub struct Pool2d {
    pub pool: Pool,
    pub window: Window,
    /// The shape of `x`.
    pub x: Vec<Dim>,
}

impl Pool2d {
    fn spec(&self) -> TokenStream {
        let room = room("pool2d");
        let planes = product(&self.x[..2]).tokens();
        let (height, width, window) =
            (self.x[2].tokens(), self.x[3].tokens(), self.window.tokens());
        quote!(#room::Pool2dSpec { planes: #planes, height: #height, width: #width, #window })
    }
}

impl Op for Pool2d {
    fn name(&self) -> String {
        let pool = match self.pool {
            Pool::Max => "max_pool2d",
            Pool::MaxGrad => "max_pool2d.grad",
            Pool::Avg => "avg_pool2d",
            Pool::AvgGrad => "avg_pool2d.grad",
        };
        format!("{pool}<{}>", self.window.text())
    }

    fn infer(&self, rule: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if matches!(self.pool, Pool::MaxGrad | Pool::AvgGrad) {
            return Ok(vec![Ty::float(self.x.clone())]);
        }
        for axis in 0..2 {
            let (kernel, padding) = (&self.window.kernel[axis], &self.window.padding[axis]);
            if let (Some(kernel), Some(padding)) = (kernel.as_lit(), padding.as_lit())
                && padding * 2 > kernel
            {
                return Err(Mismatch::new(format!(
                    "has padding {padding}, more than half of its kernel {kernel}"
                ))
                .help(format!("write `padding = {}`", kernel / 2)));
            }
            let step = rule.step.clone();
            rule.at_least(kernel, &padding.times(&Dim::lit(2)), || {
                format!("`{step}` has a padding of more than half of its kernel")
            });
        }
        let y = Ty::float(vec![
            self.x[0].clone(),
            self.x[1].clone(),
            self.window.output(rule, 0, &self.x[2])?,
            self.window.output(rule, 1, &self.x[3])?,
        ]);
        Ok(match self.pool {
            Pool::Max => vec![y.clone(), Ty { kind: Kind::Saved, ..y }],
            _ => vec![y],
        })
    }

    fn backward(&self, b: &mut Backward) {
        let d_y = b.d_y();
        let d_x = match self.pool {
            Pool::Max => {
                let positions = b.outputs[1];
                b.op(0, Self { pool: Pool::MaxGrad, ..self.clone() }, &[d_y, positions])
            }
            Pool::Avg => b.op(0, Self { pool: Pool::AvgGrad, ..self.clone() }, &[d_y]),
            _ => return b.none("the gradient of a pooling"),
        };
        b.set(0, d_x);
    }

    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.spec());
        match self.pool {
            Pool::Max if e.used[1] => {
                let positions = e.y(1);
                quote!(k.max_pool2d(#y, Some(#positions), #x, #spec);)
            }
            Pool::Max => quote!(k.max_pool2d(#y, None, #x, #spec);),
            Pool::MaxGrad => {
                let positions = e.x(1);
                quote!(k.max_pool2d_grad(#y, #x, #positions, #spec);)
            }
            Pool::Avg => quote!(k.avg_pool2d(#y, #x, #spec);),
            Pool::AvgGrad => quote!(k.avg_pool2d_grad(#y, #x, #spec);),
        }
    }

    fn skips_unused(&self) -> bool {
        true
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        let window = self.window.kernel[0].times(&self.window.kernel[1]);
        match self.pool {
            Pool::Max | Pool::Avg => outputs[0].shape.len().times(&window),
            Pool::MaxGrad => inputs[0].shape.len(),
            Pool::AvgGrad => inputs[0].shape.len().times(&window),
        }
    }
}
