//! Models in models: alone, in rows, generic, several levels deep.

use gradiron::prelude::*;

use crate::data::{Labels, batch, random};

model! {
    struct Block<const D: usize> {
        up: Linear(D -> 2 * D),
        down: Linear(2 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).tanh())
    }
}

model! {
    struct One {
        inner: Block<3>,
        head: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 2] {
        self.head(self.inner(x.sin()))
    }

    fn loss(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

#[test]
fn a_model_in_a_model() {
    let (x, label) = (batch::<[f32; 3]>(1, 3), Labels(vec![1, 0, 1]));
    gradients!(
        One::init(Seed(1)), One::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        One::init(Seed(1)), One::workspace(7),
        [loss, loss_grad, loss_grad_inputs], (x, label) -> number);
    let names: Vec<_> = One::param_specs().into_iter().map(|spec| spec.name).collect();
    let expected = ["inner.up.weight", "inner.up.bias", "inner.down.weight", "inner.down.bias"];
    assert_eq!(names[..4], expected);
    assert_eq!(One::PARAMS, 6 * 3 + 6 + 3 * 6 + 3 + 2 * 3 + 2);
}

model! {
    /// Its result has another shape than its input.
    struct Encoder<const I: usize, const O: usize = 3> {
        fc: Linear(I -> 4 * O + 1),
        out: Linear(O),
        blocks: [Block<O>; 2],
    }

    fn forward(&self, x: [batch, I]) -> [batch, O] {
        self.blocks(self.out(self.fc(x).silu()))
    }
}

model! {
    struct Twice {
        encoder: Encoder<4>,
        decoder: Encoder<3, 2>,
    }

    fn code(&self, x: [batch, 4]) -> [batch, 3] {
        self.encoder(x)
    }

    fn forward(&self, x: [batch, 4], z: [batch, 4]) -> ([batch, 2], [batch, 3]) {
        let y: [batch, 3] = self.encoder(x);
        let w: [batch, 3] = self.encoder(z * 0.5);
        let d: [batch, 2] = self.decoder(y * w);
        (d, y)
    }

    fn loss(&self, x: [batch, 4], z: [batch, 4]) -> [] {
        let (d, y) = self.forward(x, z);
        d.square().mean() + self.code(z).sum() * y.mean()
    }
}

#[test]
fn two_levels_and_a_model_called_twice() {
    let (x, z) = (batch::<[f32; 4]>(1, 2), batch::<[f32; 4]>(2, 2));
    gradients!(
        Twice::init(Seed(1)), Twice::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x, z) -> (a, b));
    gradients!(
        Twice::init(Seed(2)), Twice::workspace(3),
        [loss, loss_grad, loss_grad_inputs], (x, z) -> number);
    gradients!(
        Twice::init(Seed(2)), Twice::workspace(2),
        [code, code_grad, code_grad_inputs], (x) -> (y));
}

model! {
    struct Rows<const N: usize> {
        three: [Block<2>; 3],
        one: [Block<2>; 1],
        counted: [Block<2>; N],
        more: [Block<2>; N + 1],
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        let y = self.one(self.three(x)) * 0.5;
        self.more(self.counted(self.three(y)))
    }

    fn first(&self, x: [batch, 2]) -> [batch, 2] {
        self.one(x)
    }
}

#[test]
fn rows_of_models() {
    let x = batch::<[f32; 2]>(3, 2);
    gradients!(
        Rows::<1>::init(Seed(1)), Rows::<1>::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Rows::<2>::init(Seed(1)), Rows::<2>::workspace(4),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let net = Rows::<4>::init(Seed(1));
    let mut ws = Rows::<4>::workspace(2).unwrap();
    net.first_grad(&mut ws, &x, &x).unwrap();
    for spec in Rows::<4>::param_specs() {
        let own = &ws.grads().as_slice()[spec.start..][..spec.len()];
        let reached = spec.name.starts_with("one.0.");
        assert!(own.iter().all(|g| (*g != 0.0) == reached), "{}: {own:?}", spec.name);
    }
}

/// A row of blocks is the blocks one by one.
#[test]
fn a_row_runs_its_models_in_order() {
    let net = Rows::<2>::init(Seed(4));
    let mut ws = Rows::<2>::workspace(2).unwrap();
    let mut x = batch::<[f32; 2]>(3, 2);
    let expected = net.forward(&mut ws, &x).unwrap().to_vec();
    let mut block = Block::<2>::init(Seed(0));
    let mut ws = Block::<2>::workspace(2).unwrap();
    let mut apply = |prefix: &str, x: &mut Vec<[f32; 2]>| {
        for (own, spec) in Block::<2>::param_specs().into_iter().flat_map(|own| {
            let name = format!("{prefix}.{}", own.name);
            Rows::<2>::param_specs().into_iter().find(|s| s.name == name).map(|s| (own, s))
        }) {
            let values = &net.params()[spec.start..][..spec.len()];
            block.params_mut()[own.start..][..own.len()].copy_from_slice(values);
        }
        *x = block.forward(&mut ws, x).unwrap().to_vec();
    };
    for prefix in ["three.0", "three.1", "three.2", "one.0"] {
        apply(prefix, &mut x);
    }
    x.as_flattened_mut().iter_mut().for_each(|x| *x *= 0.5);
    let second = ["counted.0", "counted.1", "more.0", "more.1", "more.2"];
    for prefix in ["three.0", "three.1", "three.2"].iter().chain(&second) {
        apply(prefix, &mut x);
    }
    assert_eq!(x, expected);
}

model! {
    /// Several inputs, one of them a number, one of them classes.
    struct Mixer {
        fc: Linear(2 -> 3),
    }

    fn forward(&self, x: [n, 2], scale: [], y: [n, 3]) -> [n, 3] {
        self.fc(x).tanh() * scale + y
    }
}

model! {
    struct Mixed {
        mixer: Mixer,
        pre: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 2], y: [batch, 3], s: []) -> [batch, 3] {
        let a: [batch, 3] = self.mixer(self.pre(x), s, y);
        let b: [batch, 3] = self.mixer(x, 0.5, a);
        self.mixer(x * 2.0, s * s, b)
    }

    fn constants(&self, x: [batch, 2], y: [batch, 3]) -> [batch, 3] {
        self.mixer(self.pre(x), 0.75, y)
    }
}

#[test]
fn nested_models_with_several_inputs() {
    let (x, y, s) = (batch::<[f32; 2]>(1, 3), batch::<[f32; 3]>(2, 3), 0.875_f32);
    gradients!(
        Mixed::init(Seed(1)), Mixed::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x, y, s) -> (z));
    gradients!(
        Mixed::init(Seed(1)), Mixed::workspace(4),
        [constants, constants_grad, constants_grad_inputs], (x, y) -> (z));
}

