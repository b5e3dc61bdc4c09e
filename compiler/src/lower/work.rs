//! How much may be written out, so that lowering takes bounded time and stack.
//!
//! A function that another calls is written out at each call, so ten that call the one before twice
//! are a thousand.

use proc_macro2::Span;

use super::{FnCx, Lowering, Poison};
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::syntax::limits::MOST_AXES;

/// The most operations of a model.
pub const MOST_NODES: usize = 5_000;

/// The most expressions that are read, those of functions at each of their calls.
pub const MOST_EXPRESSIONS: usize = 50_000;

/// The deepest expressions, those of functions in their calls.
pub const MOST_DEPTH: usize = 400;

/// What a call takes in such a depth.
pub const CALL: usize = 4;

/// The longest size, in names.
pub const LONGEST_SIZE: usize = 500;

/// How much of a model has been written out.
#[derive(Debug, Default)]
pub struct Work {
    pub nodes: usize,
    pub expressions: usize,
    /// Whether it was too much or too deep, which is reported.
    pub is_over: bool,
}

impl FnCx<'_, '_> {
    /// Goes deeper, unless that is too deep or too much.
    pub fn enter(&mut self, by: usize, span: Span) -> Lowering<()> {
        if self.model.work.is_over {
            return Err(Poison);
        }
        self.model.work.expressions += 1;
        if self.model.work.expressions > MOST_EXPRESSIONS {
            let count = MOST_EXPRESSIONS;
            return Err(self.too_much(&format!("more than {count} expressions"), span));
        }
        if self.depth + by > MOST_DEPTH {
            // Functions around a deep one are deep as well.
            self.model.work.is_over = true;
            let text = "calls and expressions are nested too deep here";
            let help = "name parts of them: `let y = …;`";
            return Err(self.model.report(Diagnostic::new(span, text).help(help)));
        }
        self.depth += by;
        Ok(())
    }

    pub fn count_node(&mut self) -> Lowering<()> {
        self.model.work.nodes += 1;
        match self.model.work.nodes > MOST_NODES {
            true => {
                let (count, span) = (MOST_NODES, self.rule.span);
                Err(self.too_much(&format!("more than {count} operations"), span))
            }
            false => Ok(()),
        }
    }

    /// Reported once: what comes behind it is too much as well.
    fn too_much(&mut self, what: &str, span: Span) -> Poison {
        if self.model.work.is_over {
            return Poison;
        }
        self.model.work.is_over = true;
        let text = format!("this model comes to {what}");
        let error = Diagnostic::new(span, text)
            .help("what a function calls is written out at each call, that of another model is not")
            .note("put a part of it into a `model!` of its own");
        self.model.report(error)
    }

    /// That a value has few axes, and sizes of a length that somebody could read.
    pub fn few_axes(&mut self, shape: &Shape, span: Span) -> Lowering<()> {
        if shape.rank() > MOST_AXES {
            let text = format!("a value has at most {MOST_AXES} axes, and not {}", shape.rank());
            return Err(self.model.report(Diagnostic::new(span, text)));
        }
        if shape.0.iter().map(Dim::weight).sum::<usize>() > LONGEST_SIZE {
            let text = format!("a value has sizes of more than {LONGEST_SIZE} names here");
            let help = "give them a name of their own: `const SIZE: usize = …;`";
            return Err(self.model.report(Diagnostic::new(span, text).help(help)));
        }
        Ok(())
    }
}
