//! Steady-state training steps and batch-1 inference with burn.
mod lenet;
mod mlp;
mod resnet;

use burn::{
    module::Module,
    nn::{
        loss::{CrossEntropyLoss, CrossEntropyLossConfig, MseLoss, Reduction},
        Linear, LinearConfig,
    },
    optim::{momentum::MomentumConfig, AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig},
    tensor::{
        activation::{relu, tanh},
        Device, Int, Tensor, TensorData,
    },
};
use peer_common::{Lcg, Report, LEARNING_RATE};

#[derive(Module, Debug)]
struct Mlp3 {
    l1: Linear,
    l2: Linear,
    l3: Linear,
}

impl Mlp3 {
    fn new(sizes: [usize; 4], dev: &Device) -> Self {
        Self {
            l1: LinearConfig::new(sizes[0], sizes[1]).init(dev),
            l2: LinearConfig::new(sizes[1], sizes[2]).init(dev),
            l3: LinearConfig::new(sizes[2], sizes[3]).init(dev),
        }
    }

    fn forward(&self, x: Tensor<2>, act: fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        self.l3.forward(act(self.l2.forward(act(self.l1.forward(x)))))
    }
}

/// A model and its optimizer; burn's `step` consumes and returns the model.
struct Trainer<M> {
    model: Option<M>,
    opt: ModuleOptimizer,
    dev: Device,
}

impl<M: Module> Trainer<M> {
    fn new(model: M, opt: ModuleOptimizer, dev: &Device) -> Self {
        Self { model: Some(model), opt, dev: dev.clone() }
    }

    /// One step, ended by a device synchronisation (a no-op for the eager backends).
    fn step(&mut self, loss: impl FnOnce(&M) -> Tensor<1>) {
        let model = self.model.take().unwrap();
        let grads = GradientsParams::from_grads(loss(&model).backward(), &model);
        self.model = Some(self.opt.step(LEARNING_RATE, model, grads));
        self.dev.sync().unwrap();
    }
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

fn ints<const D: usize>(shape: [usize; D], classes: u32, dev: &Device) -> Tensor<D, Int> {
    let v: Vec<i32> = Lcg::new(2).below(shape.iter().product(), classes).into_iter().map(|v| v as i32).collect();
    Tensor::from_data(TensorData::new(v, shape), dev)
}

fn floats<const D: usize>(shape: [usize; D], dev: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(Lcg::new(1).floats(shape.iter().product()), shape), dev)
}

fn main() {
    let plain = Device::flex();
    let dev = &plain.clone().autodiff();
    let report = Report::new("burn");
    let ce: CrossEntropyLoss = CrossEntropyLossConfig::new().init(dev);

    if report.wants("linear_regression") {
        let (x, y) = (floats([100, 1], dev), floats([100, 1], dev));
        let mut t = Trainer::new(LinearConfig::new(1, 1).init(dev), SgdConfig::new().init(), dev);
        report.run("linear_regression", || {
            t.step(|m| MseLoss::new().forward(m.forward(x.clone()), y.clone(), Reduction::Mean))
        });
    }
    if report.wants("mlp") {
        let (x, y) = (floats([64, 784], dev), ints([64], 10, dev));
        let mut t = Trainer::new(mlp::Mlp::new(dev), adam(), dev);
        report.run("mlp", || t.step(|m| ce.forward(m.forward(x.clone()), y.clone())));
    }
    if report.wants("mlp_large") {
        let (x, y) = (floats([256, 784], dev), ints([256], 10, dev));
        let mut t = Trainer::new(Mlp3::new([784, 2048, 2048, 10], dev), adam(), dev);
        report.run("mlp_large", || t.step(|m| ce.forward(m.forward(x.clone(), relu), y.clone())));
    }
    if report.wants("lenet") {
        let (x, y) = (floats([64, 1, 28, 28], dev), ints([64], 10, dev));
        let mut t = Trainer::new(lenet::LeNet::new(dev), adam(), dev);
        report.run("lenet", || t.step(|m| ce.forward(m.forward(x.clone()), y.clone())));
    }
    if ["infer_control_mlp", "infer_mlp", "infer_lenet", "infer_resnet18"].iter().any(|name| report.wants(name)) {
        let d = &plain;
        let (tiny, flat, image) = (floats([1, 4], d), floats([1, 784], d), floats([1, 1, 28, 28], d));
        let m = Mlp3::new([4, 32, 32, 2], d);
        let sync = |_| d.sync().unwrap();
        report.run("infer_control_mlp", || sync(m.forward(tiny.clone(), tanh)));
        let sync = |_| d.sync().unwrap();
        let m = mlp::Mlp::new(d);
        report.run("infer_mlp", || sync(m.forward(flat.clone())));
        let m = lenet::LeNet::new(d);
        report.run("infer_lenet", || sync(m.forward(image.clone())));
        let x = floats([1, 3, 32, 32], d);
        let m = resnet::ResNet18::new(d);
        report.run("infer_resnet18", || sync(m.forward(x.clone())));
    }
    if report.wants("resnet18") {
        let (x, y) = (floats([32, 3, 32, 32], dev), ints([32], 10, dev));
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let opt = SgdConfig::new().with_momentum(Some(momentum)).init();
        let mut t = Trainer::new(resnet::ResNet18::new(dev), opt, dev);
        report.run("resnet18", || t.step(|m| ce.forward(m.forward(x.clone()), y.clone())));
    }
}
