//! `#[derive(Module)]`: what containers make of layers, and several inputs.

use gradiron::prelude::*;
use gradiron::typenum::{U1, U2, U3, U4, U6, U8};

use crate::data::{batch, bits};

/// Layers in rows and tuples, branches, and connections around them.
#[derive(Module)]
#[module(allow(linear_after_linear))]
struct Containers(
    Linear<4, 6>,
    Residual<(LayerNorm<6>, Linear<6, 8>, Gelu, Linear<8, 6>)>,
    [Linear<6, 6>; 2],
    [Residual<(Tanh, Linear<6, 6>)>; 2],
    Cat<(Identity, Linear<6, 3>, (Linear<6, 2>, Tanh))>,
    Residual<Linear<11, 5>, Linear<11, 5>>,
    Mul<((Linear<5, 3>, Silu), Linear<5, 3>)>,
);

model! {
    #[allow(linear_after_linear)]
    struct ContainersByHand {
        #[name = "0"]
        first: Linear(4 -> 6),
        #[name = "1.0"]
        norm: LayerNorm(6),
        #[name = "1.1"]
        up: Linear(6 -> 8),
        #[name = "1.3"]
        down: Linear(8 -> 6),
        #[name = "2"]
        row: [Linear(6 -> 6); 2],
        #[name = "3.0.1"]
        inner: Linear(6 -> 6),
        #[name = "3.1.1"]
        again: Linear(6 -> 6),
        #[name = "4.1"]
        three: Linear(6 -> 3),
        #[name = "4.2.0"]
        two: Linear(6 -> 2),
        #[name = "5.0"]
        body: Linear(11 -> 5),
        #[name = "5.1"]
        shortcut: Linear(11 -> 5),
        #[name = "6.0.0"]
        gate: Linear(5 -> 3),
        #[name = "6.1"]
        value: Linear(5 -> 3),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 3] {
        let x = self.first(x);
        let x = x + self.down(self.up(self.norm(x)).gelu());
        let x = self.row(x);
        let x = x + self.inner(x.tanh());
        let x = x + self.again(x.tanh());
        let x = cat([x, self.three(x), self.two(x).tanh()], 1);
        let x = self.body(x) + self.shortcut(x);
        self.gate(x).silu() * self.value(x)
    }
}

#[test]
fn containers_are_the_model_that_they_describe() {
    let x = batch::<[f32; 4]>(7, 3);
    gradients!(
        Containers::init(Seed(1)), Containers::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let (net, by_hand) = (Containers::init(Seed(2)), ContainersByHand::init(Seed(2)));
    assert_eq!(Net::<Containers>::param_specs(), ContainersByHand::param_specs());
    assert_eq!(bits(net.params()), bits(by_hand.params()));
    let (mut ws, mut other) =
        (Containers::workspace(3).unwrap(), ContainersByHand::workspace(3).unwrap());
    let y = by_hand.forward(&mut other, &x).unwrap().to_vec();
    assert_eq!(net.forward(&mut ws, &x).unwrap(), y);
    let d_y = batch::<[f32; 3]>(8, 3);
    by_hand.forward_grad(&mut other, &x, &d_y).unwrap();
    net.forward_grad(&mut ws, &x, &d_y).unwrap();
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
}

model! {
    struct Masked<const D: usize> {
        fc: Linear(D -> D),
    }

    fn forward(&self, x: [batch, D], mask: [D], shift: [batch, D]) -> [batch, D] {
        self.fc(x).sigmoid() * mask + shift
    }
}

/// Further inputs, rows of models, and a result that is stated where a model makes it.
#[derive(Module)]
#[module(with(mask: [4], shift: [batch, 4]))]
struct Several {
    #[name = "stem.0"]
    stem: (Linear<3, 4>, Tanh),
    #[module(with(mask, shift))]
    rows: [Masked<4>; 2],
    #[module(with(mask, shift))]
    last: Residual<Masked<4>>,
    #[module(output = [batch, 3])]
    mlp: Inner,
}

#[derive(Module)]
struct Inner(Linear<4, 3>);

#[test]
fn several_inputs() {
    let (x, mask, shift) =
        (batch::<[f32; 3]>(1, 2), [0.5, 1.0, -1.0, 2.0], batch::<[f32; 4]>(2, 2));
    let net = Several::init(Seed(1));
    let mut ws = Several::workspace(2).unwrap();
    let d_y = batch::<[f32; 3]>(3, 2);
    let (y, (d_x, d_mask, d_shift)) =
        net.forward_grad_inputs(&mut ws, (&x, &mask, &shift), &d_y).unwrap();
    let (y, d_x, d_mask, d_shift) = (y.to_vec(), d_x.to_vec(), *d_mask, d_shift.to_vec());
    let grads = ws.grads().as_slice().to_vec();
    // The same in a model around it, whose gradients are checked against differences.
    let mut outer = SeveralOutside::init(Seed(1));
    outer.params_mut().copy_from_slice(net.params());
    let mut other = SeveralOutside::workspace(2).unwrap();
    let (found, (e_x, e_mask, e_shift)) =
        outer.forward_grad_inputs(&mut other, &x, &mask, &shift, &d_y).unwrap();
    assert_eq!(
        (found.to_vec(), e_x.to_vec(), *e_mask, e_shift.to_vec()),
        (y, d_x, d_mask, d_shift)
    );
    assert_eq!(bits(other.grads().as_slice()), bits(&grads));
    gradients!(
        SeveralOutside::init(Seed(1)), SeveralOutside::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x, mask, shift) -> (y));
}

