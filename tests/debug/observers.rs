//! What observers see, and what statistics make of it.

use std::sync::{Arc, Mutex};

use gradiron::debug::{Observation, Statistics};
use gradiron::prelude::*;
use gradiron::profile::{Phase, Profile};

use crate::Outcome;

model! {
    struct Net {
        conv: Conv2d(1 -> 4, kernel = 3),
        fc: Linear(16 -> 6),
        head: Linear(6 -> 3),
    }

    fn forward(&self, image: [batch, 1, 4, 4]) -> [batch, 3] {
        let x = self.conv(image).relu().flatten();
        self.head(self.fc(x).tanh()).softmax(1)
    }

    fn loss(&self, image: [batch, 1, 4, 4]) -> [] {
        self.forward(image).square().mean()
    }
}

const IMAGES: [[[[f32; 4]; 4]; 1]; 2] = [[[[1.0, -1.0, 0.5, 2.0]; 4]]; 2];

#[test]
fn values_have_names_shapes_and_phases() -> Outcome {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&seen);
    let cpu = Cpu::with_threads(1).with_observer(move |seen: &Observation<'_>| {
        let shapes: Vec<_> = seen.outputs.iter().map(|output| output.shape.clone()).collect();
        to.lock().expect("no panic").push((seen.phase, seen.name.to_owned(), shapes));
        Ok(())
    });
    let net = Net::init(Seed(1));
    let mut ws = Net::workspace_on(cpu, 2)?;
    net.loss_grad(&mut ws, &IMAGES)?;
    let seen = seen.lock().expect("no panic");
    let has = |phase, name: &str, shape: &[usize]| {
        let is_it = |(p, n, shapes): &(Phase, String, Vec<Vec<usize>>)| {
            *p == phase && n == name && shapes.iter().any(|s| s == shape)
        };
        assert!(seen.iter().any(is_it), "no {name} {shape:?} in {seen:#?}");
    };
    has(Phase::Forward, "conv + relu", &[2, 4, 2, 2]);
    has(Phase::Forward, "fc + tanh", &[2, 6]);
    has(Phase::Backward, "fc", &[6, 16]);
    has(Phase::Backward, "conv", &[4, 1, 3, 3]);
    Ok(())
}

#[test]
fn dead_units_and_limits_are_remarked() -> Outcome {
    let mut net = Net::init(Seed(1));
    net.params_mut()[..36].fill(0.01);
    for (name, value) in [("conv.bias", 0.1), ("fc.weight", 0.0), ("fc.bias", 30.0)] {
        net.select_mut(name)?.fill(value);
    }
    net.select_mut("head.weight")?.fill(0.0);
    let bias = Net::param_specs().iter().find(|spec| spec.name == "conv.bias").map(|s| s.start);
    net.params_mut()[bias.expect("it has one") + 2] = -100.0;
    let head = Net::param_specs().iter().find(|spec| spec.name == "head.bias").map(|s| s.start);
    net.params_mut()[head.expect("it has one")..][..3].copy_from_slice(&[50.0, 0.0, 1e-3]);
    let statistics = Statistics::new();
    let cpu = Cpu::with_threads(1).with_observer(statistics.clone());
    let mut ws = Net::workspace_on(cpu, 2)?;
    for _ in 0..3 {
        net.forward(&mut ws, &IMAGES)?;
    }
    let table = statistics.table();
    let row = |name: &str| {
        let row = table.rows().iter().find(|row| row.name == name && row.phase == Phase::Forward);
        row.unwrap_or_else(|| panic!("no {name} in\n{table}"))
    };
    let relu = row("conv + relu");
    assert_eq!((relu.units, relu.dead, relu.calls, relu.count), (4, 1, 3, 3 * 2 * 16));
    assert_eq!(relu.zeros, 3 * 2 * 4);
    let tanh = row("fc + tanh");
    assert_eq!((tanh.saturated, tanh.count), (36, 36));
    assert_eq!((tanh.min, tanh.max, tanh.mean), (1.0, 1.0, 1.0));
    assert_eq!(row("softmax").saturated, 6);
    let text = table.to_string();
    assert!(
        text.contains("1 of 4 units are dead") && text.contains("100.0 % at a limit"),
        "{text}"
    );
    statistics.clear();
    assert!(statistics.table().rows().is_empty());
    Ok(())
}

#[test]
fn numbers_below_the_normal_ones_are_counted() -> Outcome {
    let mut net = Net::init(Seed(1));
    net.select_mut("conv")?.fill(0.0);
    net.select_mut("conv.bias")?.fill(1e-40);
    let statistics = Statistics::new();
    let cpu = Cpu::with_threads(1).with_observer(statistics.clone());
    let mut ws = Net::workspace_on(cpu, 2)?;
    net.forward(&mut ws, &IMAGES)?;
    let table = statistics.table();
    let conv = table.rows().iter().find(|row| row.name == "conv + relu").ok_or("no conv")?;
    assert_eq!(conv.subnormal, 2 * 16);
    Ok(())
}

#[test]
fn an_observed_run_is_in_no_profile() -> Outcome {
    let profile = Profile::new();
    let cpu = Cpu::with_threads(1).with_profile(&profile).with_checks();
    let net = Net::init(Seed(1));
    net.forward(&mut Net::workspace_on(cpu, 2)?, &IMAGES)?;
    assert!(profile.table().rows().is_empty());
    Ok(())
}

mod probes {
    use super::*;

    model! {
        struct Probed {
            fc: Linear(3 -> 4),
        }

        /// Without the probe, `fc` and what follows are one operation.
        fn loss(&self, x: [batch, 3]) -> [] {
            probe(self.fc(x), "hidden units").relu().square().mean()
        }

        fn unprobed(&self, x: [batch, 3]) -> [] {
            self.fc(x).relu().square().mean()
        }
    }

    #[test]
    fn a_probe_shows_a_value_and_its_gradient() -> Outcome {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&seen);
        let cpu = Cpu::with_threads(1).with_observer(move |seen: &Observation<'_>| {
            if seen.name == "hidden units" {
                let values = seen.outputs[0].values.to_vec();
                to.lock().expect("no panic").push((seen.phase, seen.kind.to_owned(), values));
            }
            Ok(())
        });
        let mut net = Probed::init(Seed(0));
        net.params_mut().fill(0.0);
        net.select_mut("fc.bias")?.fill(0.5);
        let mut ws = Probed::workspace_on(cpu, 2)?;
        let loss = net.loss_grad(&mut ws, &[[1.0; 3]; 2])?;
        let forward = (Phase::Forward, "probe".to_owned(), vec![0.5; 8]);
        // Of the mean of eight squares.
        let backward = (Phase::Backward, "probe".to_owned(), vec![2.0 * 0.5 / 8.0; 8]);
        assert_eq!(*seen.lock().expect("no panic"), [forward, backward]);
        let with = ws.grads().as_slice().to_vec();
        assert_eq!(net.unprobed_grad(&mut ws, &[[1.0; 3]; 2])?, loss);
        assert_eq!(ws.grads().as_slice(), with);
        Ok(())
    }
}
