//! Elementwise operations: a table row each. The functions themselves are in the runtime's room
//! `elementwise`, under the same names.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Role, Rule, Transform};
use crate::dim::{Dim, Shape};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Ty, ValueId};
use crate::ops::narrow::rows;
use crate::ops::reduce::sum_to;
use crate::range::Range;

/// What a derivative reads.
#[derive(Clone, Copy, Debug)]
pub enum Read {
    /// The gradient of the output.
    D,
    /// An input.
    X(usize),
    /// The output.
    Y,
}
use Read::{D, X, Y};

/// The derivative with respect to one input.
#[derive(Clone, Copy, Debug)]
pub enum Grad {
    /// The gradient of the output itself.
    Pass,
    /// A row of the room, with the op's own constants.
    By(&'static str, &'static [Read]),
    /// Zero: the op has steps.
    Flat,
}
use Grad::{By, Flat, Pass};

/// An elementwise function that users can name.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// One derivative an input.
    pub grads: &'static [Grad],
    /// The constants it takes, with PyTorch's defaults.
    pub constants: &'static [(&'static str, Option<f64>, Range)],
}

const fn row(name: &'static str, grads: &'static [Grad]) -> Row {
    Row { name, grads, constants: &[] }
}

/// Every function: `x.name()` or `name(x)`; two inputs are `x.name(y)`.
pub const ROWS: &[Row] = &[
    row("add", &[Pass, Pass]),
    row("sub", &[Pass, By("neg", &[D])]),
    row("mul", &[By("mul", &[D, X(1)]), By("mul", &[D, X(0)])]),
    row("div", &[By("div", &[D, X(1)]), By("div_grad", &[D, Y, X(1)])]),
    row("maximum", &[By("maximum_grad", &[D, X(0), X(1)]), By("maximum_grad", &[D, X(1), X(0)])]),
    row("minimum", &[By("minimum_grad", &[D, X(0), X(1)]), By("minimum_grad", &[D, X(1), X(0)])]),
    row("eq", &[Flat, Flat]),
    row("ne", &[Flat, Flat]),
    row("gt", &[Flat, Flat]),
    row("ge", &[Flat, Flat]),
    row("lt", &[Flat, Flat]),
    row("le", &[Flat, Flat]),
    row("where_", &[Flat, By("where_grad", &[X(0), D]), By("where_grad_other", &[X(0), D])]),
    row("neg", &[By("neg", &[D])]),
    row("abs", &[By("abs_grad", &[D, X(0)])]),
    row("exp", &[By("mul", &[D, Y])]),
    row("log", &[By("div", &[D, X(0)])]),
    row("sqrt", &[By("sqrt_grad", &[D, Y])]),
    row("square", &[By("square_grad", &[D, X(0)])]),
    row("sin", &[By("sin_grad", &[D, X(0)])]),
    row("cos", &[By("cos_grad", &[D, X(0)])]),
    row("relu", &[By("relu_grad", &[D, Y])]),
    row("gelu", &[By("gelu_grad", &[D, X(0)])]),
    row("gelu_tanh", &[By("gelu_tanh_grad", &[D, X(0)])]),
    row("silu", &[By("silu_grad", &[D, X(0)])]),
    row("sigmoid", &[By("sigmoid_grad", &[D, Y])]),
    row("tanh", &[By("tanh_grad", &[D, Y])]),
    Row {
        name: "powf",
        grads: &[By("powf_grad", &[D, X(0)])],
        constants: &[("exponent", None, Range::Any)],
    },
    Row {
        name: "powi",
        grads: &[By("powi_grad", &[D, X(0)])],
        constants: &[("exponent", None, Range::Whole)],
    },
    Row {
        name: "leaky_relu",
        grads: &[By("leaky_relu_grad", &[D, X(0)])],
        constants: &[("negative_slope", Some(0.01), Range::Any)],
    },
    Row {
        name: "elu",
        grads: &[By("elu_grad", &[D, X(0)])],
        constants: &[("alpha", Some(1.0), Range::Any)],
    },
    Row {
        name: "softplus",
        grads: &[By("softplus_grad", &[D, X(0)])],
        constants: &[("beta", Some(1.0), Range::Positive), ("threshold", Some(20.0), Range::Any)],
    },
    Row {
        name: "clamp",
        grads: &[By("clamp_grad", &[D, X(0)])],
        constants: &[("min", None, Range::Any), ("max", None, Range::Any)],
    },
    // What the elementwise losses are made of; see `loss.rs`.
    Row {
        name: "smooth_l1",
        grads: &[By("smooth_l1_grad", &[D, X(0)])],
        constants: &[("beta", Some(1.0), Range::NotNegative)],
    },
    Row {
        name: "huber",
        grads: &[By("huber_grad", &[D, X(0)])],
        constants: &[("delta", Some(1.0), Range::Positive)],
    },
    row("bce", &[By("bce_grad", &[D, X(0), X(1)]), By("bce_grad_target", &[D, X(0)])]),
    row(
        "bce_with_logits",
        &[
            By("bce_with_logits_grad", &[D, X(0), X(1)]),
            By("bce_with_logits_grad_target", &[D, X(0)]),
        ],
    ),
    row("kl_div", &[By("kl_div_grad", &[D, X(1)]), By("kl_div_grad_target", &[D, X(0), X(1)])]),
];