model! {
    struct SeveralOutside {
        several: Several,
    }

    fn forward(&self, x: [batch, 3], mask: [4], shift: [batch, 4]) -> [batch, 3] {
        self.several(x, mask, shift)
    }
}

/// A name in files and what is held fixed are of all that a field holds.
#[derive(Module)]
#[module(allow(linear_after_linear))]
struct Held {
    #[frozen]
    #[name = "stem.0"]
    stem: (Linear<3, 4>, Tanh, Linear<4, 4>),
    fc: Linear<4, 2>,
}

#[test]
fn a_tuple_that_is_held_fixed() {
    let net = Held::init(Seed(1));
    let mut ws = Held::workspace(2).unwrap();
    net.forward_grad(&mut ws, &batch::<[f32; 3]>(1, 2), &[[1.0, 2.0]; 2]).unwrap();
    let (mut frozen, grads) = (Vec::new(), ws.grads());
    for spec in Net::<Held>::param_specs() {
        let is_zero = grads.as_slice()[spec.start..][..spec.len()].iter().all(|g| *g == 0.0);
        assert_eq!(is_zero, spec.frozen, "{}", spec.name);
        frozen.extend(spec.frozen.then_some(spec.name));
    }
    assert_eq!(frozen, ["stem.0.0.weight", "stem.0.0.bias", "stem.0.2.weight", "stem.0.2.bias"]);
}

/// A transformer's encoder without a body: the block of a vision transformer, and a layer of the
/// library.
#[derive(Module)]
#[module(input = [batch, 3, 8], with(memory: [batch, 2, 8]))]
struct Attends {
    attn: Residual<(LayerNorm<8>, MultiheadAttention<8, 2>)>,
    ff: Residual<(LayerNorm<8>, Linear<8, 12>, Gelu, Linear<12, 8>)>,
    encoder: TransformerEncoderLayer<8, 2, 6>,
    #[module(with(memory))]
    decoder: TransformerDecoderLayer<8, 4, 6>,
}

#[derive(Module)]
#[allow(clippy::type_complexity)]
#[module(input = [batch, 3, D], with(memory: [batch, 2, D]))]
struct TypedAttends<D: Size> {
    attn: Residual<(typed::LayerNorm<D>, typed::MultiheadAttention<D, U2>)>,
    ff: Residual<(
        typed::LayerNorm<D>,
        typed::Linear<D, Plus<D, U4>>,
        Gelu,
        typed::Linear<Plus<D, U4>, D>,
    )>,
    encoder: typed::TransformerEncoderLayer<D, U2, Minus<D, U2>>,
    #[module(with(memory))]
    decoder: typed::TransformerDecoderLayer<D, Quotient<D, U2>, U6>,
}

