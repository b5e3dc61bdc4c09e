//! All of the library in threads of small stacks, whatever the model: no sample, batch or parameter
//! passes the stack, and a long pass takes no more of it than a short one.

use gradiron::data::Dataset;
use gradiron::device::Precision;
use gradiron::module::Model;
use gradiron::prelude::*;
use gradiron::rng::Rng;

const SIDE: usize = 512;

/// 3 MiB.
type Image = [[[f32; SIDE]; SIDE]; 3];

/// The bound of the documentation. Less than a tenth of an image, and where nothing is optimised
/// less than half of one.
const STACK: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };

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

/// A model of a chain of layers.
macro_rules! chain {
    ($($layer:ident)*) => {
        model! {
            struct Chain {
                $($layer: Linear(8 -> 8),)*
                norm: BatchNorm1d(8),
            }

            fn forward(&self, x: [batch, 8]) -> [batch, 8] {
                $(let x = self.$layer(x).gelu() + x;)*
                self.norm(x)
            }

            fn loss(&self, x: [batch, 8], label: Classes[batch]) -> [] {
                cross_entropy(self.forward(x), label)
            }
        }
    };
}

// 200 layers.
chain! {
    a00 a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19
    b00 b01 b02 b03 b04 b05 b06 b07 b08 b09 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19
    c00 c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19
    d00 d01 d02 d03 d04 d05 d06 d07 d08 d09 d10 d11 d12 d13 d14 d15 d16 d17 d18 d19
    e00 e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11 e12 e13 e14 e15 e16 e17 e18 e19
    f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19
    g00 g01 g02 g03 g04 g05 g06 g07 g08 g09 g10 g11 g12 g13 g14 g15 g16 g17 g18 g19
    h00 h01 h02 h03 h04 h05 h06 h07 h08 h09 h10 h11 h12 h13 h14 h15 h16 h17 h18 h19
    i00 i01 i02 i03 i04 i05 i06 i07 i08 i09 i10 i11 i12 i13 i14 i15 i16 i17 i18 i19
    j00 j01 j02 j03 j04 j05 j06 j07 j08 j09 j10 j11 j12 j13 j14 j15 j16 j17 j18 j19
}

/// A model around another one.
macro_rules! around {
    ($name:ident, $inner:ident) => {
        model! {
            struct $name {
                inner: $inner,
                fc: Linear(8 -> 8),
            }

            fn forward(&self, x: [batch, 8]) -> [batch, 8] {
                let y: [batch, 8] = self.inner(x);
                self.fc(y).tanh()
            }
        }
    };
}

around!(Depth1, Chain);
around!(Depth2, Depth1);
around!(Depth3, Depth2);
around!(Depth4, Depth3);
around!(Depth5, Depth4);
around!(Depth6, Depth5);
around!(Depth7, Depth6);
around!(Depth8, Depth7);

// The kernels with the largest frames: products of long sums, attention and its mask, convolutions
// of all kinds, recurrent layers.
model! {
    struct Gpt {
        embed: Embedding(100, 128),
        attn: MultiheadAttention(128, num_heads = 2),
        mask: Param([70, 70]),
        fc: Linear(128 -> 3000),
        back: Linear(3000 -> 128),
        lstm: LSTM(128 -> 64),
        head: Linear(64 -> 100),
    }

    fn loss(&self, x: Classes[batch, 70], label: Classes[batch, 70]) -> [] {
        let x = self.embed(x);
        let x = self.attn(x, x, x, attn_mask = self.mask) + x;
        let x = self.back(self.fc(x).gelu()) + x;
        let (x, _, _) = self.lstm(x);
        cross_entropy(self.head(x).transpose(1, 2), label)
    }
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Convolutions {
        first: Conv2d(3 -> 64, kernel = 7, stride = 2, padding = 3),
        bn: BatchNorm2d(64),
        deep: Conv2d(64 -> 64, kernel = 3, padding = 1),
        separate: Conv2d(64 -> 64, kernel = 3, padding = 1, groups = 64),
        point: Conv2d(64 -> 32, kernel = 1),
        up: ConvTranspose2d(32 -> 8, kernel = 2, stride = 2),
        fc: Linear(8 -> 4),
    }

    fn loss(&self, x: [batch, 3, 64, 64], label: Classes[batch]) -> [] {
        let x = self.bn(self.first(x)).relu();
        let x = self.separate(self.deep(x).relu()).max_pool2d(2);
        let x = self.up(self.point(x).relu()).avg_pool2d(32).flatten();
        cross_entropy(self.fc(x), label)
    }
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
    with_stack(STACK, || {
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
    with_stack(STACK, || {
        let x = images(2)?.inputs;
        let net = Derived::init(Seed(1));
        let mut ws = Derived::workspace(2)?;
        let y = *net.forward(&mut ws, &x)?.first().ok_or("no result")?;
        net.forward_grad(&mut ws, &x, &[y, y])?;
        net.forward_grad_inputs(&mut ws, &x, &[y, y])?;
        Ok(())
    })
}

#[test]
fn a_chain_of_200_layers() -> Outcome {
    with_stack(STACK, || {
        let mut net = Chain::init(Seed(1));
        let mut ws = Chain::workspace(4)?;
        let mut adam = Adam::new(&net, 1e-3)?;
        let (x, label) = ([[0.5; 8]; 4], [0_u8, 1, 2, 3]);
        net.loss_grad(&mut ws, &x, &label)?;
        adam.step(&mut net, ws.grads());
        net.loss_grad_inputs(&mut ws, &x, &label)?;
        net.forward(&mut ws, &x)?;
        assert_eq!(Chain::param_specs().len(), 402);
        Ok(())
    })
}

#[test]
fn a_chain_in_eight_models() -> Outcome {
    with_stack(STACK, || {
        let net = Depth8::init(Seed(1));
        let mut ws = Depth8::workspace(2)?;
        let x = [[0.5; 8]; 2];
        let y = net.forward(&mut ws, &x)?.to_vec();
        net.forward_grad_inputs(&mut ws, &x, &y)?;
        Ok(())
    })
}

#[test]
fn kernels_with_large_frames() -> Outcome {
    with_stack(STACK, || {
        for precision in [Precision::F32, Precision::Bf16] {
            for threads in [1, 2] {
                let device = Cpu::with_threads(threads).with_precision(precision);
                let net = Gpt::init(Seed(1));
                let mut ws = Gpt::workspace_on(device.clone(), 3)?;
                let words = [[7_u8; 70]; 3];
                net.loss_grad(&mut ws, &words, &words)?;
                net.loss(&mut ws, &words, &words)?;

                let net = Convolutions::init(Seed(1));
                let mut ws = Convolutions::workspace_on(device, 2)?;
                let floats = vec![0.5; 2 * 3 * 64 * 64];
                let images = gradiron::view::samples::<[[[f32; 64]; 64]; 3]>(&floats)?;
                net.loss_grad_inputs(&mut ws, images, &[0_u8, 3])?;
                net.loss(&mut ws, images, &[0_u8, 3])?;
            }
        }
        Ok(())
    })
}
