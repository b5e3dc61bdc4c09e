//! `#[derive(Module)]`: structs of layers and models, and such structs inside models.

use gradiron::prelude::*;
use gradiron::typenum::{U1, U2, U3, U4, U5, U18, Unsigned};

use crate::data::{Labels, batch, bits};

#[derive(Module)]
struct Mlp {
    fc1: Linear<4, 5>,
    act: Tanh,
    fc2: Linear<5, 3>,
    last: Softplus,
}

#[derive(Module)]
struct Pair(Linear<3, 4>, Gelu, Linear<4, 2>);

#[derive(Module)]
#[module(input = [batch, 1, 5, 5], output = [batch, 2])]
struct Images {
    conv: Conv2d<1, 2, 3, 1, 1>,
    act: Silu,
    pool: AvgPool2d<2>,
    flat: Flatten,
    fc: Linear<8, 2>,
}

#[test]
fn structs_of_layers() {
    let x = batch::<[f32; 4]>(1, 3);
    gradients!(
        Mlp::init(Seed(1)), Mlp::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let x = batch::<[f32; 3]>(2, 3);
    gradients!(
        Pair::init(Seed(1)), Pair::workspace(5),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let x = batch::<[[[f32; 5]; 5]; 1]>(3, 2);
    gradients!(
        Images::init(Seed(1)), Images::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let names: Vec<_> = Net::<Pair>::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
}

model! {
    struct Residual {
        fc: Linear(3 -> 3),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 3] {
        x + self.fc(x).sigmoid()
    }
}

/// A layer, a model and another derived module in one struct.
#[derive(Module)]
#[module(output = [batch, 3])]
struct Stack {
    head: Linear<4, 3>,
    residual: Residual,
    act: Tanh,
    again: Residual,
}

model! {
    struct Around {
        stack: Stack,
        mlp: Mlp,
        tail: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        let y: [batch, 3] = self.stack(x);
        let z: [batch, 3] = self.mlp(x);
        self.tail(y * z)
    }
}

#[test]
fn modules_and_models_contain_each_other() {
    let x = batch::<[f32; 4]>(4, 3);
    gradients!(
        Stack::init(Seed(1)), Stack::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Around::init(Seed(1)), Around::workspace(4),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let names: Vec<_> = Around::param_specs().into_iter().map(|spec| spec.name).collect();
    assert!(names.contains(&"stack.residual.fc.weight".to_string()), "{names:?}");
}

/// The logarithms of probabilities of the next token.
#[derive(Module)]
#[module(input = Classes[batch, 3], output = [batch, 3, 5])]
struct Bigram {
    token: Embedding<6, 4>,
    ln: LayerNorm<4>,
    head: Linear<4, 5>,
    probabilities: LogSoftmax,
}

model! {
    struct Trained {
        bigram: Bigram,
        scale: Param([5], init = ones),
    }

    fn forward(&self, token: Classes[batch, 3], x: [batch, 3, 5]) -> [batch, 3, 5] {
        let y: [batch, 3, 5] = self.bigram(token);
        y * self.scale + x
    }
}

#[test]
fn a_module_of_class_indices() {
    let token = Labels(vec![[5_u32, 0, 2], [5, 5, 1]]);
    let x = batch::<[[f32; 5]; 3]>(5, 2);
    gradients!(
        Trained::init(Seed(1)), Trained::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (token, x) -> (y));
    // By itself: the same numbers, and no gradient of indices.
    let net = Bigram::init(Seed(1));
    let mut ws = Bigram::workspace(2).unwrap();
    let y = net.forward(&mut ws, &token.0).unwrap().to_vec();
    let (again, ()) = net.forward_grad_inputs(&mut ws, &token.0, &x).unwrap();
    assert_eq!(again, y);
    let grads = bits(ws.grads().as_slice());
    assert_eq!(net.forward_grad(&mut ws, &token.0, &x).unwrap(), y);
    assert_eq!(bits(ws.grads().as_slice()), grads);
    let mut trained = Trained::init(Seed(2));
    trained.params_mut()[..net.params().len()].copy_from_slice(net.params());
    let zeros = vec![[[0.0; 5]; 3]; 2];
    let mut outer = Trained::workspace(2).unwrap();
    assert_eq!(trained.forward(&mut outer, &token.0, &zeros).unwrap(), y);
    let error = net.forward(&mut ws, &[[0, 0, 6]]).unwrap_err().to_string();
    assert_eq!(error, "`x[0][2]` is the class 6, but classes go from 0 to 5");
}

/// The same network with a size as a constant and as a type. Constants are not computed with in the
/// types of fields, so the inner size is a parameter of its own.
#[derive(Module)]
struct OfConsts<const D: usize, const INNER: usize> {
    up: Linear<D, INNER>,
    act: Gelu,
    down: Linear<INNER, D>,
}

#[derive(Module)]
struct OfTypes<D: Unsigned> {
    up: typed::Linear<D, Times<U4, D>>,
    act: Gelu,
    down: typed::Linear<Times<U4, D>, D>,
}

/// Arithmetic of all kinds, and a typed module in another one.
#[derive(Module)]
#[module(input = [batch, C, 6, 6])]
struct TypedImages<C: Size, D>
where
    D: Size,
{
    conv: typed::Conv2d<C, Times<U2, C>, U3, U1, U1>,
    norm: typed::GroupNorm<C, Plus<C, C>>,
    act: Relu,
    pool: typed::MaxPool2d<Quotient<U5, U2>>,
    flat: Flatten,
    fc: typed::Linear<Times<U18, C>, Minus<Times<D, U2>, U1>>,
    mlp: OfTypes<U5>,
}

#[test]
fn sizes_as_types_and_as_constants_are_the_same() {
    type Consts = OfConsts<3, 12>;
    type Types = OfTypes<U3>;
    let (consts, types) = (Consts::init(Seed(3)), Types::init(Seed(3)));
    assert_eq!(Net::<Types>::param_specs(), Net::<Consts>::param_specs());
    assert_eq!(bits(types.params()), bits(consts.params()));
    let (mut of_consts, mut of_types) =
        (Consts::workspace(4).unwrap(), Types::workspace(4).unwrap());
    assert_eq!(of_types.bytes(), of_consts.bytes());
    assert_eq!(Types::flops(4), Consts::flops(4));
    let x = batch::<[f32; 3]>(1, 4);
    let y = consts.forward(&mut of_consts, &x).unwrap().to_vec();
    let found = types.forward(&mut of_types, x.as_flattened()).unwrap();
    assert_eq!(bits(found), bits(y.as_flattened()));
    let (_, d_x) = consts.forward_grad_inputs(&mut of_consts, &x, &y).unwrap();
    let d_x = bits(d_x.as_flattened());
    let flat = y.as_flattened();
    let (_, found) = types.forward_grad_inputs(&mut of_types, x.as_flattened(), flat).unwrap();
    assert_eq!(bits(found), d_x);
    assert_eq!(bits(of_types.grads().as_slice()), bits(of_consts.grads().as_slice()));
    // Files of one are files of the other.
    let path = std::env::temp_dir().join(format!("derived-{}.safetensors", std::process::id()));
    consts.save(&path).unwrap();
    let written = std::fs::read(&path).unwrap();
    types.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), written);
    let mut again = Types::init(Seed(4));
    again.load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bits(again.params()), bits(consts.params()));
    // Lengths that are no whole number of rows.
    let error = types.forward(&mut of_types, &[0.0; 7]).unwrap_err().to_string();
    assert_eq!(error, "`x` has 7 elements, not a whole number of samples of 3 each");
}

model! {
    struct AroundTyped {
        images: TypedImages<U2, U3>,
        rows: [OfTypes<U5>; 2],
        head: Linear(5 -> 2),
    }

    fn forward(&self, x: [batch, 2, 6, 6]) -> [batch, 2] {
        let y: [batch, 5] = self.images(x);
        self.head(self.rows(y))
    }
}

#[test]
fn typed_modules_are_parts_of_models() {
    let x = batch::<[[[f32; 6]; 6]; 2]>(3, 2);
    gradients!(
        AroundTyped::init(Seed(1)), AroundTyped::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let specs = AroundTyped::param_specs();
    let shape = |name: &str| {
        specs.iter().find(|spec| spec.name == name).map(|spec| spec.shape.clone()).unwrap()
    };
    assert_eq!(shape("images.conv.weight"), [4, 2, 3, 3]);
    assert_eq!(shape("images.fc.weight"), [5, 36]);
    assert_eq!(shape("rows.1.up.bias"), [20]);
}

/// What a module elsewhere makes visible.
mod elsewhere {
    use gradiron::prelude::*;

    #[derive(Module)]
    pub struct Seen<const D: usize>(pub Linear<D, D>, Tanh);

    #[derive(Module)]
    pub(crate) struct SeenTyped<P: Size, D: Size = P>(typed::Linear<P, D>, Tanh);
}

#[derive(Module)]
#[module(input = [batch, 3])]
struct FromElsewhere {
    seen: elsewhere::Seen<3>,
    typed: elsewhere::SeenTyped<U3>,
    row: [elsewhere::SeenTyped<U3, U3>; 2],
    fc: Linear<3, 2>,
}

#[test]
fn modules_of_other_files() {
    let x = batch::<[f32; 3]>(1, 2);
    gradients!(
        FromElsewhere::init(Seed(1)), FromElsewhere::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}
