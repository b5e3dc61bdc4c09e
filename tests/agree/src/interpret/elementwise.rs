//! Elementwise operations, alone and in chains.

use gradiron::ops::elementwise::reference;
use gradiron_compiler::ops::chain::{Chain, Operand};
use gradiron_compiler::ops::convert::{FromBf16, ToBf16};
use gradiron_compiler::ops::dropout::Dropout;
use gradiron_compiler::ops::elementwise::{Constant, Elementwise, Func};
use gradiron_compiler::ops::grad::Grad;
use gradiron_compiler::ops::mapped::Mapped;

use super::{Cx, Known, Reference, evaluate, known};
use crate::array::Array;

pub const OPS: &[Known] = &[
    known::<Elementwise>,
    known::<Chain>,
    known::<Mapped>,
    known::<ToBf16>,
    known::<FromBf16>,
    known::<Dropout>,
    known::<Grad<Dropout>>,
];

fn constant(cx: &Cx, constant: &Constant) -> f64 {
    let number = constant.evaluate(&|dim| cx.scope.size(dim) as f64);
    number.unwrap_or_else(|| panic!("the constant `{constant}` is not known"))
}

/// `func` of each element of arrays of one shape.
fn map(cx: &Cx, func: Func, constants: &[Constant], dims: &[usize], inputs: &[Array]) -> Array {
    let func = func.name();
    let constants: Vec<f64> = constants.iter().map(|value| constant(cx, value)).collect();
    let inputs: Vec<Array> = inputs.iter().map(|input| input.broadcast(dims)).collect();
    let of = |at: usize| {
        let operands: Vec<f64> = inputs.iter().map(|input| input.data[at]).collect();
        let args = [operands, constants.clone()].concat();
        if !is_defined(func, &args) {
            return f64::NAN;
        }
        reference::by_name(func, &args).unwrap_or_else(|| panic!("no reference of {func}"))
    };
    Array::new(dims, (0..dims.iter().product()).map(of).collect())
}

/// Whether a function and its derivatives are defined: PyTorch refuses what is no probability, and
/// at some places a derivative is infinite.
fn is_defined(func: &str, args: &[f64]) -> bool {
    match func {
        "bce" => 0.0 < args[0] && args[0] < 1.0 && (0.0..=1.0).contains(&args[1]),
        "sqrt" | "log" => args[0] > 0.0,
        "powf" => args[0] > 0.0 || args[1] >= 1.0,
        _ => true,
    }
}

/// The shape that arrays have together.
fn common(dims: &mut Vec<usize>, input: &[usize]) {
    let rank = dims.len().max(input.len());
    let at = |dims: &[usize], axis: usize| {
        (axis + dims.len()).checked_sub(rank).map_or(1, |at| dims[at])
    };
    *dims = (0..rank)
        .map(|axis| match (at(dims, axis), at(input, axis)) {
            (1, size) => size,
            (size, _) => size,
        })
        .collect();
}

impl Reference for Elementwise {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let shape = self.shape.as_ref().map(|shape| cx.scope.sizes_of(&shape.0));
        let mut dims = shape.unwrap_or_default();
        inputs.iter().for_each(|input| common(&mut dims, &input.dims));
        vec![map(cx, self.func, &self.constants, &dims, inputs)]
    }
}

impl Reference for Chain {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let dims = cx.scope.sizes_of(&self.shape.0);
        let mut made: Vec<Array> = Vec::new();
        for link in &self.links {
            let operands = link.operands.iter().map(|operand| match operand {
                Operand::Input(at) => inputs[*at].clone(),
                Operand::Link(at) => made[*at].clone(),
            });
            let operands: Vec<Array> = operands.collect();
            made.push(map(cx, link.func, &link.constants, &dims, &operands));
        }
        self.outputs.iter().map(|at| made[*at].clone()).collect()
    }
}

impl Reference for Mapped {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (own, others) = inputs.split_at(self.inputs);
        let result = evaluate(cx, &*self.op, own).swap_remove(0);
        let chained: Vec<Array> = [result.clone()].into_iter().chain(others.to_vec()).collect();
        let mut made = self.chain.run(cx, &chained);
        made.extend(self.kept.then_some(result));
        made
    }
}

/// What is stored in bf16 is so only where a device computes so: in floats it is the value itself.
impl Reference for ToBf16 {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![Array::keeping(inputs)]
    }
}

impl Reference for FromBf16 {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![inputs[0].kept[0].reshaped(cx.scope.sizes_of(&self.0.0))]
    }
}

/// Dropout with the numbers of the first step of seed 0.
fn dropped(p: f64, x: &Array, call: u32) -> Array {
    use gradiron::ops::dropout::{DropoutSpec, reference};
    let mut y = Array::zeros(x.dims.clone());
    let spec = DropoutSpec { p: p as f32 };
    reference::dropout(&mut y.data, &x.data, Default::default(), call, spec);
    y
}

impl Reference for Dropout {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        if cx.mode.inference {
            return vec![inputs[0].clone(), Array::zeros([1])];
        }
        let call = cx.mode.next_call();
        vec![dropped(self.p, &inputs[0], call), Array::new([1], vec![f64::from(call)])]
    }
}

impl Reference for Grad<Dropout> {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![dropped(self.op.p, &inputs[0], inputs[1].data[0] as u32)]
    }
}
