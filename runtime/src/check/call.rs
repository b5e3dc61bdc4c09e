//! Whether a call of another model fits what it calls.

use super::signature::{
    Bound, NAMES, Names, Signature, Size, TRIES, TypeSig, as_here, here, named, there,
};
use super::text::{Text, same_text};

/// Fails when a model has no function of a name: `[model, function, step]` are the texts of the
/// call, without the last where no body calls it. Of a model with mistakes, or of what is no model,
/// others speak.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn has(functions: Option<&[&str]>, [model, function, step]: [&str; 3]) {
    let Some(functions) = functions else { return };
    let mut i = 0;
    while i < functions.len() {
        if same_text(functions[i], function) {
            return;
        }
        i += 1;
    }
    let text = Text::new().str("`").str(model).str("` has no function `").str(function);
    let mut text = text.str("`\n  help: it has ");
    let mut i = 0;
    while i < functions.len() {
        text = match i {
            0 => text,
            _ if i + 1 == functions.len() => text.str(" and "),
            _ => text.str(", "),
        };
        text = text.str("`").str(functions[i]).str("`");
        i += 1;
    }
    if !functions.is_empty() && !step.is_empty() {
        let near = functions[nearest(functions, function)];
        let text_of_call = text.str("; write `self.").str(step);
        text = match same_text(near, "forward") {
            true => text_of_call.str("(x)`"),
            false => text_of_call.str(".").str(near).str("(x)`"),
        };
    }
    panic!("{}", text.as_str());
}

/// The function whose name starts most like one that is not there.
const fn nearest(functions: &[&str], name: &str) -> usize {
    let (mut nearest, mut most, mut i) = (0, 0, 0);
    while i < functions.len() {
        let (a, b) = (functions[i].as_bytes(), name.as_bytes());
        let mut same = 0;
        while same < a.len() && same < b.len() && a[same] == b[same] {
            same += 1;
        }
        if same > most {
            (nearest, most) = (i, same);
        }
        i += 1;
    }
    nearest
}

/// How a model is called.
#[derive(Clone, Copy, Debug)]
pub enum Calls {
    /// Once.
    Once,
    /// Once, as a field of a derived module.
    Field,
    /// Several in a row.
    Row,
    /// For each step of a sequence.
    Scan {
        /// The floats of the model's state.
        state: usize,
        /// The results of a step, beside the states that go on.
        made: usize,
    },
}

/// A call of another model: what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    step: &'static str,
    args: &'a [TypeSig],
    written: &'a [TypeSig],
}

impl<'a> Call<'a> {
    /// What `step` gives, equal sizes in one form.
    pub const fn new(step: &'static str, args: &'a [TypeSig]) -> Self {
        Self { step, args, written: args }
    }

    /// The same with the sizes as they are written: what comes back is compared with what follows
    /// of these.
    pub const fn given(self, written: &'a [TypeSig]) -> Self {
        Self { written, ..self }
    }

    /// Fails when a call, of one model or of several in a row, does not fit the function that it
    /// calls.
    ///
    /// # Panics
    /// Then, while rustc evaluates the constant: that is the error the user sees.
    #[track_caller]
    pub const fn fits(self, callee: &Signature, form: Calls, results: &[TypeSig]) {
        check(callee, self, form, results);
    }
}

#[track_caller]
const fn check(callee: &Signature, call: Call<'_>, form: Calls, results: &[TypeSig]) {
    let Call { step, args, written } = call;
    if let Calls::Scan { state, .. } = form
        && state > 0
    {
        let text = Text::new().str("`").str(step).str("` has state of its own, buffers or running");
        let text = text.str(" statistics, which a scan does not carry\n  help: use `LayerNorm`");
        panic!("{}", text.str(" in place of `BatchNorm`").as_str());
    }
    if callee.args.len() != args.len() {
        let text = Text::new().str("`").str(step).str("` takes ").number(callee.args.len());
        let text = text.str(if callee.args.len() == 1 { " input" } else { " inputs" });
        let text = text.str(", but receives ").number(args.len());
        let text = match form {
            Calls::Scan { .. } => text.str(": a step of the sequence and the states"),
            _ => text,
        };
        panic!("{}", text.as_str());
    }
    let bound = tried(&names(callee, args));
    let mut i = 0;
    while i < args.len() {
        let (_, expected) = callee.args[i];
        if !fits(&expected, &args[i], &bound) {
            let text = Text::new().str("`").str(step).str("` expects ").shape(&expected);
            panic!("{}", text.str(" but receives ").shape(&args[i]).as_str());
        }
        i += 1;
    }
    let names = self::names(callee, written);
    let bound = tried(&names);
    if callee.results.len() != results.len() {
        let text = Text::new().str("`").str(step).str("` gives ").number(callee.results.len());
        let text = match form {
            Calls::Scan { .. } => text.str(" results, but a scan takes ").number(results.len()),
            _ => text.str(" results, but here it is one"),
        };
        let text = match form {
            Calls::Scan { made: 1, .. } => text.str(": that of the step and the new states"),
            Calls::Scan { .. } => text.str(": those of the step and the new states"),
            _ => with_results(text, callee, step, &names, &bound),
        };
        panic!("{}", text.as_str());
    }
    let mut i = 0;
    while i < results.len() {
        if !fits(&callee.results[i], &results[i], &bound) {
            let text = Text::new().str("`").str(step).str("` gives ").shape(&callee.results[i]);
            if let Calls::Row = form {
                let text = text.str(" and takes ").shape(&results[i]);
                panic!(
                    "{}",
                    text.str(": in a row, each model's result is the next one's input").as_str()
                );
            }
            let text = text.str(", but is taken here as ").shape(&results[i]);
            if let Calls::Scan { made, .. } = form {
                let text = text.str(if i < made {
                    "\n  help: write `out = […]` with the sizes of a step's result"
                } else {
                    ": a state keeps its shape from step to step"
                });
                panic!("{}", text.as_str());
            }
            let text = text.str("\n  help: write `");
            if let Calls::Field = form {
                let text = text.str("#[module(output = ");
                let text = shape_here(text, &callee.results[i], &names, &bound);
                panic!("{}", text.str(")]` above the field").as_str());
            }
            let text = shape_here(text.str("let y: "), &callee.results[i], &names, &bound);
            let text = text.str(" = self.").str(step).str("(…)`");
            panic!("{}", with_names(text, &callee.results[i], &names).as_str());
        }
        i += 1;
    }
}

