//! Buffers: values that the program sets, saved and not trained.

use gradiron::module::StateKind;
use gradiron::prelude::*;

use crate::data::batch;

model! {
    #[allow(bias_before_batch_norm)]
    struct Normal<const D: usize> {
        /// What the inputs are on average.
        mean: Buffer([D]),
        std: Buffer([D], init = ones),
        fc: Linear(D -> D),
        norm: BatchNorm1d(D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        self.norm(self.fc((x - self.mean) / self.std))
    }

    fn loss(&self, x: [batch, D]) -> [] {
        self.forward(x).square().mean() + self.mean.sum()
    }
}

model! {
    struct Net {
        scale: Buffer([], init = constant(0.5)),
        inner: Normal<4>,
        row: [Normal<4>; 2],
        #[name = "attention.mask"]
        mask: Buffer([3, 4], init = uniform(-1.0, 1.0)),
        filter: Buffer([4, 4], init = normal(0.0, 0.5)),
        head: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 3] {
        let x = self.row(self.inner(x)).matmul(self.filter);
        self.head(x).matmul(self.mask.transpose(0, 1)) * self.scale
    }

    fn loss(&self, x: [batch, 4], y: [batch, 3]) -> [] {
        mse_loss(self.forward(x), y)
    }
}

/// The same with parameters in the place of the buffers.
mod free {
    use gradiron::prelude::*;

    model! {
        #[allow(bias_before_batch_norm)]
        pub struct Normal<const D: usize> {
            mean: Param([D]),
            std: Param([D], init = ones),
            fc: Linear(D -> D),
            norm: BatchNorm1d(D),
        }

        fn forward(&self, x: [batch, D]) -> [batch, D] {
            self.norm(self.fc((x - self.mean) / self.std))
        }
    }

    model! {
        pub struct Net {
            scale: Param([], init = constant(0.5)),
            inner: Normal<4>,
            row: [Normal<4>; 2],
            #[name = "attention.mask"]
            mask: Param([3, 4]),
            filter: Param([4, 4]),
            head: Linear(4 -> 4),
        }

        fn forward(&self, x: [batch, 4]) -> [batch, 3] {
            let x = self.row(self.inner(x)).matmul(self.filter);
            self.head(x).matmul(self.mask.transpose(0, 1)) * self.scale
        }

        fn loss(&self, x: [batch, 4], y: [batch, 3]) -> [] {
            mse_loss(self.forward(x), y)
        }
    }
}

/// Sets all buffers of a network.
fn set(net: &mut Net) {
    net.scale_mut().clone_from(&0.75);
    net.mask_mut()[2] = [0.5, -0.5, 2.0, 1.0];
    for (at, mut tensor) in net.select_state_mut("*").expect("it has some").iter_mut().enumerate() {
        let name = tensor.name().to_owned();
        let floats = tensor.floats_mut().iter_mut().enumerate();
        let value = |i: usize| ((7 * at + i) as f32).sin();
        match () {
            () if name.ends_with("std") => floats.for_each(|(i, x)| *x = 1.5 + value(i)),
            () if name.ends_with("mean") && !name.contains("norm.") => {
                floats.for_each(|(i, x)| *x = value(i));
            }
            () => {}
        }
    }
}

#[test]
fn they_are_state_and_no_parameters() {
    let net = Net::init(Seed(1));
    let specs = Net::state_specs();
    let buffers: Vec<_> = specs
        .iter()
        .filter(|spec| spec.kind == StateKind::Buffer)
        .map(|spec| (spec.name.as_str(), &spec.shape[..]))
        .collect();
    let of = |name: &'static str| (name, &[4][..]);
    let expected = [
        ("scale", &[][..]),
        of("inner.mean"),
        of("inner.std"),
        of("row.0.mean"),
        of("row.0.std"),
        of("row.1.mean"),
        of("row.1.std"),
        ("attention.mask", &[3, 4][..]),
        ("filter", &[4, 4][..]),
    ];
    assert_eq!(buffers, expected);
    assert!(
        Net::param_specs().iter().all(|spec| !buffers.iter().any(|(name, _)| *name == spec.name))
    );
    assert_eq!(Net::PARAMS, 3 * (16 + 4 + 4 + 4) + 16 + 4);
    // The first values are those of the initialisers, and the same for one seed.
    assert_eq!(*net.scale(), 0.5);
    assert_eq!(net.select_state("inner.std").unwrap().floats_of("inner.std"), [1.0; 4]);
    assert!(net.mask().as_flattened().iter().all(|x| x.abs() <= 1.0));
    assert_ne!(net.mask()[0], net.mask()[1]);
    assert_eq!(
        (net.mask(), net.filter()),
        (Net::init(Seed(1)).mask(), Net::init(Seed(1)).filter())
    );
    assert_ne!(net.mask(), Net::init(Seed(2)).mask());
}

/// The floats of one tensor.
trait FloatsOf {
    fn floats_of(&self, name: &str) -> Vec<f32>;
}

impl FloatsOf for gradiron::module::Selected<&[f32]> {
    fn floats_of(&self, name: &str) -> Vec<f32> {
        self.get(name).expect("it is there").floats().to_vec()
    }
}

#[test]
fn they_are_values_without_a_gradient() {
    let mut net = Net::init(Seed(1));
    set(&mut net);
    let mut free = free::Net::init(Seed(2));
    // Parameters and buffers go by their names.
    let mut all = free.select_mut("*").unwrap();
    for mut tensor in all.iter_mut() {
        let name = tensor.name().to_owned();
        let own = net.select(name.as_str()).or_else(|_| net.select_state(&name));
        tensor.floats_mut().copy_from_slice(&own.unwrap().floats_of(&name));
    }
    let (x, y) = (batch::<[f32; 4]>(1, 5), batch::<[f32; 3]>(2, 5));
    for precision in [Precision::F32, Precision::Bf16] {
        let device = || Cpu::new().with_precision(precision);
        let mut ws = Net::workspace_on(device(), 7).unwrap();
        let mut free_ws = free::Net::workspace_on(device(), 7).unwrap();
        ws.poison();
        let own = net.forward(&mut ws, &x).unwrap().to_vec();
        let other = free.forward(&mut free_ws, &x).unwrap().to_vec();
        assert_eq!(own, other, "{precision:?}");
        ws.poison();
        let own = format!("{:?}", net.loss_grad_inputs(&mut ws, &x, &y).unwrap());
        let other = format!("{:?}", free.loss_grad_inputs(&mut free_ws, &x, &y).unwrap());
        assert_eq!(own, other);
        for tensor in ws.grads().select("*").unwrap().iter() {
            let other = free_ws.grads().select(tensor.name()).unwrap();
            assert_eq!(tensor.floats(), other.floats_of(tensor.name()), "{}", tensor.name());
        }
    }
}

#[test]
fn steps_leave_what_the_program_sets() {
    let mut net = Net::init(Seed(1));
    let (x, y) = (batch::<[f32; 4]>(1, 5), batch::<[f32; 3]>(2, 5));
    let mut ws = Net::workspace(5).unwrap();
    let mut adam = AdamW::new(&net, 0.1).unwrap().weight_decay(0.5).unwrap();
    let mut frozen = Sgd::new(&net, 0.1).unwrap().freeze(["inner", "row.0"]).unwrap();
    let of = |net: &Net, count: bool| -> Vec<f32> {
        let specs = Net::state_specs().into_iter();
        let chosen = specs.filter(|spec| (spec.kind == StateKind::Buffer) != count);
        chosen.flat_map(|spec| net.state()[spec.start..][..spec.len()].to_vec()).collect()
    };
    net.loss_grad(&mut ws, &x, &y).unwrap();
    // Set between a gradient and the step along it.
    set(&mut net);
    let (buffers, statistics) = (of(&net, false), of(&net, true));
    adam.step(&mut net, ws.grads());
    assert_eq!(of(&net, false), buffers);
    assert_ne!(of(&net, true), statistics);
    let statistics = of(&net, true);
    net.loss_grad(&mut ws, &x, &y).unwrap();
    net.mask_mut()[0] = [0.125; 4];
    frozen.step(&mut net, ws.grads());
    assert_eq!(net.mask()[0], [0.125; 4]);
    assert_ne!(of(&net, true), statistics);
    net.loss_grad(&mut ws, &x, &y).unwrap();
    *net.scale_mut() = 0.25;
    net.update_state(ws.grads());
    assert_eq!(*net.scale(), 0.25);
    net.loss_train(&mut ws, &mut adam, &x, &y).unwrap();
    assert_eq!((*net.scale(), net.mask()[0]), (0.25, [0.125; 4]));
    // A copy has them, and keeps them, too.
    let mut copy = net.clone();
    copy.loss_grad(&mut ws, &x, &y).unwrap();
    copy.mask_mut()[1] = [0.5; 4];
    adam.step(&mut copy, ws.grads());
    assert_eq!((copy.mask()[0], copy.mask()[1]), ([0.125; 4], [0.5; 4]));
}

#[test]
fn inference_follows_them() {
    let mut net = Normal::<4>::init(Seed(1));
    let x = batch::<[f32; 4]>(1, 3);
    let mut ws = Normal::<4>::infer_workspace(3).unwrap();
    let before = net.forward(&mut ws, &x).unwrap().to_vec();
    *net.std_mut() = [2.0; 4];
    *net.mean_mut() = [1.0; 4];
    let after = net.forward(&mut ws, &x).unwrap().to_vec();
    assert_ne!(before, after);
    let normal: Vec<_> = x.iter().map(|x| x.map(|x| (x - 1.0) / 2.0)).collect();
    (*net.std_mut(), *net.mean_mut()) = ([1.0; 4], [0.0; 4]);
    let direct = net.forward(&mut ws, &normal).unwrap();
    for (a, b) in after.as_flattened().iter().zip(direct.as_flattened()) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn files_and_copies_have_them() {
    let path = std::env::temp_dir().join(format!("buffers-{}.safetensors", std::process::id()));
    let mut net = Net::init(Seed(1));
    set(&mut net);
    net.save(&path).unwrap();
    let mut again = Net::init(Seed(2));
    again.load(&path).unwrap();
    assert_eq!((again.params(), again.state()), (net.params(), net.state()));
    let mut copy = Net::init(Seed(3));
    copy.copy_from(&net).unwrap();
    assert_eq!(copy.state(), net.state());
    let mut mean = Net::init(Seed(4));
    mean.lerp(&net, 0.5);
    assert_eq!(mean.state(), net.state());

    // Parts of files, by prefixes and names.
    let mut part = Normal::<4>::init(Seed(5));
    part.load_from(&path).unwrap().prefix("row.1.").load().unwrap();
    let row = net.select_state("row.1").unwrap();
    assert_eq!(part.mean().to_vec(), row.floats_of("row.1.mean"));
    assert_eq!(part.std().to_vec(), row.floats_of("row.1.std"));
    let mut rest = Net::init(Seed(6));
    rest.load_except(&path, &["attention.mask"]).unwrap();
    assert_eq!(rest.mask(), Net::init(Seed(6)).mask());
    assert_eq!(rest.filter(), net.filter());
    let error = Normal::<4>::init(Seed(0)).load(&path).unwrap_err().to_string();
    assert!(error.contains("mean"), "{error}");
    std::fs::remove_file(&path).unwrap();
    // Among parameters there are none of them.
    assert!(net.select("scale").is_err());
    assert_eq!(net.select("inner").unwrap().len(), 4);
}

const CONTEXT: usize = 6;

model! {
    struct Steps {
        position: Buffer([CONTEXT, 4], init = normal(0.0, 1.0)),
        shift: Buffer([4], init = ones),
        fc: Linear(4 -> 4),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, CONTEXT, 4]) -> [batch, CONTEXT, 4] {
        self.fc(x + self.position - self.shift)
    }
}

#[test]
fn next_positions_have_their_rows() {
    let net = Steps::init(Seed(1));
    let mut ws = Steps::workspace(1).unwrap();
    let check = net.forward_step_check(&mut ws, Seed(1)).unwrap();
    assert!(check.difference < 1e-6, "{check:?}");
}
