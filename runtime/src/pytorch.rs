//! Methods that PyTorch's networks, losses and optimizers have and those here have not: a call is
//! an error that says what to write. Each stands on a bound that nothing meets, so that a method of
//! the user's own by the same name is the only one.
#![allow(missing_docs)]

use crate::check::Number;
use crate::module::Model;
use crate::optim::each::{Adam, AdamW, Lion, RMSprop, Sgd};

#[diagnostic::on_unimplemented(
    message = "a network has no modes: what ends in `_grad` or `_train` runs as in training, all else as in inference",
    label = "take it out",
    note = "`ws.set_training(true)` is for a run without gradients that is as in training"
)]
pub trait HasModes {}

pub trait Modes {
    fn train(&mut self) {}
    fn eval(&mut self) {}
}

impl<T: Model + HasModes> Modes for T {}

#[diagnostic::on_unimplemented(
    message = "a network is on no device by itself: it runs where its workspace is",
    label = "take it out",
    note = "on a GPU the workspace is `Net::workspace_on(Cuda::new(0)?, 64)?`"
)]
pub trait HasDevice {}

pub trait Moves {
    fn to(&self) {}
    fn cuda(&self) {}
    fn cpu(&self) {}
}

impl<T: Model + HasDevice> Moves for T {}

#[diagnostic::on_unimplemented(
    message = "parameters are one slice, `net.params()`; `net.save(path)` writes them with their names, `net.load(path)` reads them",
    label = "write one of these"
)]
pub trait HasDictionary {}

pub trait Dictionary {
    fn parameters(&self) {}
    fn named_parameters(&self) {}
    fn state_dict(&self) {}
    fn load_state_dict(&mut self) {}
}

impl<T: Model + HasDictionary> Dictionary for T {}

#[diagnostic::on_unimplemented(
    message = "a loss is a number: its gradients are made with it, by what ends in `_grad` or `_train`",
    label = "take it out"
)]
pub trait HasTape {}

pub trait Tape {
    fn backward(&self) {}
    fn item(&self) {}
}

impl<T: Number + HasTape> Tape for T {}

#[diagnostic::on_unimplemented(
    message = "gradients are fresh in each run, and nothing is added to those before",
    label = "take it out"
)]
pub trait AddsGradients {}

pub trait Gradients {
    fn zero_grad(&mut self) {}
}

macro_rules! of_optimizers {
    ($($optimizer:ident),*) => {
        $(impl<M> Gradients for $optimizer<M> where Self: AddsGradients {})*
    };
}

of_optimizers!(Adam, AdamW, Lion, RMSprop, Sgd);