/// The rows that users do not name: pieces of losses.
pub const INTERNAL: &[&str] = &["smooth_l1", "huber", "bce", "bce_with_logits", "kl_div"];

pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// What an elementwise node computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Func {
    /// A number.
    Constant,
    /// Its input, in memory of its own or repeated.
    Copy,
    /// A function of a row, or one that is a derivative.
    Named(&'static str),
}

impl Func {
    /// The name in the runtime's room.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Copy => "copy",
            Self::Named(name) => name,
        }
    }

    fn row(self) -> Option<&'static Row> {
        match self {
            Self::Named(name) => find(name),
            _ => None,
        }
    }
}

/// A constant that an elementwise function takes.
#[derive(Clone, Debug)]
pub enum Constant {
    /// A literal: part of the fused function.
    Literal(f64),
    /// A Rust expression of type `f32`: handed over when the step runs.
    Expr(String, TokenStream),
    /// `factor / size`, a mean's weight.
    Over(f64, Dim),
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{value:?}"),
            Self::Expr(text, _) => f.write_str(text),
            Self::Over(factor, dim) => write!(f, "{factor:?}/({dim})"),
        }
    }
}

/// An elementwise node.
#[derive(Clone, Debug)]
pub struct Elementwise {
    pub func: Func,
    pub constants: Vec<Constant>,
    /// The output's shape, when it is larger than the inputs say.
    pub shape: Option<Shape>,
}

impl Elementwise {
    pub fn new(func: &'static str) -> Self {
        Self::with(func, Vec::new())
    }

    /// A function that takes constants.
    pub fn with(func: &'static str, constants: Vec<Constant>) -> Self {
        Self { func: Func::Named(func), constants, shape: None }
    }

    /// A number, of shape `[]`.
    pub fn constant(value: Constant) -> Self {
        Self { func: Func::Constant, constants: vec![value], shape: Some(Shape::default()) }
    }

    /// The input repeated to a larger shape.
    pub fn broadcast(shape: Shape) -> Self {
        Self { func: Func::Copy, constants: Vec::new(), shape: Some(shape) }
    }

    /// A copy of the input in memory of its own.
    pub fn copy() -> Self {
        Self { func: Func::Copy, constants: Vec::new(), shape: None }
    }
}

