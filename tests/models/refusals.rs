//! What models promise besides their values: refusals that change nothing, and batches of any size
//! up to the workspace's.

use gradiron::prelude::*;
use gradiron::{InputError, WorkspaceError};

use crate::data::{batch, bits, floats};

model! {
    struct Classifier<const D: usize = 3> {
        fc: Linear(D -> 4),
    }

    fn forward(&self, x: [batch, D], y: [batch, 4]) -> [batch, 4] {
        self.fc(x).tanh() + y
    }

    fn loss(&self, x: [batch, D], y: [batch, 4], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x, y), label)
    }

    fn flat(&self, x: [batch, 2 * D]) -> [batch, 2 * D] {
        x.square() * self.fc(x.reshape([batch, 2, D])).sum(dim = [1, 2]).unsqueeze(1)
    }
}

#[test]
fn inputs_that_do_not_fit_change_nothing() {
    let net = Classifier::<3>::init(Seed(1));
    let mut ws = Classifier::<3>::workspace(4).unwrap();
    let (x, y) = (batch::<[f32; 3]>(1, 5), batch::<[f32; 4]>(2, 5));
    let label = [0_u8, 3, 1, 2, 0];
    net.loss_grad(&mut ws, &x[..4], &y[..4], &label[..4]).unwrap();
    let grads = bits(ws.grads().as_slice());
    let params = bits(net.params());
    let refused = [
        (
            net.loss_grad(&mut ws, &x, &y, &label),
            InputError::TooLarge { input: "x", size: "batch", found: 5, capacity: 4 },
        ),
        (net.loss_grad(&mut ws, &[], &y, &label), InputError::Empty { input: "x" }),
        (
            net.loss_grad(&mut ws, &x[..2], &y[..3], &label[..2]),
            InputError::Differs { input: "y", size: "batch", expected: 2, found: 3 },
        ),
        (
            net.loss(&mut ws, &x[..2], &y[..2], &label[..1]),
            InputError::Differs { input: "label", size: "batch", expected: 2, found: 1 },
        ),
        (
            net.loss_grad(&mut ws, &x[..3], &y[..3], &[0, 1, 4]),
            InputError::Class { input: "label", at: vec![2], found: 4, classes: 4 },
        ),
        (
            net.loss_grad(&mut ws, &x[..3], &y[..3], &[0, -1, 2]),
            InputError::Class { input: "label", at: vec![1], found: -1, classes: 4 },
        ),
        (
            net.loss_grad(&mut ws, &x[..1], &y[..1], &[u64::MAX]),
            InputError::Class {
                input: "label",
                at: vec![0],
                found: i128::from(u64::MAX),
                classes: 4,
            },
        ),
    ];
    for (result, expected) in refused {
        assert_eq!(result.unwrap_err(), expected);
    }
    let short = net.forward_grad(&mut ws, &x[..2], &y[..2], &y[..1]).unwrap_err();
    assert!(matches!(short, InputError::Length { input: "d_result", .. }), "{short}");
    let found = net.flat(&mut ws, &[0.5; 13]).unwrap_err();
    assert_eq!(found, InputError::NotWhole { input: "x", found: 13, sample: 6 });
    let found = net.flat(&mut ws, &[0.5; 30]).unwrap_err();
    assert_eq!(found, InputError::TooLarge { input: "x", size: "batch", found: 5, capacity: 4 });
    let found = net.flat(&mut ws, &[]).unwrap_err();
    assert_eq!(found, InputError::Empty { input: "x" });
    let short = net.flat_grad(&mut ws, &[0.5; 12], &[1.0; 11]).unwrap_err();
    assert_eq!(short, InputError::Length { input: "d_result", expected: 12, found: 11 });
    assert_eq!(bits(ws.grads().as_slice()), grads);
    assert_eq!(bits(net.params()), params);
}

#[test]
fn workspaces_that_cannot_be() {
    for size in [0, usize::MAX] {
        let refused = Classifier::<3>::workspace(size).map(|_| ());
        let Err(WorkspaceError::Capacity { name: "batch", size: found, .. }) = refused else {
            panic!("{size}: {refused:?}");
        };
        assert_eq!(found, size);
    }
}

/// A sample's result does not depend on how much room there is besides.
#[test]
fn capacity_does_not_matter() {
    let net = Classifier::<3>::init(Seed(1));
    let (x, y) = (batch::<[f32; 3]>(1, 5), batch::<[f32; 4]>(2, 5));
    let mut exact = Classifier::<3>::workspace(5).unwrap();
    let mut large = Classifier::<3>::workspace(100).unwrap();
    let label = [0_u8, 3, 1, 2, 0];
    for n in [5, 1, 3] {
        let small = floats(net.forward(&mut exact, &x[..n], &y[..n]).unwrap());
        let same = floats(net.forward(&mut large, &x[..n], &y[..n]).unwrap());
        assert_eq!(bits(&small), bits(&same));
        let a = net.loss_grad(&mut exact, &x[..n], &y[..n], &label[..n]).unwrap();
        let b = net.loss_grad(&mut large, &x[..n], &y[..n], &label[..n]).unwrap();
        assert_eq!(a.to_bits(), b.to_bits());
        assert_eq!(bits(exact.grads().as_slice()), bits(large.grads().as_slice()));
    }
}

model! {
    /// Names that generated code uses for itself.
    struct Names<const K: usize, const A: usize> {
        k: Linear(K -> A),
        free: Param([A], init = normal(0.0, 1.0)),
    }

    fn forward(&self, n: [k, K], args: [k, A], inputs: []) -> ([k, A], []) {
        let classes = self.k(n) * self.free;
        let results = classes * args + inputs;
        (results, results.sum())
    }

    fn loss(&self, classes: [ws, K], d_result: [ws, A], host: Classes[ws]) -> [] {
        let (saved, scratch) = self.forward(classes, d_result, 0.5);
        cross_entropy(saved * scratch, host)
    }
}

#[test]
fn names_do_not_meet() {
    let (n, args, inputs) = (batch::<[f32; 2]>(1, 3), batch::<[f32; 3]>(2, 3), 0.5_f32);
    gradients!(
        Names::<2, 3>::init(Seed(1)), Names::<2, 3>::workspace(3, 3),
        [forward, forward_grad, forward_grad_inputs], (n, args, inputs) -> (a, b));
    let (classes, d, host) =
        (batch::<[f32; 2]>(1, 3), batch::<[f32; 3]>(2, 3), crate::data::Labels(vec![0, 2, 1]));
    gradients!(
        Names::<2, 3>::init(Seed(1)), Names::<2, 3>::workspace(3, 3),
        [loss, loss_grad, loss_grad_inputs], (classes, d, host) -> number);
}
