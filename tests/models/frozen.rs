//! Fields that are held fixed.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    struct Block<const D: usize> {
        up: Linear(D -> 2 * D),
        norm: LayerNorm(2 * D),
        down: Linear(2 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.norm(self.up(x)).gelu())
    }
}

model! {
    /// Models in models in models.
    struct Tower<const D: usize> {
        first: Block<D>,
        blocks: [Block<D>; 3],
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        self.blocks(self.first(x.sin()))
    }
}

model! {
    struct Free {
        stem: Linear(4 -> 6),
        one: Block<6>,
        tower: Tower<6>,
        row: [Block<6>; 2],
        scale: Param([6], init = ones),
        head: Linear(6 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.head(self.row(self.tower(self.one(self.stem(x)))) * self.scale)
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.forward(x).square().mean()
    }
}

model! {
    /// The same, of which the first and the last layer train.
    struct Through {
        stem: Linear(4 -> 6),
        #[frozen]
        one: Block<6>,
        #[frozen]
        tower: Tower<6>,
        #[frozen]
        row: [Block<6>; 2],
        #[frozen]
        scale: Param([6], init = ones),
        head: Linear(6 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.head(self.row(self.tower(self.one(self.stem(x)))) * self.scale)
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.forward(x).square().mean()
    }
}

model! {
    /// The same, of which the last layer trains.
    struct Head {
        #[frozen]
        stem: Linear(4 -> 6),
        #[frozen]
        one: Block<6>,
        #[frozen]
        tower: Tower<6>,
        #[frozen]
        row: [Block<6>; 2],
        #[frozen]
        scale: Param([6], init = ones),
        head: Linear(6 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.head(self.row(self.tower(self.one(self.stem(x)))) * self.scale)
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.forward(x).square().mean()
    }
}

/// Compares gradients with those of the free model: the same where a field trains, zeros elsewhere.
macro_rules! compare {
    ($model:ident, $($free:ident),+) => {{
        let free = Free::init(Seed(1));
        let mut net = $model::init(Seed(2));
        net.params_mut().copy_from_slice(free.params());
        let x = batch::<[f32; 4]>(1, 5);
        for precision in [Precision::F32, Precision::Bf16] {
        let device = || Cpu::new().with_precision(precision);
        let mut ws = Free::workspace_on(device(), 7).unwrap();
        let loss = free.loss_grad(&mut ws, &x).unwrap();
        let (_, d_x) = free.loss_grad_inputs(&mut ws, &x).unwrap();
        let d_x = d_x.to_vec();
        let mut expected = ws.grads().as_slice().to_vec();
        for spec in $model::param_specs() {
            let trains = [$(stringify!($free)),+].iter().any(|free| spec.name.starts_with(free));
            assert_eq!(spec.frozen, !trains, "{}", spec.name);
            if !trains {
                expected[spec.start..][..spec.len()].fill(0.0);
            }
        }
        let mut ws = $model::workspace_on(device(), 7).unwrap();
        ws.poison();
        assert_eq!(net.loss_grad(&mut ws, &x).unwrap(), loss);
        assert_eq!(ws.grads().as_slice(), expected);
        ws.poison();
        let (own, own_d_x) = net.loss_grad_inputs(&mut ws, &x).unwrap();
        assert_eq!((own, own_d_x), (loss, &d_x[..]));
        assert_eq!(ws.grads().as_slice(), expected);
        assert_eq!(net.loss(&mut ws, &x).unwrap(), loss);
        }
    }};
}

#[test]
fn the_gradient_goes_through_what_is_frozen() {
    compare!(Through, stem, head);
}

#[test]
fn what_is_before_a_trained_head_is_frozen() {
    compare!(Head, head);
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Normed {
        fc: Linear(4 -> 4),
        norm: BatchNorm1d(4),
        drop: Dropout(0.5),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.drop(self.norm(self.fc(x)).tanh())
    }
}

model! {
    struct Tuned {
        stem: Linear(4 -> 4),
        #[frozen]
        body: Normed,
        #[frozen]
        row: [Normed; 2],
        #[frozen]
        norm: BatchNorm1d(4),
        head: Linear(4 -> 2),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.head(self.norm(self.row(self.body(self.stem(x))))).square().mean()
    }
}

#[test]
fn what_is_frozen_runs_as_in_inference() {
    let mut net = Tuned::init(Seed(1));
    let mut draw = gradiron::rng::Rng::new(Seed(3), 0);
    net.state_mut()
        .iter_mut()
        .for_each(|s| *s = if *s == 0.0 { 0.1 } else { 0.5 + draw.uniform() });
    crate::data::settle(&mut net);
    let x = batch::<[f32; 4]>(1, 3);
    let mut ws = Tuned::workspace(3).unwrap();
    ws.poison();
    let inferred = net.loss(&mut ws, &x).unwrap();
    let trained = net.loss_grad(&mut ws, &x).unwrap();
    assert!((inferred - trained).abs() <= 1e-6 * inferred, "{inferred} {trained}");
    assert_eq!(ws.grads().state(), net.state());
    let gradients = ws.grads().as_slice().to_vec();
    let trains: Vec<_> = Tuned::param_specs().into_iter().filter(|spec| !spec.frozen).collect();
    let of = |all: &[f32]| -> Vec<f32> {
        trains.iter().flat_map(|spec| all[spec.start..][..spec.len()].to_vec()).collect()
    };
    let (at, gradients) = (of(net.params()), of(&gradients));
    crate::check::check("frozen norms", &at, &gradients, f64::from(trained), |at| {
        let mut rest = at;
        for spec in &trains {
            let own;
            (own, rest) = rest.split_at(spec.len());
            net.params_mut()[spec.start..][..spec.len()].copy_from_slice(own);
        }
        f64::from(net.loss(&mut ws, &x).unwrap())
    });
}

model! {
    struct Cell {
        input: Linear(3 -> 4),
        hidden: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = (self.input(x) + self.hidden(h)).tanh();
        (h, h)
    }
}

model! {
    struct FreeScan {
        stem: Linear(3 -> 3),
        cell: Cell,
        head: Linear(4 -> 2),
    }

    fn loss(&self, x: [batch, 5, 3], h: [batch, 4], length: Classes[batch]) -> [] {
        let (y, h) = scan(self.cell, self.stem(x), h);
        let (z, _) = scan(self.cell, x, h, lengths = length);
        (self.head(y) + self.head(z)).square().mean()
    }
}

model! {
    struct FrozenScan {
        stem: Linear(3 -> 3),
        #[frozen]
        cell: Cell,
        head: Linear(4 -> 2),
    }

    fn loss(&self, x: [batch, 5, 3], h: [batch, 4], length: Classes[batch]) -> [] {
        let (y, h) = scan(self.cell, self.stem(x), h);
        let (z, _) = scan(self.cell, x, h, lengths = length);
        (self.head(y) + self.head(z)).square().mean()
    }
}

#[test]
fn cells_are_frozen() {
    let free = FreeScan::init(Seed(1));
    let mut net = FrozenScan::init(Seed(2));
    net.params_mut().copy_from_slice(free.params());
    let (x, h) = (batch::<[[f32; 3]; 5]>(1, 3), batch::<[f32; 4]>(2, 3));
    let length = [5_u8, 2, 3];
    let mut ws = FreeScan::workspace(3).unwrap();
    let (loss, (d_x, d_h)) = free.loss_grad_inputs(&mut ws, &x, &h, &length).unwrap();
    let (d_x, d_h, mut expected) = (d_x.to_vec(), d_h.to_vec(), ws.grads().as_slice().to_vec());
    for spec in FrozenScan::param_specs().iter().filter(|spec| spec.frozen) {
        expected[spec.start..][..spec.len()].fill(0.0);
    }
    let mut ws = FrozenScan::workspace(3).unwrap();
    ws.poison();
    assert_eq!(net.loss_grad(&mut ws, &x, &h, &length).unwrap(), loss);
    assert_eq!(ws.grads().as_slice(), expected);
    ws.poison();
    let (own, d) = net.loss_grad_inputs(&mut ws, &x, &h, &length).unwrap();
    assert_eq!((own, d), (loss, (&d_x[..], &d_h[..])));
    assert_eq!(ws.grads().as_slice(), expected);
}

/// Workspaces of training, without the parameters' gradients.
const fn activations(footprint: gradiron::workspace::Footprint, params: usize) -> usize {
    footprint.train - footprint.prepared - 4 * params
}

const FREE: usize = activations(Free::footprint(256, Target::Host), Free::PARAMS);
const THROUGH: usize = activations(Through::footprint(256, Target::Host), Through::PARAMS);

model! {
    /// A workspace is planned for `loss_grad_inputs`, too, but of what is detached there is nothing
    /// to plan.
    struct HeadAlone {
        #[frozen]
        stem: Linear(4 -> 6),
        #[frozen]
        one: Block<6>,
        #[frozen]
        tower: Tower<6>,
        #[frozen]
        row: [Block<6>; 2],
        head: Linear(6 -> 2),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.head(self.row(self.tower(self.one(self.stem(x.detach()))))).square().mean()
    }
}

#[test]
fn memory_falls() {
    const HEAD: usize = activations(HeadAlone::footprint(256, Target::Host), HeadAlone::PARAMS);
    const { assert!(THROUGH < FREE * 4 / 5) };
    const { assert!(HEAD < FREE / 4) };
}

#[test]
fn optimizers_leave_it_alone() {
    let mut net = Tuned::init(Seed(1));
    let first = net.clone();
    let mut ws = Tuned::workspace(3).unwrap();
    let x = batch::<[f32; 4]>(1, 3);
    let mut adam = AdamW::new(&net, 0.1).unwrap().weight_decay(0.1).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap().momentum(0.9).unwrap().weight_decay(0.1).unwrap();
    // There is no gradient to train along, whatever the optimizer is told.
    sgd.set_frozen("body", false).unwrap();
    for _ in 0..3 {
        net.loss_train(&mut ws, &mut adam, &x).unwrap();
        net.loss_grad(&mut ws, &x).unwrap();
        sgd.step(&mut net, ws.grads());
    }
    for spec in Tuned::param_specs() {
        let [old, new] = [&first, &net].map(|net| &net.params()[spec.start..][..spec.len()]);
        assert_eq!(old == new, spec.frozen, "{}", spec.name);
    }
    assert_eq!(first.state(), net.state());
    assert!(sgd.trained().specs().iter().all(|spec| !spec.frozen));
}

model! {
    /// Nothing of it trains: the gradient of the input through a fixed network.
    struct Fixed {
        #[frozen]
        stem: Linear(4 -> 6),
        #[frozen]
        one: Block<6>,
        #[frozen]
        tower: Tower<6>,
        #[frozen]
        row: [Block<6>; 2],
        #[frozen]
        scale: Param([6], init = ones),
        #[frozen]
        head: Linear(6 -> 2),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        let x = self.row(self.tower(self.one(self.stem(x)))) * self.scale;
        self.head(x).square().mean()
    }
}

#[test]
fn an_input_is_fitted_through_a_fixed_network() {
    let free = Free::init(Seed(1));
    let mut net = Fixed::init(Seed(2));
    net.params_mut().copy_from_slice(free.params());
    let x = batch::<[f32; 4]>(1, 5);
    let (mut free_ws, mut ws) = (Free::workspace(5).unwrap(), Fixed::workspace(5).unwrap());
    ws.poison();
    let expected = free.loss_grad_inputs(&mut free_ws, &x).unwrap();
    assert_eq!(net.loss_grad_inputs(&mut ws, &x).unwrap(), expected);
    assert!(ws.grads().as_slice().iter().all(|g| *g == 0.0));
}
