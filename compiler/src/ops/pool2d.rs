//! Maximum and average pooling.

use proc_macro2::TokenStream;

use super::conv2d::Window;
use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// `y` and the positions of the maxima, from `x`
    Max,
    Avg,
}

#[derive(Clone, Debug)]
pub struct Pool2d {
    pub pool: Pool,
    pub window: Window,
    /// The shape of `x`.
    pub x: Vec<Dim>,
}

impl Pool2d {
    /// Padding is at most half of the kernel, as PyTorch demands.
    fn check_padding(&self, rule: &mut Rule, axis: usize) -> Result<(), Mismatch> {
        let (kernel, padding) = (&self.window.kernel[axis], &self.window.padding[axis]);
        if let (Some(kernel), Some(padding)) = (kernel.as_lit(), padding.as_lit()) {
            if padding.saturating_mul(2) <= kernel {
                return Ok(());
            }
            let text = format!("has padding {padding}, more than half of its kernel {kernel}");
            return Err(Mismatch::new(text).help(format!("write `padding = {}`", kernel / 2)));
        }
        if padding.as_lit() == Some(0) || kernel.is_run_time() || padding.is_run_time() {
            return Ok(());
        }
        let text = format!("places of the padding {padding} beyond half of the kernel {kernel}");
        let (k, p) = (kernel.tokens(), padding.tokens());
        let beyond = Dim::expr(text, quote!((2 * (#p)).saturating_sub(#k)));
        let message = format!("`{}` has padding of more than half of its kernel", rule.subject);
        rule.defer_numbers(beyond, Dim::lit(0), message);
        Ok(())
    }

    /// Each of the windows along an axis meets an element: a maximum of none is no number.
    fn check_meeting(&self, rule: &mut Rule, axis: usize, count: &Dim) -> Result<(), Mismatch> {
        let Window { kernel, stride, padding, dilation } = &self.window;
        let size = &self.x[2 + axis];
        let all = [size, &kernel[axis], &stride[axis], &padding[axis], &dilation[axis]];
        // Without dilation, windows have no gaps for the plane to lie in.
        if dilation[axis].is_one() || all.iter().any(|dim| dim.is_run_time()) {
            return Ok(());
        }
        let help = "with padding, the dilation has to be at most the size of the plane";
        if let [Some(size), Some(kernel), Some(stride), Some(padding), Some(dilation)] =
            all.map(Dim::as_lit)
        {
            let misses = dilation > size && dilation > 0 && {
                let padded = size.saturating_add(padding.saturating_mul(2));
                let reach = dilation.saturating_mul(kernel.saturating_sub(1)).saturating_add(1);
                let places = 0..=padded.saturating_sub(reach);
                let mut starts = places.step_by(stride.max(1));
                starts.any(|start| {
                    let skipped = padding.saturating_sub(start).div_ceil(dilation);
                    skipped >= kernel || start + skipped * dilation >= size + padding
                })
            };
            if !misses {
                return Ok(());
            }
            let side = ["high", "wide"][axis];
            let text = format!(
                "has a window whose {kernel} places, {dilation} apart, all lie in the padding beside \
                 a plane {size} {side}"
            );
            return Err(Mismatch::new(text).help(help));
        }
        let [size, kernel, stride, padding, dilation] = all.map(Dim::tokens);
        let meeting = quote! {
            __private::pool2d::meeting(#size, #kernel, #stride, #padding, #dilation)
        };
        let text = format!("those that meet the {}", ["rows", "columns"][axis]);
        let message = format!(
            "`{}` has windows that lie in the padding alone ({help}): windows, and {text}",
            rule.subject
        );
        rule.defer_numbers(count.clone(), Dim::expr(text, meeting), message);
        Ok(())
    }

    fn spec(&self) -> TokenStream {
        let room = room("pool2d");
        let planes = product(&self.x[..2]).tokens();
        let (height, width) = (self.x[2].tokens(), self.x[3].tokens());
        let [kernel, window] = self.window.tokens();
        quote!(#room::spec(#planes, [#height, #width], #kernel) #window)
    }
}

impl Op for Pool2d {
    fn name(&self) -> String {
        let pool = match self.pool {
            Pool::Max => "max_pool2d",
            Pool::Avg => "avg_pool2d",
        };
        format!("{pool}<{}>", self.window.text())
    }

    fn infer(&self, rule: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut sides = Vec::new();
        for axis in 0..2 {
            self.check_padding(rule, axis)?;
            let side = self.window.output(rule, axis, &self.x[2 + axis])?;
            if self.pool == Pool::Max {
                self.check_meeting(rule, axis, &side)?;
            }
            sides.push(side);
        }
        let y = Ty::float([&self.x[..2], &sides].concat());
        Ok(match self.pool {
            Pool::Max => vec![y.clone(), Ty { kind: Kind::Saved, ..y }],
            _ => vec![y],
        })
    }
}

impl Transform for Pool2d {
    fn backward(&self, b: &mut Backward) {
        let d_y = b.d_y();
        match self.pool {
            Pool::Max => grad::add(b, self, &[0], &[d_y, b.outputs[1]]),
            Pool::Avg => grad::add(b, self, &[0], &[d_y]),
        }
    }
}

impl Emission for Pool2d {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.spec());
        match self.pool {
            Pool::Max if e.used[1] => {
                let positions = e.y(1);
                quote!(k.max_pool2d(#y, Some(#positions), #x, #spec);)
            }
            Pool::Max => quote!(k.max_pool2d(#y, None, #x, #spec);),
            Pool::Avg => quote!(k.avg_pool2d(#y, #x, #spec);),
        }
    }

    fn flops(&self, _: &[Ty], outputs: &[Ty]) -> Dim {
        outputs[0].shape.len().times(&product(&self.window.kernel))
    }
}

impl GradCall for Pool2d {
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, spec) = (e.y(0), e.x(0), self.spec());
        match self.pool {
            Pool::Max => {
                let positions = e.x(1);
                quote!(k.max_pool2d_grad(#d_x, #d_y, #positions, #spec);)
            }
            Pool::Avg => quote!(k.avg_pool2d_grad(#d_x, #d_y, #spec);),
        }
    }

    fn grad_flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let d_y = inputs[0].shape.len();
        match self.pool {
            Pool::Max => d_y,
            Pool::Avg => d_y.times(&product(&self.window.kernel)),
        }
    }
}