/// Says how several results are taken: ``let (y1, y2): ([batch, 4], [batch, 4]) = self.enc(x);``
const fn with_results(
    text: Text,
    callee: &Signature,
    step: &str,
    names: &Names,
    bound: &[Bound; TRIES],
) -> Text {
    let (mut text, mut i) = (text.str("\n  help: write `let ("), 0);
    while i < callee.results.len() {
        text = text.str(if i == 0 { "y" } else { ", y" }).number(i + 1);
        i += 1;
    }
    (text, i) = (text.str("): ("), 0);
    while i < callee.results.len() {
        text =
            shape_here(text.str(if i == 0 { "" } else { ", " }), &callee.results[i], names, bound);
        i += 1;
    }
    text.str(") = self.").str(step).str("(…);`")
}

/// What the names of the function's run-time sizes stand for: what the first argument has that is
/// declared with the name alone.
const fn names(callee: &Signature, args: &[TypeSig]) -> Names {
    let mut names: Names = [None; NAMES];
    let (mut i, mut count) = (0, 0);
    while i < args.len() {
        let (declared, found) = (callee.args[i].1.dims, args[i].dims);
        let mut axis = 0;
        while axis < declared.len() && axis < found.len() {
            if let Size::Run(name) = declared[axis]
                && named(name, &names).is_none()
                && count < NAMES
            {
                names[count] = Some((name, found[axis]));
                count += 1;
            }
            axis += 1;
        }
        i += 1;
    }
    names
}

/// The numbers of names in each try.
const fn tried(names: &Names) -> [Bound; TRIES] {
    let mut bound = [[None; NAMES]; TRIES];
    let mut at = 0;
    while at < TRIES {
        let mut i = 0;
        while i < NAMES {
            if let Some((name, size)) = names[i]
                && let Some(number) = here(size, at)
            {
                bound[at][i] = Some((name, number));
            }
            i += 1;
        }
        at += 1;
    }
    bound
}

/// Writes the sizes of a result as the caller knows them.
const fn shape_here(mut text: Text, ty: &TypeSig, names: &Names, bound: &[Bound; TRIES]) -> Text {
    let mut axis = 0;
    while axis < ty.dims.len() {
        text = text.str(if axis == 0 { "[" } else { ", " });
        text = text.size(as_here(ty.dims[axis], names, bound));
        axis += 1;
    }
    text.str(if axis == 0 { "[]" } else { "]" })
}

/// Says what names are called here, where sizes are made of them and they have others.
const fn with_names(mut text: Text, ty: &TypeSig, names: &Names) -> Text {
    let (mut made, mut axis) = (false, 0);
    while axis < ty.dims.len() {
        made |= matches!(ty.dims[axis], Size::Made(..));
        axis += 1;
    }
    let (mut i, mut first) = (0, true);
    while i < names.len() && made {
        if let Some((name, Size::Run(here) | Size::Made(_, here))) = names[i]
            && !same_text(name, here)
        {
            text = text.str(if first { ", where `" } else { ", `" });
            text = text.str(name).str("` is `").str(here).str("`");
            first = false;
        }
        i += 1;
    }
    text
}

/// Whether a type of the caller is one of the function, with its names as they are bound.
const fn fits(expected: &TypeSig, found: &TypeSig, bound: &[Bound; TRIES]) -> bool {
    if matches!(expected.dims, [Size::Unknown]) {
        return true;
    }
    if expected.classes != found.classes || expected.dims.len() != found.dims.len() {
        return false;
    }
    let mut i = 0;
    while i < expected.dims.len() {
        if !is_same(expected.dims[i], found.dims[i], bound) {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether two sizes are equal, whatever the run.
const fn is_same(expected: Size, found: Size, bound: &[Bound; TRIES]) -> bool {
    match (expected, found) {
        (Size::Unknown, _) | (_, Size::Unknown) => return true,
        // What a run makes is no constant, though it may be equal in some runs.
        (Size::Fixed(_), Size::Run(_) | Size::Made(..)) => return false,
        _ => {}
    }
    let mut at = 0;
    while at < TRIES {
        match (there(expected, &bound[at]), here(found, at)) {
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
        at += 1;
    }
    true
}
