//! Shape rules: why they refuse, and what they leave to rustc.

use proc_macro2::{Span, TokenStream};

use crate::dim::{Compared, Dim, Shape};
use crate::range::Range;

/// Why a shape rule refuses.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// After the name of what refuses: `expects [batch, 100] but receives [batch, 128]`.
    pub message: String,
    pub help: Option<String>,
}

impl Mismatch {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// A statement about sizes that rustc decides, or a run where it is about run-time sizes.
#[derive(Debug, Clone)]
pub struct Deferred {
    pub what: Statement,
    /// `` `fc2` expects ``, `` but receives ``: the numbers come between.
    pub message: String,
    pub span: Span,
    /// Whether it is about sizes, which are at least 1: other numbers may be 0.
    pub are_sizes: bool,
}

#[derive(Debug, Clone)]
pub enum Statement {
    /// Two sizes are equal.
    Equal(Dim, Dim),
    /// The first is not smaller than the second.
    AtLeast(Dim, Dim),
    /// A value of these sizes is not larger than any memory.
    Fits(Vec<Dim>),
    /// A number of this text is in a range.
    Within(String, TokenStream, Range),
}

impl Statement {
    /// The sizes that are compared.
    pub fn sizes(&self) -> impl Iterator<Item = &Dim> {
        let (a, b) = match self {
            Self::Equal(a, b) | Self::AtLeast(a, b) => (Some(a), Some(b)),
            Self::Fits(_) | Self::Within(..) => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Whether a run decides it.
    pub fn is_of_run(&self) -> bool {
        self.sizes().any(Dim::is_run_time)
    }
}

impl Deferred {
    /// Whether both say the same: one cause, one error.
    pub fn is_same(&self, other: &Self) -> bool {
        use Statement::{AtLeast, Equal, Fits, Within};
        match (&self.what, &other.what) {
            (Equal(a, b), Equal(c, d)) => (a, b) == (c, d) || (a, b) == (d, c),
            (AtLeast(a, b), AtLeast(c, d)) => (a, b) == (c, d),
            // Those of a part are there where those of the whole are.
            (Fits(whole), Fits(part)) => is_part(part, whole),
            (Within(a, _, of), Within(b, _, other)) => (a, of) == (b, other),
            _ => false,
        }
    }

    /// Whether it is true where `number` knows each size; numbers that are no sizes count as such.
    pub fn holds(&self, number: &dyn Fn(&Dim) -> Option<usize>) -> bool {
        match &self.what {
            Statement::Equal(a, b) => number(a).is_some() && number(a) == number(b),
            Statement::AtLeast(a, b) => number(a).zip(number(b)).is_some_and(|(a, b)| a >= b),
            Statement::Fits(_) | Statement::Within(..) => true,
        }
    }
}

/// Whether each size of `part` is one of `whole`.
fn is_part(part: &[Dim], whole: &[Dim]) -> bool {
    let mut rest: Vec<_> = whole.iter().collect();
    part.iter().all(|size| {
        let found = rest.iter().position(|other| *other == size);
        found.map(|at| rest.swap_remove(at)).is_some()
    })
}

/// What a shape rule speaks for, and the checks it leaves to rustc.
#[derive(Debug)]
pub struct Rule {
    /// The name that messages call it by: `fc1`.
    pub subject: String,
    pub span: Span,
    pub deferred: Vec<Deferred>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { subject: String::new(), span: Span::call_site(), deferred: Vec::new() }
    }
}

impl Rule {
    /// Whether two sizes agree; an equality of constants is left to rustc, one of run-time sizes
    /// that are divided to the run, and taken as agreed.
    pub fn equal(&mut self, left: &Dim, right: &Dim) -> bool {
        // `batch * HEADS` may be `batch * 4`: rustc knows, and it knows no `batch`.
        let (own, other) = match left.is_run_time() && right.is_run_time() {
            true => left.without_common_factors(right),
            false => (left.clone(), right.clone()),
        };
        match own.compare(&other) {
            Compared::Same => true,
            Compared::Different => false,
            Compared::Unknown => {
                let message = format!("`{}` needs {own} and {other} to be equal", self.subject);
                self.defer(own, other, message);
                true
            }
        }
    }

    /// Whether a size is not below another one; what only rustc knows is taken as agreed. The
    /// message is that of `message` where rustc finds otherwise.
    pub fn at_least(&mut self, size: &Dim, least: &Dim, message: impl FnOnce() -> String) -> bool {
        if let (Some(size), Some(least)) = (size.as_lit(), least.as_lit()) {
            return size >= least;
        }
        let difference = size.minus(least);
        if difference.as_lit().is_none() && difference.lower_bound().is_none_or(|least| least < 0) {
            self.defer_at_least(size.clone(), least.clone(), message());
        }
        true
    }

    /// Whether `whole` consists of parts of this size; what only rustc knows is taken as agreed.
    pub fn divides(&mut self, part: &Dim, whole: &Dim) -> bool {
        let Some(times) = whole.floor_divided_by(part) else { return false };
        let (divided, subject) = (times.times(part), &self.subject);
        match whole.compare(&divided) {
            Compared::Same => true,
            Compared::Different => false,
            Compared::Unknown => {
                let message = format!("`{subject}` splits {whole} into {part} equal parts");
                self.defer(whole.clone(), divided, message);
                true
            }
        }
    }

    pub fn equal_shapes(&mut self, left: &Shape, right: &Shape) -> bool {
        left.rank() == right.rank() && left.0.iter().zip(&right.0).all(|(l, r)| self.equal(l, r))
    }

    pub fn defer(&mut self, left: Dim, right: Dim, message: String) {
        self.add(Statement::Equal(left, right), message, self.span);
    }

    /// Leaves the equality of two numbers to rustc that are no sizes.
    pub fn defer_numbers(&mut self, left: Dim, right: Dim, message: String) {
        let known = self.deferred.len();
        self.defer(left, right, message);
        self.deferred[known..].iter_mut().for_each(|new| new.are_sizes = false);
    }

    pub fn defer_at_least(&mut self, size: Dim, least: Dim, message: String) {
        self.add(Statement::AtLeast(size, least), message, self.span);
    }

    /// Leaves it to rustc whether a value of these sizes is larger than any memory.
    pub fn defer_memory(&mut self, shape: &Shape, message: impl FnOnce() -> String) {
        let sizes: Vec<_> = shape.0.iter().map(Dim::of_one).filter(|dim| !dim.is_one()).collect();
        if sizes.iter().any(|dim| dim.atoms().next().is_some()) {
            self.add(Statement::Fits(sizes), message(), self.span);
        }
    }

    pub fn defer_number(
        &mut self,
        text: &str,
        tokens: &TokenStream,
        range: Range,
        message: String,
        span: Span,
    ) {
        self.add(Statement::Within(text.into(), tokens.clone(), range), message, span);
    }

    fn add(&mut self, what: Statement, message: String, span: Span) {
        let new = Deferred { what, message, span, are_sizes: true };
        if !self.deferred.iter().any(|known| known.is_same(&new)) {
            self.deferred.push(new);
        }
    }
}
