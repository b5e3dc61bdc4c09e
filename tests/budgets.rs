//! Budgets that hold, to the byte. Those that do not are in `ui/budget.rs`.

use gradiron::prelude::*;

const BATCH: usize = 16;

model! {
    #[budget(
        train = "104_488 B", infer = "1.75 KiB", flops = 407_200, params = 12_730, batch = BATCH
    )]
    pub struct Mlp {
        fc1: Linear(784 -> 16),
        fc2: Linear(16 -> 10),
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        self.fc2(self.fc1(image).relu())
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

/// An assertion says the same.
const _: () = assert!(Mlp::footprint(BATCH, Target::Host).train == 104_488);

#[test]
fn a_budget_is_what_the_model_says_of_itself() {
    let footprint = Mlp::footprint(BATCH, Target::Host);
    let found = (footprint.train, footprint.infer, Mlp::flops(BATCH), Mlp::PARAMS);
    assert_eq!(found, (104_488, 1792, 407_200, 12_730));
}

mod later {
    use gradiron::prelude::*;

    model! {
        /// Sizes have names of their own, and what has no run-time size needs none.
        #[budget(flops = "2 k", params = "40", rows = 3, r#type = 2)]
        #[allow(dead_code)]
        pub(super) struct Sequence {
            fc: Linear(4 -> 5),
        }

        fn forward(&self, x: [rows, r#type, 4]) -> [rows, r#type, 5] {
            self.fc(x)
        }
    }

    model! {
        #[budget(train = "1 MiB", infer = "0.5 MB", flops = "90")]
        pub(super) struct Constant {
            fc: Linear(4 -> 5),
        }

        fn forward(&self, x: [2, 4]) -> [2, 5] {
            self.fc(x)
        }
    }
}

#[derive(Module)]
#[budget(params = 54, train = "10 kB", batch = 8)]
struct Derived {
    _first: Linear<10, 4>,
    _act: Relu,
    _head: Linear<4, 2>,
}

#[test]
fn budgets_leave_the_models_alone() -> Result<(), Box<dyn std::error::Error>> {
    let net = later::Sequence::init(Seed(0));
    assert_eq!(net.params().len(), 25);
    assert_eq!(later::Constant::init(Seed(0)).params().len(), 25);
    let (derived, mut ws) = (Derived::init(Seed(0)), Derived::workspace(8)?);
    assert_eq!(derived.forward(&mut ws, &[[0.0; 10]; 8])?.len(), 8);
    Ok(())
}