model! {
    struct Loss<const C: usize> {
        fc: Linear(C),
    }

    fn forward(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        cross_entropy(self.fc(x), label)
    }
}

model! {
    struct Outer {
        loss: Loss<4>,
        fc: Linear(3 -> 3),
    }

    fn train(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        let l: [] = self.loss(self.fc(x), label);
        l + self.fc(x).square().mean()
    }

    fn only(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        self.loss(self.fc(x), label)
    }
}

#[test]
fn a_nested_model_takes_classes() {
    let (x, label) = (batch::<[f32; 3]>(1, 3), Labels(vec![3, 0, 3]));
    gradients!(
        Outer::init(Seed(1)), Outer::workspace(3),
        [train, train_grad, train_grad_inputs], (x, label) -> number);
    gradients!(
        Outer::init(Seed(1)), Outer::workspace(5),
        [only, only_grad, only_grad_inputs], (x, label) -> number);
}

const HEADS: usize = 2;

model! {
    struct Generic<const D: usize, const K: usize, const N: usize = 2> {
        project: Linear(D -> HEADS * K, bias = false),
        merge: Linear(HEADS * K -> D),
        position: Param([N, D], init = normal(0.0, 0.5)),
    }

    fn forward(&self, x: [batch, N, D]) -> [batch, N, D] {
        let y = (self.project(x) * 2.0).softmax(dim = 1);
        self.merge(y) + x * self.position
    }

    fn wide(&self, x: [batch, 4 * D]) -> [batch, D] {
        x.reshape([batch, 4, D]).mean(dim = 1) * self.position.sum(0)
    }
}

