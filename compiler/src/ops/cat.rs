//! Concatenation along an axis.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// The inputs one behind the other along `axis`.
#[derive(Clone, Debug)]
pub struct Cat {
    pub axis: usize,
}

/// The gradient of one input: its part of `d_y`.
#[derive(Clone, Debug)]
pub struct CatGrad {
    pub axis: usize,
    /// Where the part starts on the axis.
    pub start: Dim,
    pub x: Vec<Dim>,
}

/// The place of an operand `x` in `y` for the runtime.
pub(super) fn spec(axis: usize, start: &Dim, x: &[Dim], y: &[Dim]) -> TokenStream {
    let room = room("cat");
    let inner = product(&x[axis + 1..]);
    let outer = product(&x[..axis]).tokens();
    let [start, len, total] = [start, &x[axis], &y[axis]].map(|dim| dim.times(&inner).tokens());
    quote!(#room::CatSpec { outer: #outer, start: #start, len: #len, total: #total })
}

impl Cat {
    /// Where each input starts on the axis, and where the last ends.
    fn starts(&self, inputs: &[Ty]) -> Vec<Dim> {
        let mut starts = vec![Dim::lit(0)];
        for input in inputs {
            let end = starts[starts.len() - 1].plus(&input.dims()[self.axis]);
            starts.push(end);
        }
        starts
    }
}

impl Op for Cat {
    fn name(&self) -> String {
        format!("cat<{}>", self.axis)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let first = &inputs[0];
        if first.shape.rank() == 0 {
            let text = format!("joins values along an axis, but receives {first}");
            return Err(Mismatch::new(text).help("make an axis first: `x.reshape([1])`"));
        }
        for other in &inputs[1..] {
            let axes = 0..first.shape.rank();
            let joins = other.shape.rank() == first.shape.rank()
                && axes
                    .filter(|i| *i != self.axis)
                    .all(|i| rule.equal(&first.dims()[i], &other.dims()[i]));
            if !joins {
                let text = format!("cannot join {first} and {other} along axis {}", self.axis);
                let differs = |axis: &usize| first.dims().get(*axis) != other.dims().get(*axis);
                let others: Vec<_> = (0..first.shape.rank()).filter(differs).collect();
                let help = match others[..] {
                    [axis] if first.shape.rank() == other.shape.rank() => {
                        format!("they fit along axis {axis}: write `dim = {axis}`")
                    }
                    _ => "all other sizes have to be equal".into(),
                };
                return Err(Mismatch::new(text).help(help));
            }
        }
        let mut y = first.shape.0.clone();
        y[self.axis] = self.starts(inputs).pop().expect("one more than inputs");
        Ok(vec![Ty::float(y)])
    }
}

impl Transform for Cat {
    fn backward(&self, b: &mut Backward) {
        let types: Vec<_> = b.inputs.iter().map(|x| b.ty(*x)).collect();
        for (i, start) in (0..types.len()).zip(self.starts(&types)) {
            if b.wants(i) {
                let x = types[i].shape.0.clone();
                let d_x = b.op(i, CatGrad { axis: self.axis, start, x }, &[b.d_y()]);
                b.set(i, d_x);
            }
        }
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.axes[0] {
            Some(axis) if axis != self.axis && s.axes.iter().all(|other| *other == Some(axis)) => {
                s.same(self.clone(), axis)
            }
            _ => Err(NEEDS_ALL),
        }
    }
}

impl Emission for Cat {
    fn emit(&self, e: &Emit) -> TokenStream {
        let starts = self.starts(&e.inputs);
        let mut y = e.inputs[0].shape.0.clone();
        y[self.axis].clone_from(&starts[e.inputs.len()]);
        let out = e.y(0);
        let calls = e.inputs.iter().enumerate().map(|(i, input)| {
            let (x, spec) = (e.x(i), spec(self.axis, &starts[i], input.dims(), &y));
            quote!(k.cat(#out, #x, #spec);)
        });
        quote!(#(#calls)*)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl Op for CatGrad {
    fn name(&self) -> String {
        format!("cat.grad<{} from {}>", self.axis, self.start)
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float(self.x.clone())])
    }
}

impl Transform for CatGrad {}

impl Emission for CatGrad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y) = (e.y(0), e.x(0));
        let spec = spec(self.axis, &self.start, &self.x, e.inputs[0].dims());
        quote!(k.cat_grad(#d_x, #d_y, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}
