//! Activations beside those of PyTorch, in a file of the form that Python writes.

use std::collections::HashMap;
use std::path::PathBuf;

use gradiron::debug::{Comparison, Distance};
use gradiron::prelude::*;
use safetensors::tensor::{Dtype, TensorView as Tensor};

use crate::Outcome;

model! {
    struct Block {
        fc: Linear(3 -> 3),
        norm: LayerNorm(3),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 3] {
        self.norm(x + self.fc(x))
    }
}

model! {
    struct Net {
        fc1: Linear(2 -> 3),
        block: Block,
        head: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.head(self.block(self.fc1(x).tanh()))
    }
}

/// A file that is removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, tensors: &[(&str, Vec<f32>)]) -> Result<Self, Box<dyn std::error::Error>> {
        let file = format!("gradiron-activations-{name}-{}.safetensors", std::process::id());
        let path = std::env::temp_dir().join(file);
        let bytes: Vec<(&str, Vec<u8>)> = tensors
            .iter()
            .map(|(name, floats)| (*name, floats.iter().flat_map(|f| f.to_le_bytes()).collect()))
            .collect();
        let mut views = HashMap::new();
        for (name, bytes) in &bytes {
            views.insert(*name, Tensor::new(Dtype::F32, vec![bytes.len() / 4], bytes)?);
        }
        std::fs::write(&path, safetensors::serialize(views, None)?)?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Weights and activations that were computed by hand.
fn net() -> Result<Net, Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(0));
    net.params_mut().fill(0.0);
    net.select_mut("fc1.bias")?.fill(0.5);
    net.params_mut()[0] = 1.0;
    net.select_mut("block.norm.weight")?.fill(1.0);
    net.select_mut("block.norm.bias")?.fill(0.25);
    net.select_mut("head.bias")?.fill(3.0);
    Ok(net)
}

fn run(comparison: &Comparison) -> Outcome {
    let cpu = Cpu::with_threads(1).with_observer(comparison.clone());
    let mut ws = Net::workspace_on(cpu, 1)?;
    net()?.forward(&mut ws, &[[1.0, 1.0]])?;
    Ok(())
}

#[test]
fn the_first_layer_that_is_apart_is_found() -> Outcome {
    // Of `fc1` before its tanh; `head` differs in its second element.
    let fc1 = vec![1.5, 0.5, 0.5];
    let file = File::new(
        "first",
        &[("fc1", fc1), ("block.fc", vec![0.0; 3]), ("head", vec![3.0, 3.5]), ("gone", vec![1.0])],
    )?;
    let comparison = Comparison::load(&file.0)?;
    run(&comparison)?;
    let compared = comparison.compared();
    let modules: Vec<_> = compared.iter().map(|compared| &compared.module[..]).collect();
    assert_eq!(modules, ["fc1", "block.fc", "head"]);
    assert!(!compared[0].distance.is_apart(), "{comparison}");
    assert_eq!(compared[1].distance, Distance::Fused("add".into()));
    let first = comparison.first_apart().expect("the head is apart");
    assert_eq!(first.module, "head");
    let Distance::Apart { index, ours, theirs, .. } = first.distance else {
        panic!("{comparison}");
    };
    assert_eq!((&index[..], ours, theirs), (&[0, 1][..], 3.0, 3.5));
    let text = comparison.to_string();
    assert!(text.contains("APART by 0.1534 at [0, 1]: 3 here, 3.5 in PyTorch"), "{text}");
    assert!(text.contains("no operation has the name of `gone`"), "{text}");
    Ok(())
}

#[test]
fn other_sizes_are_apart() -> Outcome {
    let file = File::new("sizes", &[("head", vec![3.0; 4])])?;
    let comparison = Comparison::load(&file.0)?;
    run(&comparison)?;
    let first = comparison.first_apart().expect("the head is apart");
    assert_eq!(first.distance, Distance::Sizes { ours: vec![1, 2], theirs: 4 });
    Ok(())
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let text = Comparison::load("/no-such-folder/a.safetensors").unwrap_err().to_string();
    assert!(text.starts_with("cannot read `/no-such-folder/a.safetensors`"), "{text}");
    let path = std::env::temp_dir().join(format!("gradiron-no-tensors-{}", std::process::id()));
    std::fs::write(&path, b"PK\x03\x04").expect("a temporary file");
    let text = Comparison::load(&path).unwrap_err().to_string();
    let _ = std::fs::remove_file(&path);
    assert!(text.contains("is no safetensors file"), "{text}");
}
