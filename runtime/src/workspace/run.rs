//! Runs of functions, with gradients and without.

use std::marker::PhantomData;

use bytemuck::Pod;

use super::{Pass, Program, Purpose, Training, Workspace, slow};
use crate::arena::{Places, Sizes};
use crate::device::{Buf, Device, DeviceError, Indices, Loss, Region, RunMemory};
use crate::function::{Call, Function, FunctionRun, Gradients};
use crate::module::Model;
use crate::optim::{Grads, Optimizer};
use crate::storage::Storage;
use crate::tensor::TensorView;
use crate::training::TrainingRun;
use crate::view;

/// What a function is given, checked: run-time sizes, float arguments in place, class indices.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'i, const FLOATS: usize, const CLASSES: usize> {
    /// The run-time sizes.
    pub n: Sizes,
    /// The float arguments.
    pub floats: [&'i [f32]; FLOATS],
    /// Where the class indices were copied to.
    pub classes: [Indices; CLASSES],
}

/// What a run has made.
#[allow(missing_debug_implementations)]
pub struct Ran<'w, M, D: Device, P, const FLOATS: usize, const RESULTS: usize> {
    pub(super) ws: &'w Workspace<M, D, P>,
    /// The results.
    pub results: [Buf; RESULTS],
    /// The gradients of the float arguments, empty where they are not asked for.
    pub d_args: [Buf; FLOATS],
}

