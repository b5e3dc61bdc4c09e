//! Elementwise operations: a table row each. The functions themselves are in the runtime's room
//! `elementwise`, under the same names.

use proc_macro2::TokenStream;

pub use super::number::Constant;

use super::{Backward, Emission, Emit, Mismatch, Op, Role, Rule, Transform};
use crate::dim::{Dim, Shape};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Ty, ValueId};
use crate::ops::narrow::rows;
use crate::ops::reduce::sum_to;
use crate::vocabulary::{Domain, OptionRow, Range};

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
    Identity,
    /// A row of the room, with the op's own constants.
    By(&'static str, &'static [Read]),
    /// Zero: the op has steps.
    Zero,
}
use Grad::{By, Identity, Zero};

/// An elementwise function that users can name.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// One derivative an input.
    pub grads: &'static [Grad],
    /// The constants it takes, with PyTorch's defaults.
    pub constants: &'static [OptionRow],
    /// The input that is an angle, of which a sine or a cosine is taken.
    pub angle: Option<usize>,
    /// What `y` is, of the inputs `a`, `b` and `c`. Pieces of losses have none.
    pub formula: &'static str,
    /// A use, which a test compiles with inputs of one shape.
    pub example: &'static str,
    /// The page of PyTorch's docs.
    pub source: &'static str,
}

// The constants of functions that are layers and parts of losses, too.
pub const LEAKY_RELU: &[OptionRow] =
    &[OptionRow::number("negative_slope", 0.01, Range::Any).drawn("POSITIVE")];
pub const ELU: &[OptionRow] = &[OptionRow::number("alpha", 1.0, Range::Any).drawn("POSITIVE")];
pub const SOFTPLUS: &[OptionRow] = &[
    OptionRow::number("beta", 1.0, Range::Positive),
    OptionRow::number("threshold", 20.0, Range::Any).drawn("POSITIVE"),
];
pub const SMOOTH_L1: &[OptionRow] = &[OptionRow::number("beta", 1.0, Range::NotNegative)];
pub const HUBER: &[OptionRow] = &[OptionRow::number("delta", 1.0, Range::Positive)];

/// A constant that has to be written, with numbers that tests choose from.
const fn needed(name: &'static str, range: Range, drawn: &'static str) -> OptionRow {
    OptionRow::new(name, Domain::Number(range), drawn)
}

const fn row(
    name: &'static str,
    [formula, example, source]: [&'static str; 3],
    grads: &'static [Grad],
) -> Row {
    Row { name, grads, constants: &[], angle: None, formula, example, source }
}

/// A function of an angle.
const fn of_angle(name: &'static str, texts: [&'static str; 3], grads: &'static [Grad]) -> Row {
    Row { angle: Some(0), ..row(name, texts, grads) }
}

/// A piece of a loss.
const fn piece(name: &'static str, grads: &'static [Grad]) -> Row {
    row(name, [""; 3], grads)
}

