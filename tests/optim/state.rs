//! The state of optimizers by name, and in files.

use gradiron::module::Model;
use gradiron::optim::{Adam, AdamW, HyperParamError, Lion, Optimizer, RMSprop, Sgd, StateError};
use gradiron::prelude::*;

model! {
    struct Net {
        body: Linear(3 -> 4),
        head: Linear(4 -> 2),
    }

    fn loss(&self, x: [batch, 3], y: [batch, 2]) -> [] {
        mse_loss(self.head(self.body(x).tanh()), y)
    }
}

const X: [[f32; 3]; 2] = [[0.1, 0.5, -0.3], [1.0, -1.0, 0.2]];
const Y: [[f32; 2]; 2] = [[1.0, 0.0], [0.0, 1.0]];

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The moments of the first step follow from its gradients.
#[test]
fn moments_have_the_names_of_parameters() -> Outcome {
    let mut net = Net::init(Seed(1));
    let mut ws = Net::workspace(2)?;
    let mut adam = Adam::new(&net, 1e-2)?.freeze("head.bias")?;
    assert_eq!(adam.state_names(), ["exp_avg", "exp_avg_sq"]);
    net.loss_grad(&mut ws, &X, &Y)?;
    adam.step(&mut net, ws.grads());
    assert_eq!(adam.steps(), 1);
    let grads = ws.grads().select("*")?;
    let (m, v) = (adam.select_state("exp_avg", "*")?, adam.select_state("exp_avg_sq", "*")?);
    for ((g, m), v) in grads.iter().zip(m.iter()).zip(v.iter()) {
        assert_eq!((g.name(), g.shape()), (m.name(), m.shape()));
        let frozen = g.name() == "head.bias";
        for ((g, m), v) in g.floats().iter().zip(m.floats()).zip(v.floats()) {
            let (want_m, want_v) = if frozen { (0.0, 0.0) } else { (0.1 * g, 0.001 * g * g) };
            assert!((m - want_m).abs() <= 1e-6 * want_m.abs());
            assert!((v - want_v).abs() <= 2e-5 * want_v);
        }
    }
    assert_eq!(adam.select_state("exp_avg", "body")?.count(), 16);
    // Without moments, a step is as long as the rate whatever came before.
    adam.select_state_mut("exp_avg", "body")?.fill(0.0);
    adam.select_state_mut("exp_avg_sq", "body")?.fill(0.0);
    adam.set_steps(0);
    let before = net.clone();
    net.loss_grad(&mut ws, &X, &Y)?;
    adam.step(&mut net, ws.grads());
    let (new, old) = (net.select("body.bias")?, before.select("body.bias")?);
    let (new, old) = (new.get("body.bias")?, old.get("body.bias")?);
    for (new, old) in new.floats().iter().zip(old.floats()) {
        assert!(((new - old).abs() - 1e-2).abs() < 1e-5, "{new} {old}");
    }
    Ok(())
}

#[test]
fn state_that_is_not_kept_is_named() -> Outcome {
    let net = Net::init(Seed(1));
    let mut sgd = Sgd::new(&net, 0.1)?;
    let error = sgd.select_state("momentum_buffer", "*").map(drop).unwrap_err();
    let text = "Sgd keeps no `momentum_buffer` with these settings; what it keeps is nothing";
    assert_eq!(error.to_string(), text);
    sgd = sgd.momentum(0.9)?;
    assert_eq!(sgd.select_state("momentum_buffer", "head")?.count(), 10);
    let error = sgd.select_state("momentum_buffer", "haed").map(drop).unwrap_err();
    assert!(matches!(error, StateError::Select(_)));
    let rmsprop = RMSprop::new(&net, 0.1)?.centered(true).momentum(0.5)?;
    assert_eq!(rmsprop.state_names(), ["square_avg", "grad_avg", "momentum_buffer"]);
    let error = rmsprop.select_state("exp_avg", "*").map(drop).unwrap_err().to_string();
    assert!(error.ends_with("what it keeps is `square_avg`, `grad_avg`, `momentum_buffer`"));
    assert_eq!(Lion::new(&net, 0.1)?.state_names(), ["exp_avg"]);
    assert_eq!(AdamW::new(&net, 0.1)?.amsgrad(true).state_names().len(), 3);
    Ok(())
}

