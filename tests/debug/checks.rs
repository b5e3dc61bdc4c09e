//! The first value that is not finite: what is said of it, and what is none.

use std::error::Error;

use gradiron::debug::NotFinite;
use gradiron::device::DeviceError;
use gradiron::prelude::*;
use gradiron::profile::Phase;

use crate::Outcome;

model! {
    struct Block<const D: usize> {
        fc: Linear(D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        self.fc(x)
            .log()
    }
}

model! {
    struct Net {
        fc1: Linear(3 -> 5),
        blocks: [Block<5>; 2],
        head: Linear(5 -> 2),
    }

    fn loss(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        cross_entropy(self.head(self.blocks(self.fc1(x).square())), label)
    }
}

/// The lines of the file in which a text stands first.
fn line_of(text: &str) -> usize {
    let lines = include_str!("checks.rs").lines();
    lines.enumerate().find(|(_, line)| line.contains(text)).map_or(0, |(at, _)| at + 1)
}

fn checked() -> Cpu {
    Cpu::with_threads(1).with_checks()
}

fn not_finite(error: InputError) -> NotFinite {
    let InputError::Device(DeviceError::Stopped(failure)) = error else {
        panic!("another error: {error}")
    };
    failure.error().downcast_ref::<NotFinite>().expect("a value that is not finite").clone()
}

/// A net whose second block takes the logarithm of a negative number, at feature 3 of all samples.
fn broken() -> Result<Net, Box<dyn Error>> {
    let mut net = Net::init(Seed(0));
    net.params_mut().fill(0.1);
    net.select_mut("blocks")?.fill(0.0);
    for block in ["blocks.0.fc.bias", "blocks.1.fc.bias"] {
        net.select_mut(block)?.fill(1.5);
    }
    net.params_mut()[index_of("blocks.1.fc.bias") + 3] = -2.0;
    Ok(net)
}

fn index_of(name: &str) -> usize {
    Net::param_specs().iter().find(|spec| spec.name == name).expect("such a parameter").start
}

#[test]
fn the_first_value_has_its_operation_place_element_and_inputs() -> Outcome {
    let (net, x, label) = (broken()?, [[0.5, 1.0, 2.0]; 4], [0_u8, 1, 0, 1]);
    let mut ws = Net::workspace_on(checked(), 4)?;
    let found = not_finite(net.loss_grad(&mut ws, &x, &label).unwrap_err());
    assert_eq!((found.function, found.phase), ("Net::loss_grad", Phase::Forward));
    assert_eq!(found.name, "blocks.1.fc + log");
    assert!(found.value.is_nan());
    assert_eq!((&found.index[..], &found.shape[..], found.count), (&[0, 3][..], &[4, 5][..], 4));
    assert!(found.place.file.ends_with("tests/debug/checks.rs"), "{:?}", found.place);
    let [layer, step] = [line_of("self.fc(x)"), line_of(".log()")];
    assert_eq!(found.place.steps, [[layer, 14], [step, 14]]);
    let names: Vec<_> = found.inputs.iter().map(|input| &input.name[..]).collect();
    for name in ["blocks.0.fc + log", "blocks.1.fc.weight", "blocks.1.fc.bias"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let bias = found.inputs.iter().find(|input| input.name == "blocks.1.fc.bias");
    let range = bias.expect("named above").range;
    assert_eq!((range.min, range.max, range.is_finite()), (-2.0, 1.5, true));
    Ok(())
}

/// The message as a whole, with what it says of files left out.
#[test]
fn the_message_says_it_in_words() -> Outcome {
    let (net, x, label) = (broken()?, [[0.5, 1.0, 2.0]; 4], [0_u8, 1, 0, 1]);
    let mut ws = Net::workspace_on(checked(), 4)?;
    let text = net.loss_grad(&mut ws, &x, &label).unwrap_err().to_string();
    let expected = format!(
        "the first value that is not finite is NaN at [0, 3] of `blocks.1.fc + log`, in the forward \
         pass of `Net::loss_grad`\n  at tests/debug/checks.rs:{}:14 and {}:14\n  matmul.nt + add + \
         log made [4, 5], of which 4 are not finite, from\n    `blocks.1.fc.bias`: -2 to 1.5\n    \
         `blocks.0.fc + log`: 0.4055 to 0.4055\n    `blocks.1.fc.weight`: 0 to 0",
        line_of("self.fc(x)"),
        line_of(".log()")
    );
    assert_eq!(text.replace("at debug", "at tests/debug"), expected);
    Ok(())
}

/// The root of a square has no gradient at zero: 0 · ∞.
mod backward {
    use super::*;

    model! {
        struct Root {
            fc: Linear(2 -> 3),
        }

        fn loss(&self, x: [batch, 2]) -> [] {
            self.fc(x).square().sqrt().mean()
        }
    }

    #[test]
    fn a_gradient_is_found_in_the_backward_pass() -> Outcome {
        let mut net = Root::init(Seed(0));
        net.params_mut().fill(0.0);
        let mut ws = Root::workspace_on(checked(), 1)?;
        assert_eq!(net.loss(&mut ws, &[[1.0, 2.0]])?, 0.0);
        let found = not_finite(net.loss_grad(&mut ws, &[[1.0, 2.0]]).unwrap_err());
        assert_eq!(found.phase, Phase::Backward);
        assert!(found.name.contains("sqrt"), "{}", found.name);
        Ok(())
    }
}

#[test]
fn workspaces_go_on_after_a_check() -> Outcome {
    let (mut net, x, label) = (broken()?, [[0.5, 1.0, 2.0]; 4], [0_u8, 1, 0, 1]);
    let mut ws = Net::workspace_on(checked(), 4)?;
    assert!(net.loss_grad(&mut ws, &x, &label).is_err());
    net.select_mut("blocks.1.fc.bias")?.fill(1.5);
    assert!(net.loss_grad(&mut ws, &x, &label)?.is_finite());
    Ok(())
}

#[test]
fn an_argument_that_is_not_finite_is_an_input() -> Outcome {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace_on(checked(), 1)?;
    let found = not_finite(net.loss(&mut ws, &[[1.0, f32::NAN, 0.0]], &[1_u8]).unwrap_err());
    assert_eq!(found.name, "fc1 + square");
    let input = found.inputs.iter().find(|input| input.name == "argument 1").expect("it is read");
    assert_eq!(input.range.nan, 1);
    Ok(())
}

mod masks {
    use super::*;

    const HIDDEN: f32 = f32::NEG_INFINITY;

    model! {
        struct Masked {
            fc: Linear(3 -> 3),
        }

        fn forward(&self, x: [batch, 3], mask: [batch, 3]) -> [batch, 3] {
            self.fc(x).masked_fill(mask, HIDDEN).softmax(1)
        }
    }

    #[test]
    fn infinities_of_masks_are_meant() -> Outcome {
        let net = Masked::init(Seed(0));
        let mut ws = Masked::workspace_on(checked(), 1)?;
        let y = net.forward(&mut ws, &[[1.0; 3]], &[[0.0, 1.0, 0.0]])?;
        assert_eq!(y[0][1], 0.0);
        // A row without a place that is seen has no softmax.
        let found = not_finite(net.forward(&mut ws, &[[1.0; 3]], &[[1.0; 3]]).unwrap_err());
        assert_eq!(found.name, "softmax");
        assert_eq!(found.inputs[0].range.infinite, 3);
        Ok(())
    }
}

/// What is observed gives the bits of what is not, where both take the kernels for all sizes.
#[test]
fn results_have_the_same_bits() -> Outcome {
    let mut net = broken()?;
    net.select_mut("blocks.1.fc.bias")?.fill(1.5);
    let (x, label) = ([[0.5, 1.0, 2.0]; 4], [0_u8, 1, 0, 1]);
    let mut losses = Vec::new();
    for cpu in [checked(), Cpu::with_threads(2)] {
        let mut ws = Net::workspace_on(cpu, 4)?;
        let loss = net.loss_grad(&mut ws, &x, &label)?;
        losses.push((loss, ws.grads().as_slice().to_vec()));
    }
    if cfg!(debug_assertions) {
        assert_eq!(losses[0], losses[1]);
    }
    Ok(())
}
