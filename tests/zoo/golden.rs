//! What PyTorch computed of an architecture, and the comparison with it. The names in the files
//! are those of `parity/zoo/record.py`.

use std::path::{Path, PathBuf};

use gradiron::io::LoadError;
use gradiron::prelude::*;
use safetensors::SafeTensors;

pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Of the largest number of a tensor. Each is computed in float64 by PyTorch. Of a deep network
/// PyTorch's own float32 may be as far from that: then its distance is recorded, and twice as much
/// is granted to another computation that rounds as well.
const TOLERANCE: f32 = 1e-5;

pub struct Golden {
    path: PathBuf,
    bytes: Vec<u8>,
    granted: f32,
    /// The largest difference so far, as a part of the largest number of its tensor, and which.
    worst: (f32, String),
}

impl Golden {
    pub fn open(name: &str) -> std::io::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("zoo/{name}.safetensors"));
        let bytes = std::fs::read(&path)?;
        let mut golden = Self { path, bytes, granted: TOLERANCE, worst: (0.0, String::new()) };
        if let Some(off) = golden.recorded("float32") {
            golden.granted = TOLERANCE.max(2.0 * off[0]);
        }
        Ok(golden)
    }

    /// The network with PyTorch's parameters.
    pub fn load<N: Model>(&self, mut net: N) -> Result<N, LoadError> {
        net.load_from(&self.path)?.prefix("net.").load()?;
        Ok(net)
    }

    fn tensor(&self, name: &str) -> Option<Vec<u8>> {
        let tensors = SafeTensors::deserialize(&self.bytes).expect("a file of tensors");
        tensors.tensor(name).ok().map(|tensor| tensor.data().to_vec())
    }

    fn recorded(&self, name: &str) -> Option<Vec<f32>> {
        let bytes = self.tensor(name)?;
        Some(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.recorded(&format!("in.{name}")).expect("the input is recorded")
    }

    /// Samples of `N` classes.
    pub fn classes<const N: usize>(&self, name: &str) -> Vec<[u8; N]> {
        let bytes = self.tensor(&format!("in.{name}")).expect("the input is recorded");
        bytes.as_chunks().0.to_vec()
    }

    #[track_caller]
    pub fn compare(&mut self, name: &str, found: &[f32]) {
        let expected = self.recorded(name).expect("the tensor is recorded");
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        // A gradient whose parts cancel: what PyTorch has is a rounding of numbers of order 1.
        let largest = if largest < 1e-12 { 1.0 } else { largest };
        for (i, (x, y)) in found.iter().zip(&expected).enumerate() {
            let apart = if x == y { 0.0 } else { (x - y).abs() / largest };
            assert!(apart <= self.granted, "{name}: element {i} is {x}, not {y}: {apart:e}");
            if apart > self.worst.0 {
                self.worst = (apart, name.to_owned());
            }
        }
    }

    /// Compares the gradients of `loss`, and what a step along them makes of parameters and
    /// statistics. What the file has no gradients of stays as it is.
    #[track_caller]
    pub fn step<N: Network>(
        &mut self,
        loss: &str,
        net: &mut N,
        ws: &Workspace<N::Module>,
        optimizer: AdamW<N>,
    ) -> Outcome {
        let mut optimizer = optimizer.eps(1e-2)?.weight_decay(1e-2)?;
        let before = net.params().to_vec();
        let gradients = ws.grads().as_slice();
        let mut trained = Vec::new();
        for spec in N::param_specs() {
            let name = format!("{loss}.grad.{}", spec.name);
            let gradient = &gradients[spec.start..][..spec.len()];
            trained.push(self.tensor(&name).is_some());
            if trained[trained.len() - 1] {
                self.compare(&name, gradient);
            } else if spec.frozen {
                assert!(gradient.iter().all(|d| *d == 0.0), "{name} is not 0");
            }
        }
        optimizer.step(net, ws.grads());
        for (spec, trained) in N::param_specs().into_iter().zip(trained) {
            let (name, range) = (&spec.name, spec.start..spec.start + spec.len());
            let after = &net.params()[range.clone()];
            if trained {
                self.compare(&format!("{loss}.after.{name}"), after);
            } else {
                assert_eq!(after, &before[range], "{name} has changed");
            }
        }
        for spec in N::state_specs() {
            let name = format!("{loss}.after.{}", spec.name);
            if !spec.name.ends_with("num_batches_tracked") {
                self.compare(&name, &net.state()[spec.start..][..spec.len()]);
            }
        }
        println!("{}: {:.1e} ({})", self.path.display(), self.worst.0, self.worst.1);
        let name = self.path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/zoo.md"))?;
        let row = page.lines().find(|line| line.contains(&format!("](../tests/zoo/{name}.rs)")));
        let plan = format!("| {:.2} |", ws.packing().ratio());
        assert!(row.is_some_and(|row| row.ends_with(&plan)), "docs/zoo.md, {name}: {plan}");
        Ok(())
    }
}

/// The test of a classifier of images, `$net::forward(image)` and `$net::loss(image, label)`, on a
/// batch of `$batch`: its logits, loss, the gradient of the image, and a step of training.
macro_rules! classifier {
    ($name:ident, $net:ident, $batch:literal) => {
        #[test]
        fn $name() -> Outcome {
            let mut golden = Golden::open(stringify!($name))?;
            let image = golden.floats("image");
            let label = golden.classes::<1>("label").concat();
            let mut net = golden.load($net::init(Seed(0)))?;
            let mut ws = $net::workspace($batch)?;
            golden.compare("out.y", flat(net.forward(&mut ws, batch(&image))?));
            let (loss, d_image) = net.loss_grad_inputs(&mut ws, batch(&image), &label)?;
            golden.compare("loss", &[loss]);
            golden.compare("loss.d.image", flat(d_image));
            let adam = AdamW::new(&net, 1e-2)?;
            golden.step("loss", &mut net, &ws, adam)
        }
    };
}

pub(crate) use classifier;
