//! Methods of values: `x.relu()`, `x.max_pool2d(2)`, `x.sum(dim = 1)`.

pub mod axes;
pub mod images;
pub mod shaping;
pub mod values;

use proc_macro2::Ident;

use super::functions::{Build, FUNCTIONS};
use super::{FnCx, Lowering, Options, Poison};
use crate::diagnostics::{Diagnostic, nearest};
use crate::graph::ValueId;
use crate::ops::elementwise::{self, Constant, Elementwise};
use crate::syntax::Arg;
use crate::vocabulary::{Input, Row};

pub type Method = Row<fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>>;

/// The methods that are not rows of the elementwise table.
pub const METHODS: &[Method] = &[
    images::MAX_POOL2D,
    images::AVG_POOL2D,
    images::ADAPTIVE_AVG_POOL2D,
    images::INTERPOLATE_ROW,
    shaping::FLATTEN_ROW,
    shaping::RESHAPE,
    shaping::SQUEEZE,
    shaping::UNSQUEEZE,
    shaping::TRANSPOSE,
    shaping::PERMUTE,
    shaping::NARROW,
    values::MATMUL,
    shaping::SELECT,
    axes::GATHER,
    values::MASKED_FILL,
    axes::CUMSUM,
    axes::ARGMAX,
    axes::ROTARY,
    values::DROPOUT_ROW,
    axes::SUM,
    axes::MEAN,
    axes::AMAX,
    axes::AMIN,
    axes::SOFTMAX,
    axes::LOG_SOFTMAX,
];

/// The rows of the elementwise table that users name.
pub fn elementwise_rows() -> impl Iterator<Item = &'static elementwise::Row> {
    elementwise::ROWS.iter().filter(|row| !elementwise::INTERNAL.contains(&row.name))
}

/// The names that both methods and functions answer to.
pub fn names() -> impl Iterator<Item = &'static str> {
    elementwise_rows().map(|row| row.name).chain(METHODS.iter().map(|method| method.name))
}

/// What PyTorch calls otherwise.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("view", "reshape"),
    ("pow", "powf"),
    ("max", "amax"),
    ("min", "amin"),
    ("mm", "matmul"),
    ("bmm", "matmul"),
    ("t", "transpose"),
    ("swish", "silu"),
    ("upsample", "interpolate"),
    ("concat", "cat"),
    ("concatenate", "cat"),
];

/// The operation that `name` is likely to stand for.
pub fn likely(name: &str) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    other.map(|(_, ours)| *ours).or_else(|| {
        let functions = FUNCTIONS.iter().filter(|row| !row.build.is_loss());
        nearest(name, names().chain(functions.map(|row| row.name)))
    })
}

impl FnCx<'_, '_> {
    pub fn method(&mut self, x: ValueId, name: &Ident, args: Vec<Arg>) -> Lowering<ValueId> {
        let text = name.to_string();
        self.step(&text, name.span());
        let found = METHODS.iter().find(|row| row.name == text);
        // Class indices have no arithmetic, but a shape.
        if found.is_none_or(|row| row.input != Input::Any) {
            self.floats(&[x])?;
        }
        let rows = found.map_or(&[][..], |row| row.options);
        let mut options = Options::new(name.to_string(), name.span(), args, rows);
        let y = match found {
            Some(row) => (row.build)(self, x, &mut options)?,
            None if names().any(|known| known == text) => {
                self.elementwise(x, &text, &mut options)?
            }
            None => return Err(self.unknown_method(name)),
        };
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, &text, Some(x));
        Ok(y)
    }

    fn unknown_method(&mut self, name: &Ident) -> Poison {
        let error = Diagnostic::new(name.span(), format!("no operation is named `{name}`"));
        let error = match (self.model.field(&name.to_string()), likely(&name.to_string())) {
            (Some(_), _) => error.help(format!("the layer is called as `self.{name}(x)`")),
            (_, Some(near)) => match FUNCTIONS.iter().find(|row| row.name == near) {
                Some(Row { build: Build::Free(usage, _), .. }) => {
                    error.help(format!("write `{usage}`"))
                }
                _ => error.help(format!("did you mean `{near}`?")),
            },
            _ => error.note("all operations are in docs/REFERENCE.md"),
        };
        self.model.report(error)
    }

    /// `x.relu()`, `x.clamp(0.0, 6.0)`, `x.maximum(y)`
    pub fn elementwise(&mut self, x: ValueId, name: &str, o: &mut Options) -> Lowering<ValueId> {
        let row = elementwise::find(name).expect("the name is a row's");
        let mut inputs = vec![x];
        for _ in 1..row.grads.len() {
            let Some(expr) = o.take("other") else {
                let text = format!("`{name}` combines two values, but receives one");
                return Err(self.model.report(Diagnostic::new(o.span, text)));
            };
            inputs.push(self.one(&expr)?);
        }
        let mut constants = Vec::new();
        for option in row.constants {
            let (default, range) = (option.default_number(), option.range());
            constants.push(self.number_within(o, option.name, default, range)?);
        }
        let written = |option: &str| {
            let at = row.constants.iter().position(|row| row.name == option)?;
            if let Constant::Literal(value) = constants[at] { Some(value) } else { None }
        };
        if let (Some(low), Some(high)) = (written("min"), written("max"))
            && low > high
        {
            let text = format!("`{name}` has a `min` of {low} above its `max` of {high}");
            return Err(self.model.report(Diagnostic::new(o.span, text)));
        }
        self.step(name, o.span);
        self.floats(&inputs)?;
        self.op(Elementwise::with(row.name, constants), &inputs)
    }

    fn rank(&self, x: ValueId) -> usize {
        self.graph.ty(x).shape.rank()
    }

    /// `name`, an axis of `x`.
    fn axis_option(&mut self, x: ValueId, o: &mut Options, name: &'static str) -> Lowering<usize> {
        let (owner, rank) = (o.owner.clone(), self.rank(x));
        match o.take(name) {
            Some(expr) => self.ok(Options::axis(&expr, rank)),
            None => {
                let error = Diagnostic::new(o.span, format!("`{owner}` needs an axis"));
                Err(self.model.report(error.help(format!("write `{owner}({name} = 1)`"))))
            }
        }
    }
}
