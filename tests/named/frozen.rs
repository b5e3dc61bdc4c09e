//! What is frozen stays as it is: parameters, moments and running statistics.

use gradiron::module::Model;
use gradiron::optim::GroupError;
use gradiron::prelude::*;

use crate::{Net, Outcome, X, Y};

/// A network behind three steps with an optimizer that leaves `frozen` alone.
fn trained(frozen: &[&str]) -> Result<Net, Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(1));
    let mut ws = Net::workspace(4)?;
    let adam = AdamW::new(&net, 1e-2)?.weight_decay(0.5)?.clip_norm(1.0)?;
    let mut adam = frozen.iter().try_fold(adam, |adam, name| adam.freeze(*name))?;
    for step in 0..3 {
        if step == 1 {
            net.loss_train(&mut ws, &mut adam, &X, &Y)?;
        } else {
            net.loss_grad(&mut ws, &X, &Y)?;
            adam.step(&mut net, ws.grads());
        }
    }
    Ok(net)
}

#[test]
fn a_frozen_encoder_and_a_head() -> Outcome {
    let start = Net::init(Seed(1));
    let net = trained(&["encoder"])?;
    for (new, old) in net.select("*")?.iter().zip(start.select("*")?.iter()) {
        let frozen = new.name().starts_with("encoder.");
        assert_eq!(new.floats() == old.floats(), frozen, "{}", new.name());
    }
    // All parameters of the norm are frozen, and so are its statistics.
    assert_eq!(net.state(), start.state());

    // A part of its parameters trains: then the statistics go on.
    let net = trained(&["encoder.bn.weight"])?;
    let (new, old) = (net.select("encoder.bn")?, start.select("encoder.bn")?);
    assert_eq!(new.get("encoder.bn.weight")?.floats(), old.get("encoder.bn.weight")?.floats());
    assert_ne!(new.get("encoder.bn.bias")?.floats(), old.get("encoder.bn.bias")?.floats());
    assert_eq!(net.select_state("encoder.bn.num_batches_tracked")?.norm(), 3.0);
    assert_eq!(trained(&["encoder.bn"])?.state(), start.state());
    assert_ne!(trained(&["head"])?.state(), start.state());
    Ok(())
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Norms {
        first: BatchNorm1d(3),
        plain: BatchNorm1d(3, affine = false),
        fc: Linear(3 -> 3),
        last: BatchNorm1d(3),
    }

    fn loss(&self, x: [batch, 3]) -> [] {
        self.last(self.fc(self.plain(self.first(x)))).square().mean()
    }
}

/// Which statistics went on, of three norms.
fn renewed(freeze: impl Fn(Sgd<Norms>) -> Result<Sgd<Norms>, GroupError>) -> [bool; 3] {
    let mut net = Norms::init(Seed(0));
    let mut ws = Norms::workspace(4).expect("it fits");
    let mut sgd = freeze(Sgd::new(&net, 0.1).expect("a rate")).expect("the names are right");
    net.loss_train(&mut ws, &mut sgd, &X).expect("it fits");
    ["first", "plain", "last"].map(|name| {
        let count = net.select_state(&format!("{name}.num_batches_tracked"));
        count.expect("it is there").norm() == 1.0
    })
}

#[test]
fn statistics_go_with_the_parameters_around_them() {
    assert_eq!(renewed(Ok), [true, true, true]);
    assert_eq!(renewed(|sgd| sgd.freeze("first")), [false, true, true]);
    assert_eq!(renewed(|sgd| sgd.freeze(Kind::Norms)), [true, true, true]);
    assert_eq!(renewed(|sgd| sgd.freeze(["first", "last"])), [false, true, false]);
    // The norm without parameters is a part of a network that is frozen as a whole.
    assert_eq!(renewed(|sgd| sgd.freeze("*")), [false, false, false]);
    assert_eq!(renewed(|sgd| sgd.freeze("*")?.group("fc", |g| g)), [false, false, false]);
    let thawed = |sgd: Sgd<Norms>| {
        let mut sgd = sgd.freeze("*")?;
        sgd.set_frozen("fc", false)?;
        Ok(sgd)
    };
    assert_eq!(renewed(thawed), [false, true, false]);
}
