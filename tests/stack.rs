//! No sample, batch or parameter passes the stack: all of the library in a thread whose stack is smaller
//! than any of them, also where nothing is optimised.

use gradiron::data::Dataset;
use gradiron::module::Model;
use gradiron::prelude::*;
use gradiron::rng::Rng;

const SIDE: usize = 512;

/// 3 MiB.
type Image = [[[f32; SIDE]; SIDE]; 3];

/// Less than a tenth of an image.
const STACK: usize = 256 << 10;
/// Less than half of an image. Kernels pack blocks of operands on the stack, 512 KiB at most.
const COMPUTING: usize = 1 << 20;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

model! {
    struct Head<const IN: usize> {
        // As large as two images.
        fc: Linear(IN -> 2),
    }

    fn forward(&self, x: [batch, IN]) -> [batch, 2] {
        self.fc(x)
    }
}

model! {
    struct Net {
        bias: Param([3, SIDE, SIDE]),
        bn: BatchNorm2d(3),
        head: Head<786_432>,
    }

    fn forward(&self, x: [batch, 3, SIDE, SIDE]) -> [batch, 2] {
        let y: [batch, 2] = self.head(self.bn((x + self.bias).tanh()).flatten());
        y
    }

    fn loss(&self, x: [batch, 3, SIDE, SIDE], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

#[derive(Module)]
#[module(input = [batch, 3, 512, 512], output = [batch, 2])]
struct Derived {
    flatten: Flatten,
    fc: Linear<786_432, 2>,
}

fn with_stack(bytes: usize, run: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let thread = std::thread::Builder::new().stack_size(bytes).spawn(run)?;
    thread.join().expect("nothing panics")
}

/// Images in the memory that the set keeps, and targets as large.
fn images(count: usize) -> Result<Dataset<Image, Image>, Box<dyn std::error::Error + Send + Sync>> {
    let all = || {
        let mut images: Vec<Image> = zeroed(count);
        for (i, image) in images.iter_mut().enumerate() {
            image.as_flattened_mut().as_flattened_mut().fill(i as f32);
        }
        images
    };
    Ok(Dataset::new(all(), all())?)
}

/// Zeroed images, made where they stay.
fn zeroed(count: usize) -> Vec<Image> {
    let floats = vec![0.0; count * 3 * SIDE * SIDE];
    gradiron::view::samples::<Image>(&floats).expect("whole images").to_vec()
}

#[test]
fn sets_of_large_samples() -> Outcome {
    with_stack(STACK, || {
        let mut data = images(5)?;
        data.shuffle(1);
        data.shuffle(2);
        let firsts = |images: &[Image]| images.iter().map(|x| x[0][0][0]).collect::<Vec<_>>();
        let (inputs, targets) = (firsts(&data.inputs), firsts(&data.targets));
        assert_eq!(inputs, targets);
        let mut numbers = Dataset::new((0..5).collect(), vec![(); 5])?;
        numbers.shuffle(2);
        assert!(inputs.iter().zip(&numbers.inputs).all(|(x, i)| *x == *i as f32));
        Rng::new(Seed(1), 0).shuffle(&mut data.inputs);
        assert!(data == data.clone());
        for (x, y) in data.batches(2) {
            assert_eq!(x.len(), y.len());
        }
        let (head, tail) = data.split(3);
        assert_eq!((head.take(2).len(), tail.len()), (2, 2));
        Ok(())
    })
}

#[test]
fn training_with_large_samples_and_parameters() -> Outcome {
    with_stack(COMPUTING, || {
        let (x, label) = (images(2)?.inputs, [0_u8, 1]);
        for threads in [1, 2] {
            let mut net = Net::init(Seed(1));
            let mut ws = Net::workspace_on(Cpu::with_threads(threads), 2)?;
            let mut sgd = Sgd::new(&net, 1e-3)?.momentum(0.9)?.clip_norm(1.0)?;
            let mut adam = Adam::new(&net, 1e-3)?;
            let mut rmsprop = RMSprop::new(&net, 1e-3)?;
            net.loss_grad(&mut ws, &x, &label)?;
            sgd.step(&mut net, ws.grads());
            net.loss_grad(&mut ws, &x, &label)?;
            adam.step(&mut net, ws.grads());
            net.loss_grad(&mut ws, &x, &label)?;
            rmsprop.step(&mut net, ws.grads());
            let (_, d_x) = net.loss_grad_inputs(&mut ws, &x, &label)?;
            assert_eq!(d_x.len(), 2);
            assert_eq!(net.forward(&mut ws, &x)?.len(), 2);
            assert_eq!(net.bias().len(), 3);

            let name = format!("gradiron-stack-{}-{threads}.safetensors", std::process::id());
            let path = std::env::temp_dir().join(name);
            net.save(&path)?;
            let mut other = Net::init(Seed(2)).clone();
            let loaded = other.load(&path);
            std::fs::remove_file(&path)?;
            loaded?;
            assert!(other.params() == net.params());
        }
        Ok(())
    })
}

#[test]
fn a_derived_module_with_large_samples() -> Outcome {
    with_stack(COMPUTING, || {
        let x = images(2)?.inputs;
        let net = Derived::init(Seed(1));
        let mut ws = Derived::workspace(2)?;
        let y = *net.forward(&mut ws, &x)?.first().ok_or("no result")?;
        net.forward_grad(&mut ws, &x, &[y, y])?;
        net.forward_grad_inputs(&mut ws, &x, &[y, y])?;
        Ok(())
    })
}