/// A training that was saved and goes on in another process has the bits of one that never ended.
macro_rules! goes_on {
    ($name:literal, $new:expr, $set_frozen:expr) => {{
        let folder = std::env::temp_dir();
        let file =
            |what: &str| folder.join(format!("gradiron-{}-{what}-{}", $name, std::process::id()));
        let mut ws = Net::workspace(2)?;
        let train = |net: &mut Net, ws: &mut _, optimizer: &mut _, steps: usize| {
            for _ in 0..steps {
                net.loss_train(ws, optimizer, &X, &Y)?;
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        let mut net = Net::init(Seed(3));
        let mut optimizer = $new(&net)?;
        $set_frozen(&mut optimizer, true)?;
        train(&mut net, &mut ws, &mut optimizer, 3)?;
        $set_frozen(&mut optimizer, false)?;
        train(&mut net, &mut ws, &mut optimizer, 2)?;
        net.save(file("net"))?;
        optimizer.save_state(file("state"))?;
        train(&mut net, &mut ws, &mut optimizer, 4)?;

        let mut again = Net::init(Seed(4));
        again.load(file("net"))?;
        let mut other = $new(&again)?;
        other.load_state(file("state"))?;
        assert_eq!(other.steps(), 5);
        train(&mut again, &mut ws, &mut other, 4)?;
        assert_eq!(again.params(), net.params(), $name);

        // The state of another optimizer changes nothing.
        let mut wrong = Adam::new(&net, 0.1)?.amsgrad(true);
        let error = wrong.load_state(file("state")).unwrap_err().to_string();
        assert!(error.contains("`body.weight.max_exp_avg_sq`: expected shape"), "{error}");
        assert_eq!((wrong.steps(), wrong.select_state("exp_avg", "*")?.norm()), (0, 0.0));
        std::fs::remove_file(file("net"))?;
        std::fs::remove_file(file("state"))?;
    }};
}

#[test]
fn a_training_goes_on_from_files() -> Outcome {
    goes_on!("adam", |net: &_| Adam::new(net, 1e-2), |adam: &mut Adam<Net>, frozen| {
        adam.set_frozen("head", frozen)
    });
    goes_on!(
        "sgd",
        |net: &_| -> Result<_, HyperParamError> {
            Sgd::new(net, 0.1)?.momentum(0.9)?.dampening(0.5)
        },
        |sgd: &mut Sgd<Net>, frozen| sgd.set_frozen("head.weight", frozen)
    );
    goes_on!(
        "rmsprop",
        |net: &_| -> Result<_, HyperParamError> {
            Ok(RMSprop::new(net, 1e-2)?.momentum(0.5)?.centered(true))
        },
        |rmsprop: &mut RMSprop<Net>, frozen| rmsprop.set_frozen("body", frozen)
    );
    Ok(())
}

/// Which optimizer it is may be known as late as the program runs.
#[test]
fn a_boxed_optimizer_trains() -> Outcome {
    let steps = |boxed: bool| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
        let mut net = Net::init(Seed(3));
        let mut ws = Net::workspace(2)?;
        let mut adam = Adam::new(&net, 1e-2)?.freeze("body")?;
        if boxed {
            let mut adam: Box<dyn Optimizer<Net>> = Box::new(adam);
            adam.set_learning_rate(2e-2)?;
            net.loss_train(&mut ws, &mut adam, &X, &Y)?;
            assert_eq!(adam.learning_rate(), 2e-2);
        } else {
            adam.set_learning_rate(2e-2)?;
            net.loss_train(&mut ws, &mut adam, &X, &Y)?;
        }
        Ok(net.params().to_vec())
    };
    assert_eq!(steps(true)?, steps(false)?);
    Ok(())
}
