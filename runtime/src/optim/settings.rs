//! What all optimizers can be told: what becomes of which parameters, and how long gradients may
//! be.

use super::GroupError;
use super::groups::Groups;
use crate::module::Model;

/// What all optimizers can be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub groups: Groups,
    /// The largest norm that gradients keep.
    pub max_norm: Option<f32>,
    /// The steps that were made.
    pub steps: u64,
}

impl Settings {
    /// Those of a new optimizer.
    pub fn of<M: Model>() -> Self {
        Self { groups: Groups::of::<M>(), ..Self::default() }
    }

    /// What a step multiplies gradients of a norm by, as PyTorch's `clip_grad_norm_` does; in
    /// `f64`, as a norm may be above the range of `f32` where no gradient is.
    pub fn scale(&self, norm: impl FnOnce() -> f64) -> f32 {
        let factor = |max_norm: f32| (f64::from(max_norm) / (norm() + 1e-6)) as f32;
        let factor = self.max_norm.map_or(1.0, factor);
        // NaN stays, as gradients that are no numbers do.
        if factor >= 1.0 { 1.0 } else { factor }
    }

    /// Counts a step, along gradients that leave out these ranges of parameters.
    pub fn step(&mut self, absent: &'static [[usize; 2]]) {
        self.steps = self.steps.saturating_add(1);
        self.groups.step(absent);
    }

    /// The steps that each parameter has made.
    pub fn steps_of<M: Model>(&self) -> Vec<u64> {
        M::param_specs().iter().map(|spec| self.groups.steps_of(spec.start, self.steps)).collect()
    }

    /// Says how many steps each parameter has made.
    pub fn load_steps<M: Model>(&mut self, steps: &[u64]) -> Result<(), GroupError> {
        let most = steps.iter().copied().max().unwrap_or(0);
        self.groups.load_steps::<M>(steps, most)?;
        self.steps = most;
        Ok(())
    }

    /// Says how many steps all parameters have made, of which none were missed.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
        self.groups.freeze_at(steps);
    }

    /// Lets steps begin anew, as the state does.
    pub fn restart(&mut self) {
        self.steps = 0;
        self.groups.restart();
    }
}

/// The methods that every optimizer has.
macro_rules! settings {
    ($check:ident, $($settings:ident).+) => {
        /// Weight decay for the parameters that `decays` says yes to, and for no others, as with
        /// PyTorch's parameter groups. [`no_decay`](Self::no_decay) says it by names and kinds.
        pub fn decay_only(mut self, decays: impl Fn(&crate::module::ParamSpec) -> bool) -> Self {
            let groups = &mut self.$($settings).+.groups;
            let no = |param: &crate::module::ParamSpec| !decays(param);
            // A condition names nothing that might be missing, and 0 is a row at most.
            let said = groups.say::<M>(&decays, Some(None), None);
            let said = said.and_then(|()| groups.say::<M>(no, Some(Some(0.0)), None));
            if let Err(error) = said {
                panic!("gradiron: {}: {error}", $check.0);
            }
            self
        }

        /// No weight decay for what is chosen: `no_decay(Kind::NormsAndBiases)`.
        ///
        /// # Errors
        ///
        /// When a name matches no parameter, or there would be more than 32 groups.
        pub fn no_decay(
            self,
            what: impl crate::module::Select<M>,
        ) -> Result<Self, super::GroupError> {
            self.group(what, |group| group.weight_decay(0.0))
        }

        /// Other settings for the parameters that `what` chooses, as a parameter group of PyTorch's
        /// has: `group("head", |g| g.learning_rate(3e-3))`. Where two groups have a parameter, what
        /// the later one says counts.
        ///
        /// # Errors
        ///
        /// When a name matches no parameter, a setting is out of its range, or there would be more
        /// than 32 groups with different settings.
        pub fn group(
            mut self,
            what: impl crate::module::Select<M>,
            settings: impl FnOnce(super::Group) -> super::Group,
        ) -> Result<Self, super::GroupError> {
            let super::Group { lr, factor, weight_decay } = settings(super::Group::default());
            let base = f64::from(Optimizer::<M>::learning_rate(&self));
            let rate = match (lr, factor) {
                (Some(lr), _) => {
                    $check.learning_rate(lr)?;
                    let expected = "above 0 where a group has a rate of its own";
                    $check.that(base > 0.0 || lr == 0.0, "lr", expected, base)?;
                    Some(if lr == 0.0 { 0.0 } else { f64::from(lr) / base })
                }
                (None, Some(factor)) => {
                    Some($check.not_negative("learning_rate_factor", f64::from(factor))?)
                }
                (None, None) => None,
            };
            let decay = |decay| $check.not_negative("weight_decay", decay);
            let weight_decay = weight_decay.map(decay).transpose()?.map(Some);
            self.$($settings).+.groups.say(what, weight_decay, rate)?;
            Ok(self)
        }

        /// Parameters that stay as they are: steps leave them, their part of the optimizer's state
        /// and the running statistics of their layers alone, and their gradients are no part of the
        /// norm of [`clip_norm`](Self::clip_norm).
        ///
        /// # Errors
        ///
        /// When a name matches no parameter.
        #[doc(alias = "requires_grad_")]
        pub fn freeze(
            mut self,
            what: impl crate::module::Select<M>,
        ) -> Result<Self, super::GroupError> {
            self.set_frozen(what, true)?;
            Ok(self)
        }

        /// Freezes parameters between two steps, or lets them train again; but what stands below
        /// `#[frozen]` has no gradient, and stays. Then they go on with the
        /// state that they had, and count their own steps, as in PyTorch.
        ///
        /// # Errors
        ///
        /// When a name matches no parameter: nothing changes then.
        pub fn set_frozen(
            &mut self,
            what: impl crate::module::Select<M>,
            frozen: bool,
        ) -> Result<(), super::GroupError> {
            let settings = &mut self.$($settings).+;
            settings.groups.set_frozen(what, frozen, settings.steps)
        }

        /// The parameters that train: `ws.grads().select(adam.trained())?.norm()` is the norm that
        /// [`clip_norm`](Self::clip_norm) compares.
        pub fn trained(&self) -> crate::module::Selection<M> {
            let groups = &self.$($settings).+.groups;
            let trains = |param: &crate::module::ParamSpec| groups.trains(param.start);
            match M::selection(trains) {
                Ok(trained) => trained,
                Err(_) => unreachable!("a condition names nothing"),
            }
        }

        /// Steps are no longer than with gradients of the norm `max_norm`: in each step gradients
        /// are multiplied by `max_norm / (norm + 1e-6)` where that is less than 1, as by PyTorch's
        /// `clip_grad_norm_`. `norm` is that of all gradients together
        /// ([`Grads::norm`](super::Grads::norm)), but for those of frozen parameters.
        ///
        /// # Errors
        ///
        /// `max_norm` must be finite and at least 0.
        #[doc(alias = "clip_grad_norm_")]
        pub fn clip_norm(mut self, max_norm: f32) -> Result<Self, HyperParamError> {
            $check.not_negative("max_norm", f64::from(max_norm))?;
            self.$($settings).+.max_norm = Some(max_norm);
            Ok(self)
        }
    };
}
pub(super) use settings;

/// What every optimizer says of itself to a device and to the state of networks.
macro_rules! by_groups {
    ($($settings:ident).+) => {
        fn still(&self) -> &[std::ops::Range<usize>] {
            self.$($settings).+.groups.still()
        }

        fn defers(&self) -> bool {
            true
        }
    };
}
pub(super) use by_groups;
