//! Files whose names are not those of the model, or that have a part of it.

use gradiron::io::{LoadError, Loaded, Mismatch};
use gradiron::module::Model;
use gradiron::prelude::*;

use crate::Folder;

model! {
    #[allow(bias_before_batch_norm)]
    struct Encoder {
        stem: Linear(4 -> 3),
        bn: BatchNorm1d(3),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 3] {
        self.bn(self.stem(x))
    }
}

model! {
    struct Net {
        encoder: Encoder,
        head: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        let x: [batch, 3] = self.encoder(x);
        self.head(x)
    }
}

model! {
    struct Wrapped {
        model: Net,
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.model(x)
    }
}

/// An encoder whose state is not that of a new one.
fn encoder() -> Encoder {
    let mut encoder = Encoder::init(Seed(1));
    encoder.select_state_mut("bn.running_mean").unwrap().fill(0.25);
    encoder.select_state_mut("bn.num_batches_tracked").unwrap().fill(5.0);
    encoder
}

#[test]
fn prefixes_come_and_go() {
    let folder = Folder::new("prefixes");
    let path = folder.0.join("wrapped.safetensors");
    let mut wrapped = Wrapped::init(Seed(2));
    wrapped.state_mut()[0] = 7.0;
    wrapped.save(&path).unwrap();
    let mut net = Net::init(Seed(3));
    let file = net.load_from(&path).unwrap();
    let names: Vec<_> = file.names().map(str::to_owned).collect();
    assert_eq!(names.len(), 9);
    assert!(names.iter().all(|name| name.starts_with("model.")), "{names:?}");
    assert_eq!(file.prefix("model.").load().unwrap(), Loaded::default());
    assert_eq!((net.params(), net.state()), (wrapped.params(), wrapped.state()));

    // The other way, and a part of the file alone.
    let path = folder.0.join("net.safetensors");
    net.save(&path).unwrap();
    let mut other = Wrapped::init(Seed(4));
    other.load_from(&path).unwrap().rename("", "model.").load().unwrap();
    assert_eq!((other.params(), other.state()), (net.params(), net.state()));
    let mut part = Encoder::init(Seed(5));
    part.load_from(&path).unwrap().prefix("encoder.").load().unwrap();
    assert_eq!((part.params(), part.state()), (&net.params()[..Encoder::PARAMS], net.state()));
}

#[test]
fn a_part_of_the_model_alone() {
    let folder = Folder::new("part");
    let path = folder.0.join("encoder.safetensors");
    encoder().save(&path).unwrap();
    let before = Net::init(Seed(6));
    let mut net = before.clone();
    let file = net.load_from(&path).unwrap().rename("", "encoder.");
    let error = file.load().unwrap_err();
    assert!(
        matches!(&error, LoadError::Mismatch { mismatches, .. } if matches!(&mismatches[..],
            [Mismatch::Missing { tensor, .. }, Mismatch::Missing { .. }] if tensor == "head.weight")),
        "{error}"
    );
    assert_eq!((net.params(), net.state()), (before.params(), before.state()));
    for only in ["encoder", "encoder."] {
        let mut net = before.clone();
        let file = net.load_from(&path).unwrap().rename("", "encoder.").only(only);
        assert_eq!(file.load().unwrap(), Loaded::default());
        assert_eq!(&net.params()[..Encoder::PARAMS], encoder().params());
        assert_eq!(net.params()[Encoder::PARAMS..], before.params()[Encoder::PARAMS..]);
        assert_eq!(net.state(), encoder().state());
    }
    let mut net = before.clone();
    let file = net.load_from(&path).unwrap().rename("", "encoder.").except("head.");
    assert_eq!(file.load().unwrap(), Loaded::default());
    assert_eq!(&net.params()[..Encoder::PARAMS], encoder().params());
}

/// As `load_state_dict(strict=False)`.
#[test]
fn what_is_missing_is_told_where_that_may_be() {
    let folder = Folder::new("partial");
    let path = folder.0.join("encoder.safetensors");
    encoder().save(&path).unwrap();
    let mut net = Net::init(Seed(6));
    let before = net.clone();
    let file = net.load_from(&path).unwrap();
    let file = file.rename("stem.", "encoder.stem.").rename("stem.bias", "x").strict(false);
    assert!(matches!(file.load(), Err(LoadError::Rename { method: "rename", .. })));
    assert_eq!(net.params(), before.params());

    let file = net.load_from(&path).unwrap().rename("stem.weight", "encoder.stem.weight");
    let loaded = file.strict(false).load().unwrap();
    let missing = ["encoder.stem.bias", "encoder.bn.weight", "encoder.bn.bias", "head.weight"];
    assert_eq!(loaded.missing[..4], missing);
    assert_eq!(loaded.missing.len(), 7, "{loaded:?}");
    assert_eq!(loaded.unexpected.len(), 6, "{loaded:?}");
    assert!(loaded.unexpected.contains(&"bn.running_mean".to_owned()));
    assert_eq!(net.select("encoder.stem.weight").unwrap().norm(), {
        encoder().select("stem.weight").unwrap().norm()
    });
    assert_eq!(net.select("encoder.stem.bias").unwrap().norm(), {
        before.select("encoder.stem.bias").unwrap().norm()
    });
    // Shapes must fit all the same.
    let file = net.load_from(&path).unwrap().rename("stem.bias", "head.weight").strict(false);
    let error = file.load().unwrap_err().to_string();
    assert!(error.contains("`head.weight`: expected shape [2, 3], found [3]"), "{error}");
}

#[test]
fn names_that_are_none_are_told() {
    let folder = Folder::new("names");
    let path = folder.0.join("encoder.safetensors");
    encoder().save(&path).unwrap();
    let mut net = Encoder::init(Seed(6));
    let before = net.clone();
    let mut error = |change: &dyn Fn(gradiron::io::Loading<'_, Encoder>) -> LoadError| {
        let error = change(net.load_from(&path).unwrap()).to_string();
        assert_eq!((net.params(), net.state()), (before.params(), before.state()));
        error
    };
    let text = error(&|file| file.prefix("modell.").load().unwrap_err());
    assert!(text.starts_with("`prefix` was to change names that begin with `modell.`"), "{text}");
    let text = error(&|file| file.rename("sten.", "stem.").load().unwrap_err());
    assert!(text.contains("begin with `sten.`") && text.contains("`stem`"), "{text}");
    let text = error(&|file| file.rename("stem.bias", "stem.weight").load().unwrap_err());
    assert!(text.contains("the name `stem.weight`"), "{text}");
    let text = error(&|file| file.only("stem").only("bm").load().unwrap_err());
    assert!(text.contains("`only` was to load `bm`") && text.contains("`bn`"), "{text}");
    let text = error(&|file| file.except("haed").load().unwrap_err());
    assert!(text.contains("`haed`"), "{text}");
    // The first mistake is told, whatever is said behind it.
    let text = error(&|file| file.prefix("a.").rename("b.", "c.").load().unwrap_err());
    assert!(text.contains("`a.`"), "{text}");
}
