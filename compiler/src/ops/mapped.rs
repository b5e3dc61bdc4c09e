//! A product or a convolution with the chain that follows it, in one call.

use std::rc::Rc;

use proc_macro2::{Ident, TokenStream};

use super::chain::Chain;
use super::{Emission, Emit, Mismatch, Op, Rule, Transform};
use crate::dim::Dim;
use crate::graph::Ty;

/// `op`, and `chain` of its result, part by part while that is in cache.
///
/// Inputs: those of `op`, then those of the chain but its first, which is the result of `op`.
/// Outputs: the chain's, then the result of `op` when something else reads it (`kept`); otherwise
/// it lives in the chain's first output until the chain overwrites it.
#[derive(Clone, Debug)]
pub struct Mapped {
    pub op: Rc<dyn Op>,
    pub chain: Chain,
    /// The number of inputs of `op`.
    pub inputs: usize,
    pub kept: bool,
}

impl Mapped {
    /// The inputs of the chain, the result of `op` before the others.
    fn chain_inputs<T: Clone>(&self, result: T, inputs: &[T]) -> Vec<T> {
        [result].into_iter().chain(inputs[self.inputs..].iter().cloned()).collect()
    }

    fn result(&self) -> Ty {
        Ty::float(self.chain.shape.0.clone())
    }
}

impl Op for Mapped {
    fn name(&self) -> String {
        format!("{}, {}", self.op.name(), self.chain.name())
    }

    fn kind(&self) -> String {
        format!("{} + {}", self.op.kind(), self.chain.kind())
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut outputs = self.chain.infer(rule, inputs)?;
        outputs.extend(self.kept.then(|| self.result()));
        Ok(outputs)
    }
}

impl Transform for Mapped {}

impl Emission for Mapped {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (outputs, kept) = e.output_vars.split_at(self.chain.outputs.len());
        let result = kept.first().unwrap_or(&outputs[0]).clone();
        let types = self.chain_inputs(self.result(), &e.inputs);
        let vars = self.chain_inputs(result.clone(), &e.input_vars);
        let operands = self.chain.operands(&types, &vars, outputs);
        self.op.emit(&Emit {
            inputs: e.inputs[..self.inputs].to_vec(),
            outputs: vec![self.result()],
            input_vars: e.input_vars[..self.inputs].to_vec(),
            output_vars: vec![result],
            used: vec![true],
            scratch: e.scratch.clone(),
            item: e.item.clone(),
            inference: e.inference,
            then: Some(operands),
        })
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        let types = self.chain_inputs(self.result(), inputs);
        let own = self.op.flops(&inputs[..self.inputs], &[self.result()]);
        own.plus(&self.chain.flops(&types, outputs))
    }

    fn code_size(&self) -> usize {
        self.op.code_size() + self.chain.code_size()
    }

    fn scratch(&self, inference: bool) -> Option<Dim> {
        self.op.scratch(inference)
    }

    fn serves_cpu_only(&self) -> bool {
        self.op.serves_cpu_only()
    }

    /// What the op reads is read until its last part is computed, and its result takes the first
    /// output before the chain reads the others.
    fn in_place(&self, output: usize, input: usize) -> bool {
        input >= self.inputs && output < self.chain.outputs.len() && (self.kept || output > 0)
    }

    fn item_name(&self) -> String {
        self.chain.item_name()
    }

    fn items(&self, name: &Ident) -> TokenStream {
        self.chain.items(name)
    }
}