/// What draws, and a parameter that no layer has.
#[derive(Module)]
struct Drops<D: Size> {
    fc: (Linear<4, 64>, Relu, Dropout<25>),
    last: Dropout,
    size: std::marker::PhantomData<D>,
}

model! {
    struct DropsByHand {
        #[name = "fc.0"]
        fc: Linear(4 -> 64),
        a: Dropout(0.25),
        b: Dropout(0.5),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 64] {
        self.b(self.a(self.fc(x).relu()))
    }
}

#[test]
fn dropout_in_percent() {
    let x = batch::<[f32; 4]>(1, 8);
    let (net, by_hand) = (Drops::<U2>::init(Seed(5)), DropsByHand::init(Seed(5)));
    let d_y = vec![[1.0; 64]; 8];
    let mut ws = Drops::<U2>::workspace(8).unwrap();
    let y = net.forward_grad(&mut ws, &x, &d_y).unwrap();
    let mut other = DropsByHand::workspace(8).unwrap();
    assert_eq!(y, by_hand.forward_grad(&mut other, &x, &d_y).unwrap());
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
}

#[test]
fn attention_without_a_body() {
    let (x, memory) = (batch::<[[f32; 8]; 3]>(1, 2), batch::<[[f32; 8]; 2]>(2, 2));
    let (net, types) = (Attends::init(Seed(1)), TypedAttends::<U8>::init(Seed(1)));
    assert_eq!(Net::<Attends>::param_specs(), Net::<TypedAttends<U8>>::param_specs());
    let names: Vec<_> = Net::<Attends>::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names[..3], ["attn.0.weight", "attn.0.bias", "attn.1.in_proj_weight"]);
    let mut ws = Attends::workspace(2).unwrap();
    let y = net.forward(&mut ws, (&x, &memory)).unwrap().to_vec();
    let mut of_types = TypedAttends::<U8>::workspace(2).unwrap();
    let flat = (x.as_flattened().as_flattened(), memory.as_flattened().as_flattened());
    let found = types.forward(&mut of_types, flat).unwrap();
    assert_eq!(bits(found), bits(y.as_flattened().as_flattened()));
    let flat_y = y.as_flattened().as_flattened();
    net.forward_grad(&mut ws, (&x, &memory), &y).unwrap();
    types.forward_grad(&mut of_types, flat, flat_y).unwrap();
    assert_eq!(bits(of_types.grads().as_slice()), bits(ws.grads().as_slice()));
}

/// Images of all sizes.
#[derive(Module)]
#[module(input = [batch, 1, h, w])]
struct AnySize<D: Size> {
    conv: typed::Conv2d<U1, D, U3, U1, U1>,
    act: Gelu,
    more: Residual<typed::Conv2d<D, D, U3, U1, U1>>,
}

#[test]
fn modules_with_several_run_time_sizes() {
    let net = AnySize::<U2>::init(Seed(1));
    let mut ws = AnySize::<U2>::workspace(2, 6, 6).unwrap();
    let x = [0.5, -1.0, 2.0, 1.5, 0.25, 1.0];
    for sizes in [[1, 1, 2, 3], [2, 1, 1, 3]] {
        let x = TensorView::new(&x, sizes).unwrap();
        let y = net.forward(&mut ws, x).unwrap();
        let (of_y, d_y) = (y.sizes(), y.as_slice().to_vec());
        assert_eq!(of_y, [sizes[0], 2, sizes[2], sizes[3]]);
        let d_y = TensorView::new(&d_y, of_y).unwrap();
        let (y, d_x) = net.forward_grad_inputs(&mut ws, x, d_y).unwrap();
        assert_eq!((y.as_slice(), d_x.sizes()), (d_y.as_slice(), sizes));
    }
}
