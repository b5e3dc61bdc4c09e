//! Places of maxima.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Method, Mismatch, Op, Rule, Transform, around, room};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;
use crate::vocabulary::{Example, OptionRow};

/// The most elements of an axis: the runtime's `argmax::MOST`.
const MOST: usize = (1 << 24) + 1;

/// The place of the largest element along an axis, which disappears.
#[derive(Clone, Copy, Debug)]
pub struct Argmax {
    pub axis: usize,
}

pub const METHOD: Method = Method {
    options: &[OptionRow::axis("dim")],
    shapes: "`x [.., D, ..]` → `y [.., ..]`, where `D` is at most 2²⁴ + 1",
    formula: "y = the index of the first largest element, a whole number as a float; no gradient",
    source: "torch.argmax",
    example: Example::function("x: [batch, 10]) -> [batch] { x.argmax(1) }"),
    ..Method::new("argmax", |axis| Rc::new(Argmax { axis }))
};

impl Op for Argmax {
    fn name(&self) -> String {
        format!("argmax<axis {}>", self.axis)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut dims = inputs[0].dims().to_vec();
        let size = dims.remove(self.axis);
        if size.as_lit().is_some_and(|size| size > MOST) {
            return Err(Mismatch::new(format!(
                "finds places along {size} elements: they are whole numbers in `f32`s, which are \
                 exact up to {}",
                MOST - 1
            ))
            .help("reshape the axis to two, and take the maxima of its parts first"));
        }
        Ok(vec![Ty::float(dims)])
    }
}

impl Transform for Argmax {
    fn backward(&self, _: &mut Backward) {}

    /// Places are constant but for jumps.
    fn is_flat(&self, _: usize) -> bool {
        true
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.only(0)? {
            axis if axis == self.axis => Err(NEEDS_ALL),
            axis => s.same(*self, axis - usize::from(axis > self.axis)),
        }
    }
}

impl Emission for Argmax {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, dims) = (e.y(0), e.x(0), e.inputs[0].dims());
        let [outer, size, inner] = around(dims, self.axis);
        // What only rustc knows.
        let check = match dims[self.axis].is_run_time() || dims[self.axis].as_lit().is_some() {
            true => TokenStream::new(),
            false => quote!(const { __private::check::has_places(#size) };),
        };
        let room = room("softmax");
        quote! {
            #check
            k.argmax(#y, #x, #room::SoftmaxSpec { outer: #outer, size: #size, inner: #inner });
        }
    }

    /// Whole numbers.
    fn needs_exact_output(&self) -> bool {
        true
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }
}