impl Op for Elementwise {
    fn name(&self) -> String {
        let constants: Vec<_> = self.constants.iter().map(ToString::to_string).collect();
        let name = if self.func == Func::Constant { "const" } else { self.func.name() };
        match constants.len() {
            0 => name.to_string(),
            _ => format!("{name}<{}>", constants.join(", ")),
        }
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut shape = self.shape.clone().unwrap_or_default();
        for input in inputs {
            shape = broadcast(rule, &shape, &input.shape).ok_or_else(|| {
                Mismatch::new(format!("cannot combine {} and {}", shape, input.shape)).help(
                    "sizes must be equal or 1, counted from the last dim, as in PyTorch's broadcasting",
                )
            })?;
        }
        Ok(vec![Ty::float(shape.0)])
    }

    fn role(&self) -> Role {
        Role::Elementwise
    }
}

impl Transform for Elementwise {
    fn backward(&self, b: &mut Backward) {
        let grads = match (self.func.row(), self.func) {
            (Some(row), _) => row.grads,
            (None, Func::Copy) => &[Pass][..],
            (None, Func::Constant) => &[],
            (None, Func::Named(_)) => return b.none(),
        };
        for (i, grad) in grads.iter().enumerate() {
            if !b.wants(i) {
                continue;
            }
            let full = match grad {
                Flat => continue,
                Pass => b.d_y(),
                By(func, reads) => {
                    let reads: Vec<ValueId> = reads
                        .iter()
                        .map(|read| match read {
                            D => b.d_y(),
                            X(k) => b.inputs[*k],
                            Y => b.outputs[0],
                        })
                        .collect();
                    let constants = self.constants.clone();
                    // The gradient has the output's shape until it is summed to the input's.
                    let shape = Some(b.ty(b.outputs[0]).shape);
                    b.op(i, Self { func: Func::Named(func), constants, shape }, &reads)
                }
            };
            let target = b.ty(b.inputs[i]).shape;
            let summed = sum_to(b, i, full, &target);
            b.set(i, summed);
        }
    }

    fn is_flat(&self, input: usize) -> bool {
        self.func.row().is_some_and(|row| matches!(row.grads[input], Flat))
    }

    fn step(&self, s: &mut Step) -> Stepped {
        // Axes meet counted from the last.
        let ranks: Vec<_> = s.whole.iter().map(|ty| ty.shape.rank()).collect();
        let places = s.axes.iter().zip(&ranks).filter_map(|(axis, rank)| Some(rank - (*axis)?));
        let back = places.clone().next().ok_or(NEEDS_ALL)?;
        if places.into_iter().any(|place| place != back) {
            return Err(NEEDS_ALL);
        }
        for (i, rank) in ranks.into_iter().enumerate().filter(|(_, rank)| *rank >= back) {
            if s.axes[i].is_none() && !s.whole[i].dims()[rank - back].is_one() {
                s.inputs[i] = rows(s, i, rank - back)?;
            }
        }
        let mut op = self.clone();
        if let Some(shape) = &mut op.shape
            && let Some(axis) = shape.rank().checked_sub(back)
            && s.is_length(&shape.0[axis])
        {
            shape.0[axis] = crate::graph::step::new();
        }
        let axis = s.outputs[0].shape.rank() - back;
        s.same(op, axis)
    }
}

impl Emission for Elementwise {
    fn emit(&self, _: &Emit) -> TokenStream {
        panic!("elementwise nodes are emitted as fused chains")
    }
}

/// The shape of an operation on two shapes, by PyTorch's broadcasting.
pub fn broadcast(rule: &mut Rule, a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let dim = |shape: &Shape, i: usize| {
        (i + shape.rank()).checked_sub(rank).map_or(Dim::lit(1), |i| shape.0[i].clone())
    };
    let mut dims = Vec::new();
    for i in 0..rank {
        let (da, db) = (dim(a, i), dim(b, i));
        dims.push(match (da.is_one(), db.is_one()) {
            (true, _) => db,
            (_, true) => da,
            _ if rule.equal(&da, &db) => da,
            _ => return None,
        });
    }
    Some(Shape(dims))
}