/// Every function: `x.name()` or `name(x)`; two inputs are `x.name(y)`.
pub const ROWS: &[Row] = &[
    row("add", ["y = a + b", "a.add(b)", "torch.add"], &[Identity, Identity]),
    row("sub", ["y = a − b", "a.sub(b)", "torch.sub"], &[Identity, By("neg", &[D])]),
    row(
        "mul",
        ["y = a · b", "a.mul(b)", "torch.mul"],
        &[By("mul", &[D, X(1)]), By("mul", &[D, X(0)])],
    ),
    row(
        "div",
        ["y = a / b", "a.div(b)", "torch.div"],
        &[By("div", &[D, X(1)]), By("div_grad", &[D, Y, X(1)])],
    ),
    row(
        "maximum",
        [
            "y = the larger of a and b; equal ones share the gradient",
            "a.maximum(b)",
            "torch.maximum",
        ],
        &[By("maximum_grad", &[D, X(0), X(1)]), By("maximum_grad", &[D, X(1), X(0)])],
    ),
    row(
        "minimum",
        [
            "y = the smaller of a and b; equal ones share the gradient",
            "a.minimum(b)",
            "torch.minimum",
        ],
        &[By("minimum_grad", &[D, X(0), X(1)]), By("minimum_grad", &[D, X(1), X(0)])],
    ),
    row("eq", ["y = 1 where a = b, else 0; no gradient", "a.eq(b)", "torch.eq"], &[Zero, Zero]),
    row("ne", ["y = 1 where a ≠ b, else 0; no gradient", "a.ne(b)", "torch.ne"], &[Zero, Zero]),
    row("gt", ["y = 1 where a > b, else 0; no gradient", "a.gt(b)", "torch.gt"], &[Zero, Zero]),
    row("ge", ["y = 1 where a ≥ b, else 0; no gradient", "a.ge(b)", "torch.ge"], &[Zero, Zero]),
    row("lt", ["y = 1 where a < b, else 0; no gradient", "a.lt(b)", "torch.lt"], &[Zero, Zero]),
    row("le", ["y = 1 where a ≤ b, else 0; no gradient", "a.le(b)", "torch.le"], &[Zero, Zero]),
    row(
        "where_",
        [
            "y = b where a is not 0, else c; the gradient of what is not chosen is 0",
            "where_(a, b, c)",
            "torch.where",
        ],
        &[Zero, By("where_grad", &[X(0), D]), By("where_grad_other", &[X(0), D])],
    ),
    row("neg", ["y = −a", "a.neg()", "torch.neg"], &[By("neg", &[D])]),
    row("abs", ["y = |a|", "a.abs()", "torch.abs"], &[By("abs_grad", &[D, X(0)])]),
    row("exp", ["y = eᵃ", "a.exp()", "torch.exp"], &[By("mul", &[D, Y])]),
    row("log", ["y = ln a", "a.log()", "torch.log"], &[By("div", &[D, X(0)])]),
    row("sqrt", ["y = √a", "a.sqrt()", "torch.sqrt"], &[By("sqrt_grad", &[D, Y])]),
    row("square", ["y = a²", "a.square()", "torch.square"], &[By("square_grad", &[D, X(0)])]),
    of_angle("sin", ["y = sin a", "a.sin()", "torch.sin"], &[By("sin_grad", &[D, X(0)])]),
    of_angle("cos", ["y = cos a", "a.cos()", "torch.cos"], &[By("cos_grad", &[D, X(0)])]),
    row(
        "relu",
        ["y = max(a, 0)", "a.relu()", "torch.nn.functional.relu"],
        &[By("relu_grad", &[D, Y])],
    ),
    row(
        "gelu",
        ["y = a Φ(a), with the normal distribution's Φ", "a.gelu()", "torch.nn.functional.gelu"],
        &[By("gelu_grad", &[D, X(0)])],
    ),
    row(
        "gelu_tanh",
        [
            "y = a / 2 · (1 + tanh(√(2/π) (a + 0.044715 a³))), PyTorch's `approximate=\"tanh\"`",
            "a.gelu_tanh()",
            "torch.nn.functional.gelu",
        ],
        &[By("gelu_tanh_grad", &[D, X(0)])],
    ),
    row(
        "silu",
        ["y = a σ(a)", "a.silu()", "torch.nn.functional.silu"],
        &[By("silu_grad", &[D, X(0)])],
    ),
    row(
        "mish",
        ["y = a tanh(log(1 + eᵃ))", "a.mish()", "torch.nn.functional.mish"],
        &[By("mish_grad", &[D, X(0)])],
    ),
    row(
        "sigmoid",
        ["y = 1 / (1 + e⁻ᵃ)", "a.sigmoid()", "torch.sigmoid"],
        &[By("sigmoid_grad", &[D, Y])],
    ),
    row("tanh", ["y = tanh a", "a.tanh()", "torch.tanh"], &[By("tanh_grad", &[D, Y])]),
    Row {
        constants: &[needed("exponent", Range::Any, "2|3|1|0|2.5|-1|0.5")],
        ..row(
            "powf",
            ["y = a^exponent", "a.powf(1.5)", "torch.pow"],
            &[By("powf_grad", &[D, X(0)])],
        )
    },
    Row {
        constants: &[needed("exponent", Range::Whole, "2|3|1|0|-1")],
        ..row("powi", ["y = a^exponent", "a.powi(3)", "torch.pow"], &[By("powi_grad", &[D, X(0)])])
    },
    Row {
        constants: LEAKY_RELU,
        ..row(
            "leaky_relu",
            [
                "y = a where a > 0, else negative_slope · a",
                "a.leaky_relu()",
                "torch.nn.functional.leaky_relu",
            ],
            &[By("leaky_relu_grad", &[D, X(0)])],
        )
    },
    Row {
        constants: ELU,
        ..row(
            "elu",
            ["y = a where a > 0, else alpha (eᵃ − 1)", "a.elu()", "torch.nn.functional.elu"],
            &[By("elu_grad", &[D, X(0)])],
        )
    },
    Row {
        constants: SOFTPLUS,
        ..row(
            "softplus",
            [
                "y = log(1 + e^(beta · a)) / beta; a itself where beta · a > threshold",
                "a.softplus()",
                "torch.nn.functional.softplus",
            ],
            &[By("softplus_grad", &[D, X(0)])],
        )
    },
    Row {
        constants: &[
            needed("min", Range::Any, "-0.5|-1|0.0"),
            needed("max", Range::Any, "0.5|1|6.0"),
        ],
        ..row(
            "clamp",
            ["y = min(max(a, min), max)", "a.clamp(-1.0, 1.0)", "torch.clamp"],
            &[By("clamp_grad", &[D, X(0)])],
        )
    },
    // What the elementwise losses are made of; see `loss.rs`.
    Row { constants: SMOOTH_L1, ..piece("smooth_l1", &[By("smooth_l1_grad", &[D, X(0)])]) },
    Row { constants: HUBER, ..piece("huber", &[By("huber_grad", &[D, X(0)])]) },
    piece("bce", &[By("bce_grad", &[D, X(0), X(1)]), By("bce_grad_target", &[D, X(0)])]),
    piece(
        "bce_with_logits",
        &[
            By("bce_with_logits_grad", &[D, X(0), X(1)]),
            By("bce_with_logits_grad_target", &[D, X(0)]),
        ],
    ),
    piece("kl_div", &[By("kl_div_grad", &[D, X(1)]), By("kl_div_grad_target", &[D, X(0), X(1)])]),
];

