//! Images made larger by whole factors.

use proc_macro2::TokenStream;

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
    /// `d_x` from `d_y`
    pub grad: bool,
    pub scale: [Dim; 2],
    /// The shape of `x`.
    pub x: Vec<Dim>,
}

impl Op for Interpolate {
    fn name(&self) -> String {
        let grad = if self.grad { ".grad" } else { "" };
        let mode = format!("{:?}", self.mode).to_lowercase();
        format!("interpolate{grad}<{mode} {}x{}>", self.scale[0], self.scale[1])
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if self.scale.iter().any(|scale| scale.as_lit() == Some(0)) {
            return Err(Mismatch::new("has scale factor 0").help("scale factors start at 1"));
        }
        let mut dims = self.x.clone();
        if !self.grad {
            dims[2] = dims[2].times(&self.scale[0]);
            dims[3] = dims[3].times(&self.scale[1]);
        }
        Ok(vec![Ty::float(dims)])
    }
}

impl Transform for Interpolate {
    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none();
        }
        let d_x = b.op(0, Self { grad: true, ..self.clone() }, &[b.d_y()]);
        b.set(0, d_x);
    }
}

impl Emission for Interpolate {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, room, mode) = (e.y(0), e.x(0), room("interpolate"), variant(&self.mode));
        let planes = product(&self.x[..2]).tokens();
        let [height, width, down, right] =
            [&self.x[2], &self.x[3], &self.scale[0], &self.scale[1]].map(Dim::tokens);
        let spec = quote! {
            #room::InterpolateSpec {
                planes: #planes, height: #height, width: #width, scale: [#down, #right],
                mode: #room::InterpolateMode::#mode,
            }
        };
        match self.grad {
            false => quote!(k.interpolate(#y, #x, #spec);),
            true => quote!(k.interpolate_grad(#y, #x, #spec);),
        }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        let outputs = product(&self.x).times(&product(&self.scale));
        match self.mode {
            Mode::Nearest if !self.grad => Dim::lit(0),
            Mode::Nearest => outputs,
            _ => outputs.times(&Dim::lit(6)),
        }
    }
}
