//! A value that is a constant to gradients.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Expand, Mismatch, Op, Rule, Transform};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Ty, ValueId};

/// `y = x`, and no gradient goes from `y` to `x`: what lies before it is differentiated only where
/// something else asks for it. Behind differentiation it is `x` itself.
#[derive(Clone, Copy, Debug)]
pub struct Detach;

impl Op for Detach {
    fn name(&self) -> String {
        "detach".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Detach {
    fn backward(&self, _: &mut Backward) {}

    fn is_flat(&self, _: usize) -> bool {
        true
    }

    fn is_detached(&self) -> bool {
        true
    }

    fn expand(&self, e: &mut Expand) -> Option<Vec<ValueId>> {
        Some(vec![e.inputs[0]])
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.axes[0].ok_or(NEEDS_ALL)?;
        s.same(*self, axis)
    }
}

impl Emission for Detach {
    fn emit(&self, _: &Emit) -> TokenStream {
        panic!("what is detached is the value itself")
    }
}
