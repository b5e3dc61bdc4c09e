//! Methods of values: `x.relu()`, `x.max_pool2d(2)`, `x.sum(dim = 1)`.

pub mod axes;
pub mod images;
pub mod shaping;
pub mod values;

use std::rc::Rc;

use proc_macro2::Ident;

use super::{FnCx, Lowering, Options, Word};
use crate::diagnostics::{Diagnostic, list};
use crate::graph::ValueId;
use crate::ops::elementwise::{self, Constant, Elementwise};
use crate::ops::{self, Mismatch, Op};
use crate::syntax::Arg;
use crate::vocabulary::{Domain, Input, OptionRow, Preset, Row};

/// A method that reads its options by itself.
type Method = Row<fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>>;

/// What makes the result of a method.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// A function of `x` and the options.
    By(fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>),
    /// One operation, of an axis.
    Op(fn(usize) -> Rc<dyn Op>),
}

/// The methods that are neither one operation nor a row of the elementwise table.
const METHODS: &[Method] = &[
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
    shaping::SLICE,
    shaping::EXPAND,
    values::MATMUL,
    shaping::SELECT,
    values::MASKED_FILL,
    axes::ROTARY,
    values::DROPOUT_ROW,
    values::DETACH,
    values::PROBE,
    axes::SUM,
    axes::MEAN,
    axes::AMAX,
    axes::AMIN,
];

/// The methods that are not rows of the elementwise table.
pub fn methods() -> impl Iterator<Item = Row<Build>> {
    let of_ops = ops::METHODS.iter().map(|row| row.with(Build::Op(row.build)));
    METHODS.iter().map(|row| row.with(Build::By(row.build))).chain(of_ops)
}

/// The rows of the elementwise table that users name.
pub fn elementwise_rows() -> impl Iterator<Item = &'static elementwise::Row> {
    elementwise::ROWS.iter().filter(|row| !elementwise::INTERNAL.contains(&row.name))
}

/// The names that both methods and functions answer to.
pub fn names() -> impl Iterator<Item = &'static str> {
    elementwise_rows().map(|row| row.name).chain(methods().map(|method| method.name))
}

impl FnCx<'_, '_> {
    pub fn method(&mut self, x: ValueId, name: &Ident, args: Vec<Arg>) -> Lowering<ValueId> {
        let text = name.to_string();
        self.step(&text, name.span());
        let found = methods().find(|row| row.name == text);
        // Class indices have no arithmetic, but a shape.
        if found.as_ref().is_none_or(|row| row.input != Input::Any) {
            self.floats(&[x])?;
        }
        let rows = found.as_ref().map_or(&[][..], |row| row.options);
        self.mention_method(name, rows, &args);
        let mut options = Options::new(name.to_string(), name.span(), args, rows);
        let y = match found {
            Some(Row { build: Build::By(build), .. }) => build(self, x, &mut options)?,
            Some(Row { build: Build::Op(op), .. }) => {
                self.of_one_op(x, &text, rows, op, &mut options)?
            }
            None if names().any(|known| known == text) => {
                self.elementwise(x, &text, &mut options)?
            }
            None => panic!("bug: no method is named `{text}`"),
        };
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, &text, Some(x));
        Ok(y)
    }

    /// A method that there is, for editors.
    fn mention_method(&mut self, name: &Ident, rows: &'static [OptionRow], args: &[Arg]) {
        let text = name.to_string();
        let elementwise = elementwise_rows().find(|row| row.name == text);
        let options = elementwise.map_or(rows, |row| row.constants);
        if let Some(row) = names().find(|known| *known == text) {
            let word = Word { module: "operations", row, options };
            self.model.mention_word(Some(name), &word, args);
        }
    }

    /// `x.cumsum(1)`, `x.gather(1, index)`: one operation along an axis, whose operands are `x` and
    /// what the options are beside the axis.
    fn of_one_op(
        &mut self,
        x: ValueId,
        name: &str,
        rows: &'static [OptionRow],
        op: fn(usize) -> Rc<dyn Op>,
        o: &mut Options,
    ) -> Lowering<ValueId> {
        let (mut axis, mut operands) = (None, vec![x]);
        for row in rows {
            match row.takes {
                Domain::Axis => axis = Some(self.axis_option(x, o, row.name)?),
                Domain::Value(_) => {
                    let help = format!("write `a.{name}(b)`");
                    let value = self.operand_option(o, row.name, ["a second value", &help])?;
                    self.floats(&[value])?;
                    operands.push(value);
                }
                Domain::Indices => {
                    let help = format!("write `{name}(dim = 1, {} = i)`", row.name);
                    operands.push(self.operand_option(o, row.name, ["an index", &help])?);
                }
                _ => panic!("bug: `{}` of `{name}` is no axis and no value", row.name),
            }
        }
        let axis = axis.unwrap_or_else(|| panic!("bug: `{name}` has no axis"));
        if axis >= self.rank(x) {
            let text = format!("needs an axis, but receives {}", self.graph.ty(x));
            return Err(self.refuse(Mismatch::new(text), Some(x)));
        }
        Ok(self.apply(op(axis), &operands)?[0])
    }

    /// `name`, a value; where it is not written, what is missing and a help are said.
    fn operand_option(
        &mut self,
        o: &mut Options,
        name: &'static str,
        [missing, help]: [&str; 2],
    ) -> Lowering<ValueId> {
        let Some(expr) = o.take(name) else {
            let error = Diagnostic::new(o.span, format!("`{}` needs {missing}", o.owner));
            return Err(self.model.report(error.help(help)));
        };
        let value = self.one(&expr)?;
        // The value may be of steps of its own.
        self.step(&o.owner, o.span);
        Ok(value)
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
        let needed = row.constants.iter().filter(|option| option.default_number().is_none());
        let needed: Vec<_> = needed.map(|option| option.name).collect();
        if needed.len() > 1 && o.args.len() < needed.len() {
            let all: Vec<_> =
                needed.iter().enumerate().map(|(i, name)| format!("{name} = {i}.0")).collect();
            let text = format!("`{name}` needs {}", list(&needed));
            let help = format!("write `{name}({})`", all.join(", "));
            return Err(self.model.report(Diagnostic::new(o.span, text).help(help)));
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

    /// `name`, an axis of `x`, or the default of its row.
    fn axis_option(&mut self, x: ValueId, o: &mut Options, name: &'static str) -> Lowering<usize> {
        let (owner, rank) = (o.owner.clone(), self.rank(x));
        match (o.take(name), o.row(name).default) {
            (Some(expr), _) => self.ok(Options::axis(&expr, rank)),
            (None, Preset::Axis(axis)) => {
                let axis = if axis < 0 { rank.saturating_add_signed(axis) } else { axis as usize };
                Ok(axis)
            }
            (None, _) => {
                let error = Diagnostic::new(o.span, format!("`{owner}` needs an axis"));
                let axes = o.axes_needed();
                let all: Vec<_> = axes
                    .iter()
                    .enumerate()
                    .map(|(i, name)| format!("{name} = {}", i + 1))
                    .collect();
                let all = if all.len() > 1 { all.join(", ") } else { format!("{name} = 1") };
                Err(self.model.report(error.help(format!("write `{owner}({all})`"))))
            }
        }
    }
}
