//! Numbers below the normal ones, flushed to zero where that is asked for.

use gradiron::prelude::*;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

model! {
    struct Decay {
        lstm: LSTM(4 -> 96),
    }

    fn forward(&self, x: [batch, 8, 4], h: [batch, 96], c: [batch, 96]) -> ([batch, 8, 96], [batch, 96]) {
        let (y, _h, c) = self.lstm(x, h, c);
        (y, c)
    }
}

// Small: one piece of code where it is optimised.
model! {
    fn halved(x: [batch, 8]) -> [batch, 8] {
        x * 0.5
    }
}

const SAMPLES: usize = 64;

/// The states of a network behind silence.
fn states(device: Cpu) -> Outcome<Vec<f32>> {
    let mut net = Decay::init(Seed(3));
    net.params_mut().iter_mut().for_each(|weight| *weight *= 0.1);
    let mut ws = Decay::workspace_on(device, SAMPLES)?;
    let x = vec![[[0.0; 4]; 8]; SAMPLES];
    let state = vec![[1e-41; 96]; SAMPLES];
    // Biases would keep the states alive.
    for spec in Decay::param_specs() {
        if spec.name.contains("bias") {
            net.params_mut()[spec.start..][..spec.len()].fill(0.0);
        }
    }
    let (y, c) = net.forward(&mut ws, &x, &state, &state)?;
    Ok([y.as_flattened().as_flattened(), c.as_flattened()].concat())
}

#[test]
fn states_end_at_zero_where_it_is_asked_for() -> Outcome {
    for threads in [1, 2] {
        let device = Cpu::with_threads(threads);
        let found = states(device.clone())?;
        assert!(found.iter().any(|x| x.is_subnormal()));
        let flushed = device.clone().with_flush_to_zero(true);
        assert!(states(flushed.clone())?.iter().all(|x| *x == 0.0));
        // The setting is that of one clone: others, and this thread, compute as before.
        assert_eq!(states(device)?, found);
        assert!(std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5) > 0.0);
        assert!(states(flushed.with_flush_to_zero(false))?.iter().any(|x| x.is_subnormal()));
    }
    Ok(())
}

#[test]
fn small_functions_too() -> Outcome {
    let x = [[f32::MIN_POSITIVE; 8]];
    let half = f32::MIN_POSITIVE / 2.0;
    assert_eq!(halved(&mut halved_workspace_on(Cpu::with_threads(1), 1)?, &x)?, [[half; 8]]);
    let device = Cpu::with_threads(1).with_flush_to_zero(true);
    assert_eq!(halved(&mut halved_workspace_on(device, 1)?, &x)?, [[0.0; 8]]);
    Ok(())
}

/// Adam's averages of gradients decay as states do.
#[test]
fn optimizers_too() -> Outcome {
    for flush in [false, true] {
        let mut net = Decay::init(Seed(3));
        let device = Cpu::with_threads(2).with_flush_to_zero(flush);
        let mut ws = Decay::workspace_on(device, 1)?;
        let mut sgd = Sgd::new(&net, 1.0)?;
        let (x, state) = ([[[0.0; 4]; 8]], [[0.5; 96]]);
        net.forward_grad(&mut ws, &x, &state, &state, &[[[0.0; 96]; 8]], &[[1e-39; 96]])?;
        let gradients = ws.grads().as_slice().to_vec();
        assert_eq!(gradients.iter().any(|x| x.is_subnormal()), !flush);
        net.params_mut().fill(0.0);
        sgd.step(&mut net, ws.grads());
        assert_eq!(net.params().iter().any(|x| x.is_subnormal()), !flush);
    }
    Ok(())
}
