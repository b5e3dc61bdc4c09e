//! Tied weights, which PyTorch's `state_dict` holds under each of their names.

use std::path::PathBuf;

use gradiron::io::{LoadError, Mismatch};
use gradiron::prelude::*;
use safetensors::{Dtype, serialize, tensor::TensorView};

use super::Folder;

model! {
    struct Gpt {
        wte: Embedding(3 -> 2),
        #[name = "head.0"]
        lm_head: Linear(2 -> 3, bias = false, tied = self.wte),
    }

    fn forward(&self, token: Classes[batch, 2]) -> [batch, 2, 3] {
        self.lm_head(self.wte(token))
    }
}

model! {
    struct Outer {
        transformer: Gpt,
    }

    fn forward(&self, token: Classes[batch, 2]) -> [batch, 2, 3] {
        let y: [batch, 2, 3] = self.transformer(token);
        y
    }
}

const OWN: &str = "transformer.wte.weight";
const SECOND: &str = "transformer.head.0.weight";

/// A file of tensors of six numbers.
fn file(folder: &Folder, tensors: &[(&str, [f32; 6], [usize; 2])]) -> PathBuf {
    let bytes: Vec<_> = tensors
        .iter()
        .map(|(name, values, shape)| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (*name, bytes, shape.to_vec())
        })
        .collect();
    let views = bytes.iter().map(|(name, bytes, shape)| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("its length fits"))
    });
    folder.file("net.safetensors", &serialize(views, None).expect("it is a file"))
}

/// What a new model holds after loading, or why it does not load.
fn loaded(path: &PathBuf, except: &[&str]) -> Result<Vec<f32>, Vec<Mismatch>> {
    let mut net = Outer::init(Seed(1));
    let before = net.params().to_vec();
    match net.load_except(path, except) {
        Ok(()) => Ok(net.params().to_vec()),
        Err(LoadError::Mismatch { mismatches, .. }) => {
            assert_eq!(net.params(), before, "a failed load changed the model");
            Err(mismatches)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_tied_weight_loads_from_any_of_its_names() {
    let folder = Folder::new("tied");
    let [a, mut b] = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; 2];
    let shape = [3, 2];
    for names in [&[OWN, SECOND][..], &[OWN], &[SECOND]] {
        let tensors: Vec<_> = names.iter().map(|name| (*name, a, shape)).collect();
        assert_eq!(loaded(&file(&folder, &tensors), &[]).unwrap(), a, "{names:?}");
    }
    let missing = loaded(&file(&folder, &[]), &[]).unwrap_err();
    assert!(matches!(&missing[..], [Mismatch::Missing { tensor, .. }] if tensor == OWN));
    let wrong = loaded(&file(&folder, &[(OWN, a, shape), (SECOND, a, [2, 3])]), &[]).unwrap_err();
    assert!(matches!(&wrong[..], [Mismatch::Shape { tensor, .. }] if tensor == SECOND));

    b[5] = 7.0;
    let path = file(&folder, &[(OWN, a, shape), (SECOND, b, shape)]);
    let untied = loaded(&path, &[]).unwrap_err();
    let [untied] = &untied[..] else { panic!("{untied:?}") };
    assert_eq!(
        untied.to_string(),
        "`transformer.head.0.weight`: expected the numbers of `transformer.wte.weight`, to which it \
         is tied in the model, found others; leave it out with `load_except`, or do not tie it"
    );
    assert_eq!(loaded(&path, &["transformer.head"]).unwrap(), a);
    // Without its owner the weight is not loaded, whatever its other name holds.
    assert_eq!(loaded(&path, &["transformer.wte"]).unwrap(), Outer::init(Seed(1)).params());

    let mut net = Outer::init(Seed(1));
    net.params_mut().copy_from_slice(&a);
    net.save(&path).unwrap();
    assert_eq!(loaded(&path, &[]).unwrap(), a);
}
