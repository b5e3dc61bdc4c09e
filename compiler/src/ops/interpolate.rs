//! Images made larger by whole factors.

use proc_macro2::TokenStream;

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room, variant};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::hygiene::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Nearest,
    Bilinear,
    /// Bilinear with `align_corners`.
    BilinearCorners,
}

#[derive(Clone, Debug)]
pub struct Interpolate {
    pub mode: Mode,
    pub scale: [Dim; 2],
    /// The shape of `x`.
    pub x: Vec<Dim>,
}

impl Interpolate {
    fn spec(&self) -> TokenStream {
        let (room, mode) = (room("interpolate"), variant(&self.mode));
        let planes = product(&self.x[..2]).tokens();
        let [height, width, down, right] =
            [&self.x[2], &self.x[3], &self.scale[0], &self.scale[1]].map(Dim::tokens);
        quote! {
            #room::InterpolateSpec {
                planes: #planes, height: #height, width: #width, scale: [#down, #right],
                mode: #room::InterpolateMode::#mode,
            }
        }
    }
}

impl Op for Interpolate {
    fn name(&self) -> String {
        let mode = format!("{:?}", self.mode).to_lowercase();
        format!("interpolate<{mode} {}x{}>", self.scale[0], self.scale[1])
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if self.scale.iter().any(|scale| scale.as_lit() == Some(0)) {
            return Err(Mismatch::new("has scale factor 0").help("scale factors start at 1"));
        }
        let mut dims = self.x.clone();
        dims[2] = dims[2].times(&self.scale[0]);
        dims[3] = dims[3].times(&self.scale[1]);
        Ok(vec![Ty::float(dims)])
    }
}

impl Transform for Interpolate {
    fn backward(&self, b: &mut Backward) {
        grad::add(b, self, &[0], &[b.d_y()]);
    }
}

impl Emission for Interpolate {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.spec());
        quote!(k.interpolate(#y, #x, #spec);)
    }

    fn flops(&self, _: &[Ty], outputs: &[Ty]) -> Dim {
        match self.mode {
            Mode::Nearest => Dim::lit(0),
            _ => outputs[0].shape.len().times(&Dim::lit(6)),
        }
    }
}

impl GradCall for Interpolate {
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, spec) = (e.y(0), e.x(0), self.spec());
        quote!(k.interpolate_grad(#d_x, #d_y, #spec);)
    }

    fn grad_flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let outputs = inputs[0].shape.len();
        if self.mode == Mode::Nearest { outputs } else { outputs.times(&Dim::lit(6)) }
    }
}
