//! Steady-state training steps and batch-1 inference with candle.
mod lenet;
mod mlp;
mod resnet;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{
    linear, loss, AdamW, Linear, Module, ModuleT, Optimizer, ParamsAdamW, VarBuilder, VarMap, SGD,
};
use peer_common::{Lcg, Report, LEARNING_RATE};

/// candle's own `SGD` has no momentum, so the benchmark carries its own.
struct Momentum {
    vars: Vec<(Var, Var)>,
    lr: f64,
    mu: f64,
}

impl Momentum {
    fn new(vars: Vec<Var>, lr: f64, mu: f64) -> Result<Self> {
        let vars = vars
            .into_iter()
            .map(|v| {
                let m = Var::zeros(v.shape(), v.dtype(), v.device())?;
                Ok((v, m))
            })
            .collect::<Result<_>>()?;
        Ok(Self { vars, lr, mu })
    }

    fn step(&mut self, loss: &Tensor) -> Result<()> {
        let grads = loss.backward()?;
        for (v, m) in &self.vars {
            if let Some(g) = grads.get(v) {
                let next = ((m.as_tensor() * self.mu)? + g)?;
                v.set(&(v.as_tensor() - (&next * self.lr)?)?)?;
                m.set(&next)?;
            }
        }
        Ok(())
    }
}

fn adam(vars: &VarMap) -> Result<AdamW> {
    AdamW::new(vars.all_vars(), ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..Default::default() })
}

/// The same weights as plain tensors, so that inference records no graph.
fn frozen<'a>(vars: &VarMap, dev: &Device) -> VarBuilder<'a> {
    let data = vars.data().lock().unwrap();
    let map = data.iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
    VarBuilder::from_tensors(map, DType::F32, dev)
}

struct Large(Linear, Linear, Linear);

impl Large {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Large(linear(784, 2048, vb.pp("1"))?, linear(2048, 2048, vb.pp("2"))?, linear(2048, 10, vb.pp("3"))?))
    }
}

impl Module for Large {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.0.forward(x)?.relu()?;
        let x = self.1.forward(&x)?.relu()?;
        self.2.forward(&x)
    }
}

struct Tiny(Linear, Linear, Linear);

impl Tiny {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Tiny(linear(4, 32, vb.pp("1"))?, linear(32, 32, vb.pp("2"))?, linear(32, 2, vb.pp("3"))?))
    }
}

impl Module for Tiny {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.0.forward(x)?.tanh()?;
        let x = self.1.forward(&x)?.tanh()?;
        self.2.forward(&x)
    }
}

fn main() -> Result<()> {
    let dev = &Device::Cpu;
    let report = Report::new("candle");
    let mut rng = Lcg::new(1);
    let mut floats = |shape: &[usize]| Tensor::from_vec(rng.floats(shape.iter().product()), shape, dev);
    let labels = |n: usize| Tensor::from_vec(Lcg::new(2).below(n, 10), n, dev);

    if report.wants("linear_regression") {
        let (x, y) = (floats(&[100, 1])?, floats(&[100, 1])?);
        let vars = VarMap::new();
        let m = linear(1, 1, VarBuilder::from_varmap(&vars, DType::F32, dev))?;
        let mut opt = SGD::new(vars.all_vars(), LEARNING_RATE)?;
        report.run("linear_regression", || {
            let l = loss::mse(&m.forward(&x).unwrap(), &y).unwrap();
            opt.backward_step(&l).unwrap();
        });
    }
    if report.wants("mlp") {
        let (x, y) = (floats(&[64, 784])?, labels(64)?);
        let vars = VarMap::new();
        let m = mlp::Mlp::new(VarBuilder::from_varmap(&vars, DType::F32, dev))?;
        let mut opt = adam(&vars)?;
        report.run("mlp", || {
            let l = loss::cross_entropy(&m.forward(&x).unwrap(), &y).unwrap();
            opt.backward_step(&l).unwrap();
        });
    }
    if report.wants("mlp_large") {
        let (x, y) = (floats(&[256, 784])?, labels(256)?);
        let vars = VarMap::new();
        let m = Large::new(VarBuilder::from_varmap(&vars, DType::F32, dev))?;
        let mut opt = adam(&vars)?;
        report.run("mlp_large", || {
            let l = loss::cross_entropy(&m.forward(&x).unwrap(), &y).unwrap();
            opt.backward_step(&l).unwrap();
        });
    }
    if report.wants("lenet") {
        let (x, y) = (floats(&[64, 1, 28, 28])?, labels(64)?);
        let vars = VarMap::new();
        let m = lenet::LeNet::new(VarBuilder::from_varmap(&vars, DType::F32, dev))?;
        let mut opt = adam(&vars)?;
        report.run("lenet", || {
            let l = loss::cross_entropy(&m.forward(&x).unwrap(), &y).unwrap();
            opt.backward_step(&l).unwrap();
        });
    }
    if ["infer_control_mlp", "infer_mlp", "infer_lenet", "infer_resnet18"].iter().any(|name| report.wants(name)) {
        let (tiny, flat, image) = (floats(&[1, 4])?, floats(&[1, 784])?, floats(&[1, 1, 28, 28])?);
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, dev);
        Tiny::new(vb.pp("tiny"))?;
        mlp::Mlp::new(vb.pp("mlp"))?;
        lenet::LeNet::new(vb.pp("lenet"))?;
        resnet::ResNet18::new(vb.pp("resnet"))?;
        let vb = frozen(&vars, dev);
        let m = Tiny::new(vb.pp("tiny"))?;
        report.run("infer_control_mlp", || drop(m.forward(&tiny).unwrap()));
        let m = mlp::Mlp::new(vb.pp("mlp"))?;
        report.run("infer_mlp", || drop(m.forward(&flat).unwrap()));
        let m = lenet::LeNet::new(vb.pp("lenet"))?;
        report.run("infer_lenet", || drop(m.forward(&image).unwrap()));
        let x = floats(&[1, 3, 32, 32])?;
        let m = resnet::ResNet18::new(vb.pp("resnet"))?;
        report.run("infer_resnet18", || drop(m.forward_t(&x, false).unwrap()));
    }
    if report.wants("resnet18") {
        let (x, y) = (floats(&[32, 3, 32, 32])?, labels(32)?);
        let vars = VarMap::new();
        let m = resnet::ResNet18::new(VarBuilder::from_varmap(&vars, DType::F32, dev))?;
        let mut opt = Momentum::new(vars.all_vars(), LEARNING_RATE, 0.9)?;
        report.run("resnet18", || {
            let l = loss::cross_entropy(&m.forward_t(&x, true).unwrap(), &y).unwrap();
            opt.step(&l).unwrap();
        });
    }
    Ok(())
}
