//! Gradients against differences, and the norms of steps.

use gradiron::debug::{StepNorms, grad_check};
use gradiron::prelude::*;

use crate::Outcome;

model! {
    struct Net {
        #[allow(bias_before_batch_norm)]
        conv: Conv2d(1 -> 3, kernel = 3),
        bn: BatchNorm2d(3),
        fc: Linear(12 -> 8),
        head: Linear(8 -> 4),
    }

    fn loss(&self, image: [batch, 1, 4, 4], label: Classes[batch]) -> [] {
        let x = self.bn(self.conv(image)).gelu().flatten().dropout(0.25);
        cross_entropy(self.head(self.fc(x).tanh()), label)
    }

    /// The gradient of `fc` lacks what goes through the second use.
    fn half_detached(&self, image: [batch, 1, 4, 4], label: Classes[batch]) -> [] {
        let x = self.fc(self.bn(self.conv(image)).gelu().flatten());
        cross_entropy(self.head(x.tanh() * x.detach()), label)
    }
}

const BATCH: usize = 4;
const LABELS: [u8; BATCH] = [0, 3, 1, 2];

fn images() -> [[[[f32; 4]; 4]; 1]; BATCH] {
    let pixel = |i: usize| (i as f32 * 0.7).sin();
    std::array::from_fn(|n| {
        [std::array::from_fn(|h| std::array::from_fn(|w| pixel(16 * n + 4 * h + w)))]
    })
}

#[test]
fn right_gradients_agree() -> Outcome {
    let mut net = Net::init(Seed(3));
    let before = net.params().to_vec();
    let mut ws = Net::workspace_on(Cpu::with_threads(1), BATCH)?;
    let check = grad_check(&mut net, &mut ws, 4, |net, ws| net.loss_grad(ws, &images(), &LABELS))?;
    assert!(check.is_right(), "{check}");
    assert_eq!(net.params(), before, "the parameters are as they were");
    let names: Vec<_> = check.tensors.iter().map(|tensor| &tensor.name[..]).collect();
    let all: Vec<_> = Net::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names, all);
    // Differences that are too rough would agree with anything.
    for tensor in check.tensors.iter().filter(|tensor| tensor.gradient.abs() > 1e-2) {
        assert!(tensor.error < 0.02 * tensor.gradient.abs(), "{check}");
    }
    Ok(())
}

#[test]
fn wrong_gradients_are_named() -> Outcome {
    let mut net = Net::init(Seed(3));
    let mut ws = Net::workspace_on(Cpu::with_threads(1), BATCH)?;
    let check =
        grad_check(&mut net, &mut ws, 2, |net, ws| net.half_detached_grad(ws, &images(), &LABELS))?;
    assert!(!check.is_right());
    for tensor in &check.tensors {
        let is_before = !tensor.name.starts_with("head") && tensor.name != "conv.bias";
        assert_eq!(tensor.is_wrong, is_before, "{}\n{check}", tensor.name);
    }
    let worst = check.worst().expect("it has tensors");
    assert!(!worst.name.starts_with("head"), "{check}");
    assert!(check.to_string().contains("WRONG"), "{check}");
    Ok(())
}

/// A gradient of one element alone, which no entry was chosen for.
#[test]
fn one_wrong_element_is_found_by_halves() -> Outcome {
    let mut net = Net::init(Seed(3));
    let mut ws = Net::workspace_on(Cpu::with_threads(1), BATCH)?;
    let spec = Net::param_specs().into_iter().find(|spec| spec.name == "fc.weight");
    let at = spec.expect("it has one").start + 5 * 12 + 7;
    // What stands for a mistake: a share of the loss that the gradients do not know.
    let check = grad_check(&mut net, &mut ws, 0, |net, ws| {
        Ok(net.loss_grad(ws, &images(), &LABELS)? + 3.0 * net.params()[at])
    })?;
    let wrong: Vec<_> = check.tensors.iter().filter(|tensor| tensor.is_wrong).collect();
    assert_eq!(wrong.len(), 1, "{check}");
    assert_eq!((&wrong[0].name[..], &wrong[0].index[..]), ("fc.weight", &[5, 7][..]));
    assert!((wrong[0].difference - wrong[0].gradient - 3.0).abs() < 0.05, "{check}");
    Ok(())
}

#[test]
fn norms_are_those_of_the_last_step() -> Outcome {
    let mut net = Net::init(Seed(3));
    let mut ws = Net::workspace_on(Cpu::with_threads(1), BATCH)?;
    let mut sgd = Sgd::new(&net, 0.5)?;
    let mut norms = StepNorms::new(&net);
    for _ in 0..2 {
        net.loss_grad(&mut ws, &images(), &LABELS)?;
        sgd.step(&mut net, ws.grads());
        norms.record(&net, &ws.grads());
    }
    for tensor in &norms.tensors {
        let norm = |of: &[f32]| of.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let spec = Net::param_specs().into_iter().find(|spec| spec.name == tensor.name);
        let spec = spec.ok_or("a name of no parameter")?;
        let here = spec.start..spec.start + spec.len();
        assert_eq!(tensor.gradient, norm(&ws.grads().as_slice()[here.clone()]));
        assert_eq!(tensor.param, norm(&net.params()[here]));
        assert!((tensor.update - 0.5 * tensor.gradient).abs() < 1e-5, "{norms}");
    }
    assert!(norms.to_string().contains("fc.weight"));
    Ok(())
}