#[test]
fn const_parameters() {
    let x = batch::<[[f32; 4]; 2]>(1, 2);
    gradients!(
        Generic::<4, 3>::init(Seed(1)), Generic::<4, 3>::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let x = batch::<[[f32; 2]; 3]>(2, 2);
    gradients!(
        Generic::<2, 5, 3>::init(Seed(1)), Generic::<2, 5, 3>::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    // `4 * D` is no length that a type can name: flat floats.
    let net = Generic::<2, 5, 3>::init(Seed(1));
    let mut ws = Generic::<2, 5, 3>::workspace(3).unwrap();
    let x = random::<[f32; 16]>(3);
    let y = net.wide(&mut ws, &x).unwrap();
    let scale: [f32; 2] = std::array::from_fn(|d| {
        let sum: f32 = (0..3).map(|n| net.position().as_flattened()[2 * n + d]).sum();
        sum
    });
    for (b, y) in y.iter().enumerate() {
        for d in 0..2 {
            let mean = (0..4).map(|i| x[8 * b + 2 * i + d]).sum::<f32>() / 4.0;
            // Two sums of at most four terms, a quotient and a product, each rounded.
            let bound = 8.0 * f32::EPSILON * (1.0 + scale[d].abs());
            assert!((y[d] - mean * scale[d]).abs() <= bound, "{y:?}");
        }
    }
}

model! {
    struct Cell {
        fc: Linear(3 -> 3),
        token: Embedding(4 -> 3),
    }

    fn forward(&self, x: [n, 3], scale: [], y: [n, 3], label: Classes[n]) -> [n, 3] {
        self.fc(x).tanh() * scale + y * self.token(label).sin()
    }
}

model! {
    /// A row whose first input goes from model to model, and the others to each.
    struct Given<const N: usize> {
        cells: [Cell; N],
        fc: Linear(3 -> 3),
    }

    fn forward(&self, x: [batch, 3], s: [], y: [batch, 3], label: Classes[batch]) -> [batch, 3] {
        self.cells(self.fc(x), s * s, self.fc(y), label)
    }

    /// Parameters are before a shared input only.
    fn shared(&self, x: [batch, 3], y: [batch, 3], label: Classes[batch]) -> [batch, 3] {
        self.cells(x, 0.75, self.fc(y), label)
    }

    /// Parameters are before the first input only.
    fn first(&self, x: [batch, 3], y: [batch, 3], label: Classes[batch]) -> [batch, 3] {
        self.cells(self.fc(x), 0.75, y, label)
    }
}

#[test]
fn rows_of_models_with_shared_inputs() {
    let (x, y, s) = (batch::<[f32; 3]>(1, 3), batch::<[f32; 3]>(2, 3), 0.875_f32);
    let label = Labels(vec![3, 0, 3]);
    gradients!(
        Given::<3>::init(Seed(1)), Given::<3>::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x, s, y, label) -> (z));
    gradients!(
        Given::<1>::init(Seed(1)), Given::<1>::workspace(5),
        [forward, forward_grad, forward_grad_inputs], (x, s, y, label) -> (z));
    gradients!(
        Given::<3>::init(Seed(1)), Given::<3>::workspace(4),
        [shared, shared_grad, shared_grad_inputs], (x, y, label) -> (z));
    gradients!(
        Given::<3>::init(Seed(1)), Given::<3>::workspace(4),
        [first, first_grad, first_grad_inputs], (x, y, label) -> (z));
}