/// The loss of a step, which may be under way, and what came with it.
pub type Trained<'w, M, D, const FLOATS: usize, const RESULTS: usize> =
    (Loss<D>, Ran<'w, M, D, Training, FLOATS, RESULTS>);

impl<'w, M: Program, D: Device, P: Purpose, const FLOATS: usize, const RESULTS: usize>
    Ran<'w, M, D, P, FLOATS, RESULTS>
{
    /// The floats of a result or of a gradient.
    #[inline]
    pub fn flat(&self, of: Buf) -> Result<&'w [f32], DeviceError> {
        self.ws.read(of)
    }

    /// The same of one number.
    #[inline]
    pub fn number(&self, of: Buf) -> Result<f32, DeviceError> {
        Ok(self.ws.read(of)?[0])
    }

    /// The same as one array.
    #[inline]
    pub fn array<T: Pod>(&self, of: Buf) -> Result<&'w T, DeviceError> {
        Ok(view::array(self.ws.read(of)?))
    }

    /// The same as a tensor of these sizes.
    #[inline]
    pub fn tensor<const RANK: usize>(
        &self,
        of: Buf,
        sizes: [usize; RANK],
    ) -> Result<TensorView<'w, RANK>, DeviceError> {
        Ok(TensorView::new(self.ws.read(of)?, sizes).expect("a result has the sizes of its type"))
    }

    /// The same as samples.
    #[inline]
    pub fn batch<T: Pod>(&self, of: Buf) -> Result<&'w [T], DeviceError> {
        Ok(view::batch(self.ws.read(of)?))
    }
}

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device, P: Purpose> Workspace<M, D, P> {
    /// Inference of a function.
    #[inline]
    pub fn infer<'w, F, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        _: F,
        params: Option<&Storage>,
        inputs: Inputs<A, C>,
    ) -> Result<Ran<'w, M, D, P, A, R>, DeviceError>
    where
        F: Function<A, C, R, Model = M>,
    {
        let lens = F::lens(inputs.n);
        let mut places = Places::default();
        if self.training {
            return self.as_in_training::<F, A, C, R>(params, inputs);
        }
        let call = Call {
            n: inputs.n,
            args: input_bufs(lens.args),
            classes: inputs.classes,
            results: lens.results.map(|len| places.take(len)),
            block: places.rest(self.plans[F::AT].floats[Pass::Infer as usize]),
        };
        self.infer_call::<F, A, C, R>(params, &inputs.floats, call)?;
        let d_args = [Buf::new(Region::Arena, 0, 0); A];
        Ok(Ran { ws: self, results: call.results, d_args })
    }

    /// A run as in training, without gradients. The state that it makes is not kept.
    fn as_in_training<'w, F, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        params: Option<&Storage>,
        inputs: Inputs<A, C>,
    ) -> Result<Ran<'w, M, D, P, A, R>, DeviceError>
    where
        F: Function<A, C, R, Model = M>,
    {
        self.intact()?;
        let lens = F::lens(inputs.n);
        let plan = &self.plans[F::AT];
        let mut places = Places::default();
        let results = lens.results.map(|len| places.take(len));
        let new_state = places.take(M::STATE);
        let call = Call {
            n: inputs.n,
            args: input_bufs(lens.args),
            classes: inputs.classes,
            results,
            block: places.rest(plan.floats[Pass::Training as usize]),
        };
        let memory = RunMemory {
            params: params.unwrap_or(&self.none),
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: None,
            prepared: None,
            random: self.random,
            inputs: &inputs.floats,
            indices: &self.indices,
        };
        let offsets = &plan.offsets[Pass::Training as usize][..];
        let function = PhantomData;
        let run = TrainingRun::<F, A, C, R> { offsets, call, new_state, function };
        let outcome = self.device.run(memory, run);
        self.outcome(outcome)?;
        self.random.step += 1;
        Ok(Ran { ws: self, results, d_args: [Buf::new(Region::Arena, 0, 0); A] })
    }

    #[inline]
    pub(super) fn infer_call<F, const A: usize, const C: usize, const R: usize>(
        &mut self,
        params: Option<&Storage>,
        inputs: &[&[f32]],
        call: Call<A, C, R>,
    ) -> Result<(), DeviceError>
    where
        F: Function<A, C, R, Model = M>,
    {
        self.intact()?;
        if Self::PREPARED > 0 {
            self.prepare(params)?;
        }
        let none = Buf::new(Region::Arena, 0, 0);
        let gradients = Gradients { d_results: [none; R], d_args: [none; A], want_inputs: false };
        self.run::<F, A, C, R, false>(params, inputs, Pass::Infer, call, gradients)
    }

    #[inline(always)]
    fn run<F, const A: usize, const C: usize, const R: usize, const GRAD: bool>(
        &mut self,
        params: Option<&Storage>,
        inputs: &[&[f32]],
        pass: Pass,
        call: Call<A, C, R>,
        gradients: Gradients<A, R>,
    ) -> Result<(), DeviceError>
    where
        F: Function<A, C, R, Model = M>,
    {
        let memory = RunMemory {
            params: params.unwrap_or(&self.none),
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: None,
            prepared: self.prepared.as_ref().map(|(_, prepared)| &**prepared),
            random: self.random,
            inputs,
            indices: &self.indices,
        };
        let offsets = &self.plans[F::AT].offsets[pass as usize][..];
        let function = PhantomData;
        let run = FunctionRun::<F, A, C, R, GRAD> { offsets, call, gradients, function };
        let began = if GRAD { slow::begin() } else { None };
        let outcome = self.device.run(memory, run);
        slow::end(began);
        self.outcome(outcome)?;
        self.random.step += u64::from(GRAD);
        Ok(())
    }

    /// The floats of a result.
    #[inline]
    pub(crate) fn read(&self, buf: Buf) -> Result<&[f32], DeviceError> {
        self.intact()?;
        self.outcome(self.device.read(&self.arena, buf.start, buf.len))
    }
}

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device> Workspace<M, D> {
    /// A loss and the gradients of the parameters, or a function that is given the gradients of its
    /// results, in `floats` behind the arguments. With `want_inputs`, those of the float arguments
    /// too.
    #[inline]
    pub fn grad<'w, F, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        _: F,
        params: Option<&Storage>,
        inputs: Inputs<A, C>,
        floats: &[&[f32]],
        want_inputs: bool,
    ) -> Result<Ran<'w, M, D, Training, A, R>, DeviceError>
    where
        F: Function<A, C, R, Model = M>,
    {
        let (call, gradients) = self.gradients::<F, A, C, R>(&inputs, floats.len(), want_inputs);
        self.intact()?;
        let pass = if want_inputs { Pass::GradInputs } else { Pass::Grad };
        self.run::<F, A, C, R, true>(params, floats, pass, call, gradients)?;
        self.begin_mean();
        (self.made, self.absent, self.single) = (true, F::ABSENT, true);
        *self.fresh.get_mut() = true;
        Ok(Ran { ws: self, results: call.results, d_args: gradients.d_args })
    }

    /// A loss and what comes with it, the gradients of the parameters, and the step of an optimizer
    /// along them.
    #[inline]
    pub fn train<'w, F, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        of: F,
        net: &mut M::Owner,
        optimizer: &mut impl Optimizer<M::Owner>,
        inputs: Inputs<A, C>,
    ) -> Result<Trained<'w, M, D, A, R>, DeviceError>
    where
        F: Function<A, C, R, Model = M>,
        M::Owner: Model,
    {
        self.train_along(of, net, optimizer, inputs, &inputs.floats)
    }

    /// The same of losses, whose weights are in `floats` behind the arguments.
    #[inline]
    pub fn train_along<'w, F, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        _: F,
        net: &mut M::Owner,
        optimizer: &mut impl Optimizer<M::Owner>,
        inputs: Inputs<A, C>,
        floats: &[&[f32]],
    ) -> Result<Trained<'w, M, D, A, R>, DeviceError>
    where
        F: Function<A, C, R, Model = M>,
        M::Owner: Model,
    {
        let (call, gradients) = self.gradients::<F, A, C, R>(&inputs, floats.len(), false);
        assert!(
            self.accumulated() == 0,
            "gradiron: the mean of {} samples waits for a step: make it, or forget them by \
             `ws.zero_grad()`, before a call that makes gradients and a step of its own",
            self.accumulated()
        );
        self.intact()?;
        let loss = call.results[0].start;
        let deferred = optimizer.defers() && self.device.defer(&self.grads);
        if deferred {
            let grads = Grads::lent(self.device.lend(&self.grads), M::PARAMS, M::STATE);
            optimizer.step(net, grads.without(F::ABSENT));
        }
        let params = net.storage().map(|params| &*params);
        let ran = self.run::<F, A, C, R, true>(params, floats, Pass::Grad, call, gradients);
        let loss = ran.and_then(|()| self.outcome(self.device.read_later(&self.arena, loss)));
        // Whether the optimizer's step was made is not known after a failure.
        let loss = loss.inspect_err(|error| self.device.lose(&self.grads, error))?;
        (self.made, self.absent, self.single) = (true, F::ABSENT, false);
        *self.fresh.get_mut() = !deferred;
        if !deferred {
            optimizer.step(net, self.grads());
        }
        Ok((Loss::new(loss), Ran { ws: self, results: call.results, d_args: gradients.d_args }))
    }

    /// The places of a run with gradients. Those of the results are among the `floats` inputs, or
    /// the run makes them.
    #[inline(always)]
    fn gradients<F, const A: usize, const C: usize, const R: usize>(
        &self,
        inputs: &Inputs<A, C>,
        floats: usize,
        want_inputs: bool,
    ) -> (Call<A, C, R>, Gradients<A, R>)
    where
        F: Function<A, C, R, Model = M>,
    {
        let lens = F::lens(inputs.n);
        let pass = if want_inputs { Pass::GradInputs } else { Pass::Grad };
        let mut places = Places::default();
        let results = lens.results.map(|len| places.take(len));
        let mut d_results = match floats > A {
            true => input_bufs(lens.results),
            false => lens.results.map(|len| places.take(len)),
        };
        if floats > A {
            for (r, d_result) in d_results.iter_mut().enumerate() {
                d_result.region = Region::Input((A + r) as u8);
            }
        }
        let d_args = lens.args.map(|len| places.take(if want_inputs { len } else { 0 }));
        let call = Call {
            n: inputs.n,
            args: input_bufs(lens.args),
            classes: inputs.classes,
            results,
            block: places.rest(self.plans[F::AT].floats[pass as usize]),
        };
        (call, Gradients { d_results, d_args, want_inputs })
    }
}

/// The first inputs of a run, which have so many elements.
#[inline(always)]
pub(super) fn input_bufs<const A: usize>(lens: [usize; A]) -> [Buf; A] {
    let mut at = 0;
    lens.map(|len| {
        at += 1;
        Buf::new(Region::Input(at - 1), 0, len)
    })
}