/// The rows that users do not name: pieces of losses.
pub const INTERNAL: &[&str] = &["smooth_l1", "huber", "bce", "bce_with_logits", "kl_div"];

pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The operand of a function, or of a derivative, that is an angle.
pub fn angle(name: &str) -> Option<usize> {
    ROWS.iter().find_map(|row| {
        let angle = row.angle?;
        let of_grad = |grad: &Grad| match grad {
            By(grad, reads) if *grad == name => {
                reads.iter().position(|read| matches!(read, X(input) if *input == angle))
            }
            _ => None,
        };
        if row.name == name { Some(angle) } else { row.grads.iter().find_map(of_grad) }
    })
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
            (None, Func::Copy) => &[Identity][..],
            (None, Func::Constant) => &[],
            (None, Func::Named(_)) => return b.none(),
        };
        for (i, grad) in grads.iter().enumerate() {
            if !b.wants(i) {
                continue;
            }
            let full = match grad {
                Zero => continue,
                Identity => b.d_y(),
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

    fn is_of_run(&self) -> bool {
        self.constants.iter().any(Constant::is_run_time)
    }

    fn is_flat(&self, input: usize) -> bool {
        self.func.row().is_some_and(|row| matches!(row.grads[input], Zero))
    }

    fn step(&self, s: &mut Step) -> Stepped {
        // Axes meet counted from the last.
        let ranks: Vec<_> = s.whole.iter().map(|ty| ty.shape.rank()).collect();
        let places = s.axes.iter().zip(&ranks).filter_map(|(axis, rank)| Some(rank - (*axis)?));
        let back = places.clone().next().ok_or(NEEDS_ALL)?;
        // A sequence of one position may be repeated to other sizes.
        let axis = s.outputs[0].shape.rank() - back;
        let stays = s.is_length(&s.outputs[0].dims()[axis]);
        if !stays || places.into_iter().any(|place| place != back) {
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
