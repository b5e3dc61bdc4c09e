//! Derived modules, with sizes as types and two inputs.

use gradiron::prelude::*;
use gradiron::typenum::{U2, U4, U8};

use crate::gpu;

const BATCH: usize = 5;

model! {
    struct Scaled {
        fc: Linear(16 -> 16),
    }

    fn forward(&self, x: [batch, 16], scale: [batch, 16]) -> [batch, 16] {
        self.fc(x).tanh() * scale
    }
}

#[derive(Module)]
#[allow(clippy::type_complexity)]
#[module(with(scale: [batch, 16]))]
struct Mlp<D: Size> {
    up: typed::Linear<D, Times<U2, D>>,
    inner: Residual<(Gelu, typed::Linear<Times<U2, D>, Times<U2, D>>)>,
    #[module(with(scale))]
    rows: [Scaled; 2],
    both: Cat<(Identity, typed::Linear<Times<U2, D>, U4>)>,
}

#[test]
fn derived_modules() {
    let Some(gpu) = gpu("derived_modules") else { return };
    let net = Mlp::<U8>::init(Seed(3));
    let floats = |seed: usize, len: usize| -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 3) % 11) as f32 / 5.0 - 1.0).collect()
    };
    let mut on_cpu = Mlp::<U8>::workspace(BATCH).unwrap();
    let mut on_gpu = Mlp::<U8>::workspace_on(gpu, BATCH).unwrap();
    for count in [BATCH, 2] {
        let (x, d_y) = (floats(1, 8 * count), floats(2, 20 * count));
        let scale = floats(3, 16 * count);
        let (scale, _) = scale.as_chunks::<16>();
        let (y, (d_x, d_scale)) = net.forward_grad_inputs(&mut on_cpu, (&x, scale), &d_y).unwrap();
        let want = [y, d_x, d_scale.as_flattened()].concat();
        let (y, (d_x, d_scale)) = net.forward_grad_inputs(&mut on_gpu, (&x, scale), &d_y).unwrap();
        let got = [y, d_x, d_scale.as_flattened()].concat();
        for (got, want) in
            [(&got[..], &want[..]), (on_gpu.grads().as_slice(), on_cpu.grads().as_slice())]
        {
            let largest = want.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
            let near = |(got, want): (&f32, &f32)| (got - want).abs() <= 1e-5 * largest;
            assert!(got.iter().zip(want).all(near), "{got:?}\n{want:?}");
        }
        let want = net.forward(&mut on_cpu, (&x, scale)).unwrap().to_vec();
        let got = net.forward(&mut on_gpu, (&x, scale)).unwrap();
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 1e-5), "{got:?}");
    }
}
