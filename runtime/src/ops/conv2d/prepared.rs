//! Weights that are prepared once for many calls.

use super::cpu::Run;
use super::{Algorithm, Choice, Conv2dSpec, Pass, direct, max, panels, winograd};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::ops::{Finish, check_holds, sum};

/// What is made of weights, by the sizes of a convolution other than its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Their transforms.
    Winograd,
    /// The order in which sums over windows read them.
    Direct,
    /// Panels of output channels.
    Panels,
    /// Nothing.
    Plain,
}

impl Form {
    const fn of(spec: &Conv2dSpec, choice: Choice) -> Self {
        if matches!(choice, Choice::Only(_)) {
            Self::Plain
        } else if matches!(choice, Choice::Any) && winograd::prepares(spec) {
            Self::Winograd
        } else if direct::fits(spec, Pass::Forward) && direct::pays(spec, Pass::Forward) {
            Self::Direct
        } else if panels::applies(spec) {
            Self::Panels
        } else {
            Self::Plain
        }
    }

    const fn len(self, spec: &Conv2dSpec) -> usize {
        match self {
            // And whether they may be used.
            Self::Winograd => winograd::prepared_len(spec) + 1,
            Self::Direct => spec.weight_len(),
            Self::Panels => panels::packed_len(spec),
            Self::Plain => 0,
        }
    }

    /// What is kept, one behind the other: one form, or of planes of any size that of large ones,
    /// then that of small ones where it is another.
    const fn kept(spec: &Conv2dSpec, choice: Choice) -> [Self; 2] {
        let large = Self::of(spec, choice);
        let is_other = spec.any_size && matches!(large, Self::Winograd);
        [large, if is_other { Self::of(spec, Choice::WithoutWinograd) } else { Self::Plain }]
    }

    /// The floats of all that is kept.
    const fn kept_len(spec: &Conv2dSpec, choice: Choice) -> usize {
        let [first, second] = Self::kept(spec, choice);
        sum([first.len(spec), second.len(spec)])
    }
}

impl Conv2dSpec {
    /// The floats that `conv2d_prepare` makes of the weights, whatever the batch, with or without
    /// Winograd's algorithm.
    pub const fn prepared_len(&self) -> usize {
        max(Form::kept_len(self, Choice::Any), Form::kept_len(self, Choice::WithoutWinograd))
    }

    /// The same of planes that are known to have this size.
    const fn of_this_size(self) -> Self {
        Self { any_size: false, ..self }
    }

    /// The floats of scratch that `conv2d_prepared` needs.
    pub const fn prepared_scratch(&self) -> usize {
        let panels = if panels::applies(self) { panels::scratch(self) } else { 0 };
        max(self.scratch(Pass::Forward), panels)
    }
}

impl CpuKernels<'_> {
    /// `conv2d_prepare`
    pub(super) fn prepare(&mut self, prepared: Buf, w: Buf, spec: Conv2dSpec) {
        let run = Run { threads: self.threads(), level: self.level(), spec, finish: None };
        let choice = self.convolution();
        let ([prepared], [w]) = self.views([prepared], [w]);
        // Prepared weights serve any batch: their sizes say nothing of the others.
        let one = Conv2dSpec { batch: 1, ..spec };
        one.check(one.input_len(), w.len(), one.output_len());
        if w.is_empty() {
            return;
        }
        check_holds("prepared weights", prepared.len(), Form::kept_len(&spec, choice));
        let mut rest = prepared;
        for form in Form::kept(&spec, choice) {
            let (prepared, behind) = rest.split_at_mut(form.len(&spec));
            rest = behind;
            match form {
                Form::Winograd => {
                    let (suit, transforms) = prepared.split_first_mut().expect("a float at least");
                    *suit = f32::from(winograd::prepare(run, transforms, w));
                }
                Form::Direct => direct::prepare(run, prepared, w),
                Form::Panels => panels::pack(run.threads, run.level, prepared, w, spec),
                Form::Plain => {}
            }
        }
    }

    /// `conv2d_prepared`, each part of `y` finished where it is computed.
    pub(super) fn prepared_then(
        &mut self,
        [y, x, w, prepared, scratch]: [Buf; 5],
        spec: Conv2dSpec,
        finish: Finish<'_>,
    ) {
        spec.check(x.len, w.len, y.len);
        // The form that planes of this size have.
        let (form, kept) = (
            Form::of(&spec.of_this_size(), self.convolution()),
            Form::kept(&spec, self.convolution()),
        );
        let plain = match form {
            Form::Panels => !panels::serves(&spec),
            _ => form == Form::Plain,
        };
        if plain || spec.output_len() == 0 || spec.window() == 0 {
            return self.conv2d_then(Pass::Forward, [y, x, w, scratch], spec, finish);
        }
        if form == Form::Winograd {
            let ([], [prepared]) = self.views([], [prepared]);
            // The transforms cannot be used, and the call finds that out as well.
            if prepared[0] == 0.0 {
                return self.conv2d_then(Pass::Forward, [y, x, w, scratch], spec, finish);
            }
        }
        let run = Run { threads: self.threads(), level: self.level(), spec, finish };
        let ([y, scratch], [x, w, prepared]) = self.views([y, scratch], [x, w, prepared]);
        let needed = match form {
            Form::Winograd => spec.scratch_of(Pass::Forward, Algorithm::Winograd),
            Form::Direct => spec.scratch_of(Pass::Forward, Algorithm::Direct),
            Form::Panels | Form::Plain => panels::scratch(&spec),
        };
        check_holds("scratch memory", scratch.len(), needed);
        let start = if form == kept[0] { 0 } else { kept[0].len(&spec) };
        check_holds("prepared weights", prepared.len(), start + form.len(&spec));
        let (y, prepared) = (SharedMut::new(y), &prepared[start..][..form.len(&spec)]);
        match form {
            Form::Winograd => {
                winograd::forward_prepared(run, y, x, [w, &prepared[1..]], scratch);
            }
            Form::Direct => direct::forward_prepared(run, y, x, prepared, scratch),
            Form::Panels | Form::Plain => panels::forward(run, y, x, prepared, scratch),
        }
    }
}
