//! The state of an optimizer in files: `fc1.weight.exp_avg`, and the steps of each parameter.

use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;

use super::error::LoadError;
use super::file::{File, Wanted, limits};
use super::safetensors::{Tensor, write_file};
use crate::files::{SaveError, open};
use crate::module::{Model, ParamSpec};
use crate::ops::batch_norm::{count_of, place_of};

/// One tensor of a file: the number of the buffer that it belongs to, its place there, its floats.
pub(crate) type Part = (usize, Range<usize>, Vec<f32>);

/// The tensors of buffers with these names, and behind them the steps.
fn tensors<M: Model>(names: &[&'static str]) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for (number, ParamSpec { name, shape, start, .. }) in M::param_specs().into_iter().enumerate() {
        for (slice, buffer) in names.iter().enumerate() {
            let (names, shape) = (vec![format!("{name}.{buffer}")], shape.clone());
            tensors.push(Tensor { names, shape, start, slice, dtype: Dtype::F32 });
        }
        let (names, slice) = (vec![format!("{name}.step")], names.len());
        tensors.push(Tensor { names, shape: Vec::new(), start: number, slice, dtype: Dtype::I64 });
    }
    tensors
}

/// Saves the buffers of an optimizer, and the steps of each parameter.
pub(crate) fn save_state<M: Model>(
    buffers: &[(&'static str, &[f32])],
    steps: &[u64],
    path: &Path,
) -> Result<(), SaveError> {
    let names: Vec<_> = buffers.iter().map(|(name, _)| *name).collect();
    let places = steps.iter().map(|&steps| place_of(i64::try_from(steps).unwrap_or(i64::MAX)));
    let places: Vec<f32> = places.collect();
    let slice = |number: usize| buffers.get(number).map_or(&places[..], |(_, floats)| floats);
    write_file(tensors::<M>(&names), slice, path)
}

/// Reads what [`save_state`] wrote of buffers with the same names, and puts the steps into `steps`.
pub(crate) fn load_state<M: Model>(
    names: &[&'static str],
    steps: &mut [u64],
    path: &Path,
) -> Result<Vec<Part>, LoadError> {
    let tensors = tensors::<M>(names);
    let opened = open(path).map_err(|error| LoadError::Read { path: path.to_owned(), error });
    let (source, len) = opened?;
    let file = File::new(Box::new(source), len, path, limits(&tensors))?;
    let (mut read, _) = file.read(tensors, &Wanted::default())?;
    read.retain(|(tensor, floats)| {
        let is_buffer = tensor.slice < names.len();
        if !is_buffer {
            steps[tensor.start] = u64::try_from(count_of(floats[0])).unwrap_or(0);
        }
        is_buffer
    });
    let part = |(tensor, floats): (Tensor, _)| (tensor.slice, tensor.range(), floats);
    Ok(read.into_iter().map(part).collect())
}
