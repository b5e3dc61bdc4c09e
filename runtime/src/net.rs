//! The owner of a derived module's parameters and state.

use std::marker::PhantomData;

use crate::device::{Device, DeviceError};
use crate::module::{Model, Module, init_params};
use crate::rng::Seed;
use crate::storage::Storage;
use crate::workspace::{InputError, Program, Purpose, Workspace};

/// A module that maps one batch of inputs to one of outputs: what `#[derive(Module)]` makes of a
/// struct.
pub trait Sequential: Program + 'static {
    /// `&[[f32; 784]]` for `[batch, 784]`, `&[[u32; 64]]` for `Classes[batch, 64]`, a `TensorView`
    /// where arrays cannot say the sizes; a tuple of several.
    type Input<'i>;
    /// The gradient of the input: a reference to floats of its shape, `()` for class indices; a
    /// tuple where several inputs are floats.
    type InputGrad<'w>
    where
        Self: 'w;
    /// `&[[f32; 10]]` for `[batch, 10]`.
    type Output<'w>
    where
        Self: 'w;

    #[doc(hidden)]
    fn forward<'w, D: Device, P: Purpose>(
        params: &Storage,
        ws: &'w mut Workspace<Self, D, P>,
        x: Self::Input<'_>,
    ) -> Result<Self::Output<'w>, InputError>
    where
        Self: Sized;

    #[doc(hidden)]
    fn forward_grad<'w, D: Device>(
        params: &Storage,
        ws: &'w mut Workspace<Self, D>,
        x: Self::Input<'_>,
        d_result: Self::Output<'_>,
    ) -> Result<Self::Output<'w>, InputError>
    where
        Self: Sized;

    #[doc(hidden)]
    #[allow(clippy::type_complexity)]
    fn forward_grad_inputs<'w, D: Device>(
        params: &Storage,
        ws: &'w mut Workspace<Self, D>,
        x: Self::Input<'_>,
        d_result: Self::Output<'_>,
    ) -> Result<(Self::Output<'w>, Self::InputGrad<'w>), InputError>
    where
        Self: Sized;
}

/// A derived module together with its parameters and its state.
pub struct Net<M> {
    /// The parameters, then the state.
    params: Storage,
    module: PhantomData<fn() -> M>,
}

impl<M> Clone for Net<M> {
    fn clone(&self) -> Self {
        Self { params: self.params.clone(), module: PhantomData }
    }
}

impl<M> std::fmt::Debug for Net<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("params", &self.params).finish()
    }
}

impl<M: Module> Net<M> {
    /// New parameters, drawn from `seed` by PyTorch's default initialisers.
    pub fn init(seed: Seed) -> Self {
        Self { params: init_params::<M>(seed), module: PhantomData }
    }
}

impl<M: Sequential> Net<M> {
    /// Inference: the fields in their order.
    ///
    /// # Errors
    /// When the input does not fit the workspace.
    pub fn forward<'w, D: Device, P: Purpose>(
        &self,
        ws: &'w mut Workspace<M, D, P>,
        x: M::Input<'_>,
    ) -> Result<M::Output<'w>, InputError> {
        M::forward(&self.params, ws, x)
    }

    /// The output, and the gradients of the parameters in `ws.grads()`, from the gradient
    /// `d_result` of the output.
    ///
    /// # Errors
    /// When an input does not fit the workspace.
    pub fn forward_grad<'w, D: Device>(
        &self,
        ws: &'w mut Workspace<M, D>,
        x: M::Input<'_>,
        d_result: M::Output<'_>,
    ) -> Result<M::Output<'w>, InputError> {
        M::forward_grad(&self.params, ws, x, d_result)
    }

    /// The same, and the gradient of the input.
    ///
    /// # Errors
    /// When an input does not fit the workspace.
    pub fn forward_grad_inputs<'w, D: Device>(
        &self,
        ws: &'w mut Workspace<M, D>,
        x: M::Input<'_>,
        d_result: M::Output<'_>,
    ) -> Result<(M::Output<'w>, M::InputGrad<'w>), InputError> {
        M::forward_grad_inputs(&self.params, ws, x, d_result)
    }
}

impl<M: Module> Model for Net<M> {
    type Module = M;

    fn params(&self) -> &[f32] {
        &self.params.as_slice()[..M::PARAMS]
    }

    fn params_mut(&mut self) -> &mut [f32] {
        &mut self.params.as_mut_slice()[..M::PARAMS]
    }

    fn state(&self) -> &[f32] {
        &self.params.as_slice()[M::PARAMS..]
    }

    fn state_mut(&mut self) -> &mut [f32] {
        &mut self.params.as_mut_slice()[M::PARAMS..]
    }

    fn stored(&self) -> Option<&Storage> {
        Some(&self.params)
    }

    fn storage(&mut self) -> Option<&mut Storage> {
        Some(&mut self.params)
    }

    fn fetch(&self) -> Result<(), DeviceError> {
        self.params.fetch().map(|_| ())
    }
}
