//! Saving and loading, and every fault that a file can have
//! (`parity io` made the file from PyTorch).

mod faults;
mod hostile;
mod kills;
#[cfg(unix)]
mod places;
mod renamed;
mod tied;

use std::fs;
use std::path::{Path, PathBuf};

use gradiron::device::Storage;
use gradiron::init::{Init, Seed};
use gradiron::io::{LoadError, SaveError};
use gradiron::module::{Model, Module, ParamSpec, init_params};
use gradiron::prelude::{Linear, Module, model};

const FIXTURE: &[u8] = include_bytes!("torch.safetensors");

/// The module of the script, its parameters in PyTorch's order of definition.
struct Layers;

impl Module for Layers {
    const PARAMS: usize = 48;

    fn describe(prefix: &str, start: usize, specs: &mut Vec<ParamSpec>) {
        let init = Init::Uniform { low: -1.0, high: 1.0 };
        let mut start = start;
        for (name, shape) in [
            ("scale", vec![]),
            ("conv1.weight", vec![2, 1, 3, 3]),
            ("conv1.bias", vec![2]),
            ("fc.weight", vec![3, 8]),
            ("fc.bias", vec![3]),
        ] {
            let (name, tied) = (format!("{prefix}{name}"), vec![]);
            let spec = ParamSpec { name, shape, start, init, tied, frozen: false };
            start += spec.len();
            specs.push(spec);
        }
    }
}

struct Net(Storage);

impl Net {
    fn new(seed: u64) -> Self {
        Self(init_params::<Layers>(Seed(seed)))
    }

    fn bits(&self) -> Vec<u32> {
        self.params().iter().map(|param| param.to_bits()).collect()
    }
}

impl Model for Net {
    type Module = Layers;

    fn params(&self) -> &[f32] {
        self.0.as_slice()
    }

    fn params_mut(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }
}

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gradiron-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Loads what must fail, and sees that the model stays as it was.
fn load_error(path: &Path) -> LoadError {
    let mut net = Net::new(1);
    let before = net.bits();
    let error = net.load(path).expect_err("a wrong file was loaded");
    assert_eq!(net.bits(), before, "a failed load changed the model");
    error
}

#[test]
fn a_round_trip_keeps_every_bit() {
    let folder = Folder::new("round-trip");
    let path = folder.0.join("net.safetensors");
    let mut saved = Net::new(2);
    saved.params_mut()[..4].copy_from_slice(&[f32::NAN, -0.0, f32::MIN_POSITIVE / 4.0, 1e38]);
    saved.save(&path).unwrap();
    let mut loaded = Net::new(3);
    loaded.load(&path).unwrap();
    assert_eq!(loaded.bits(), saved.bits());

    saved.params_mut()[0] = 5.0;
    saved.save(&path).unwrap();
    loaded.load(&path).unwrap();
    assert_eq!(loaded.bits(), saved.bits());
    assert_eq!(folder.names(), ["net.safetensors"]);
}

#[test]
fn a_state_dict_of_pytorch_loads_and_saves_as_the_same_bytes() {
    let folder = Folder::new("state-dict");
    let path = folder.file("torch.safetensors", FIXTURE);
    let mut net = Net::new(4);
    net.load(&path).unwrap();
    assert_eq!(net.params()[0], 1.5);
    assert_eq!(net.params()[45].to_bits(), (-0.0f32).to_bits());
    assert!(net.params()[46].is_nan());
    assert_eq!(net.params()[47], f32::from_bits(1));

    let again = folder.0.join("again.safetensors");
    net.save(&again).unwrap();
    let bytes = fs::read(&again).unwrap();
    assert_eq!(bytes, FIXTURE);
    if let Some(keep) = std::env::var_os("GRADIRON_KEEP") {
        fs::write(keep, bytes).unwrap();
    }
}

model! {
    struct Normed {
        bn: BatchNorm1d(2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.bn(x)
    }
}

#[test]
fn a_file_without_a_count_loads_and_the_count_stays() {
    let folder = Folder::new("count");
    let path = folder.0.join("net.safetensors");
    let trained = |batches: usize, value: f32| {
        let mut net = Normed::init(Seed(1));
        let mut ws = Normed::workspace(2).unwrap();
        for _ in 0..batches {
            net.forward_grad(&mut ws, &[[value; 2]; 2], &[[0.0; 2]; 2]).unwrap();
            net.update_state(ws.grads());
        }
        net
    };
    let saved = trained(3, 5.0);
    saved.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    // PyTorch has the count since 0.4.1.
    let all = file.tensors();
    let old = |name: &str| name != "bn.num_batches_tracked";
    let without = all.iter().filter(|(name, _)| old(name)).map(|(name, tensor)| (name, tensor));
    fs::write(&path, safetensors::serialize(without, None).unwrap()).unwrap();
    for batches in [0, 2] {
        let mut net = trained(batches, 1.0);
        net.load(&path).unwrap();
        assert_eq!(net.bn().num_batches_tracked(), batches as f64);
        assert_eq!(net.bn().running_mean(), saved.bn().running_mean());
        assert_eq!(net.bn().running_var(), saved.bn().running_var());
    }
    // Any other tensor is needed.
    let statistics = |name: &str| old(name) && name != "bn.running_mean";
    let fewer =
        all.iter().filter(|(name, _)| statistics(name)).map(|(name, tensor)| (name, tensor));
    fs::write(&path, safetensors::serialize(fewer, None).unwrap()).unwrap();
    let error = trained(0, 1.0).load(&path).unwrap_err().to_string();
    assert!(
        error.contains("`bn.running_mean`: expected shape [2], found no such tensor"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_file_without_a_format_loads() {
    let folder = Folder::new("plain");
    let at = FIXTURE.windows(2).position(|two| two == b"},").expect("behind the metadata");
    let length = FIXTURE[..8].try_into().map(usize::from_le_bytes).expect("eight bytes");
    let mut header = [b"{", &FIXTURE[at + 2..8 + length]].concat();
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    let tensors = &FIXTURE[FIXTURE.len() - 4 * Layers::PARAMS..];
    let path = folder.file("net", &[&length, &header[..], tensors].concat());
    let (mut plain, mut noted) = (Net::new(1), Net::new(2));
    plain.load(&path).unwrap();
    noted.load(folder.file("torch", FIXTURE)).unwrap();
    assert_eq!(plain.bits(), noted.bits());
}

model! {
    struct Inner {
        #[name = "self.query"]
        query: Linear(2 -> 2),
        /// Docs stand beside a name.
        #[name = "LayerNorm"]
        ln: LayerNorm(2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.ln(self.query(x))
    }
}

model! {
    struct Named {
        #[name = "encoder.layer"]
        layers: [Inner; 2],
        #[name = "attention"]
        inner: Inner,
        #[name = "position.weight"]
        position: Param([2]),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.inner(self.layers(x + self.position))
    }
}

#[derive(Module)]
#[module(output = [batch, 2])]
struct Derived {
    #[name = "classifier.0"]
    fc: Linear<2, 2>,
    inner: Inner,
}

#[test]
fn fields_have_other_names_in_files() {
    let names = |specs: Vec<ParamSpec>| specs.into_iter().map(|spec| spec.name).collect::<Vec<_>>();
    let inner = ["self.query.weight", "self.query.bias", "LayerNorm.weight", "LayerNorm.bias"];
    let below = |prefix: &str| inner.map(|name| format!("{prefix}.{name}"));
    let parts = ["encoder.layer.0", "encoder.layer.1", "attention"].map(below);
    assert_eq!(names(Named::param_specs())[..12], parts.concat());
    assert_eq!(names(Named::param_specs())[12], "position.weight");
    let derived = names(gradiron::Net::<Derived>::param_specs());
    assert_eq!(derived[..2], ["classifier.0.weight", "classifier.0.bias"]);
    assert_eq!(derived[2..], below("inner"));
}

#[test]
fn a_relative_path_saves_into_the_current_folder() {
    let name = format!("gradiron-relative-{}.safetensors", std::process::id());
    Net::new(5).save(&name).unwrap();
    let loaded = Net::new(6).load(Path::new(&name));
    fs::remove_file(&name).unwrap();
    loaded.unwrap();
}

#[test]
fn who_loads_while_others_save_sees_whole_files() {
    let folder = Folder::new("concurrent");
    let path = folder.0.join("net.safetensors");
    let nets = [Net::new(7), Net::new(8)];
    nets[0].save(&path).unwrap();
    std::thread::scope(|scope| {
        for net in &nets {
            scope.spawn(|| (0..50).for_each(|_| net.save(&path).unwrap()));
        }
        let mut loaded = Net::new(9);
        for _ in 0..100 {
            loaded.load(&path).unwrap();
            assert!(nets.iter().any(|net| net.bits() == loaded.bits()));
        }
    });
    assert_eq!(folder.names(), ["net.safetensors"]);
}

#[test]
fn a_save_that_cannot_be_leaves_everything() {
    let folder = Folder::new("no-save");
    let net = Net::new(10);
    let save = |path: &Path| net.save(path).unwrap_err();

    let missing = save(&folder.0.join("missing/net.safetensors"));
    assert!(matches!(missing, SaveError::Folder { .. }));
    assert!(missing.to_string().contains("check that the folder exists"), "{missing}");

    let file = folder.file("file", b"old");
    assert!(matches!(save(&file.join("net.safetensors")), SaveError::Folder { .. }));
    assert!(matches!(save(&folder.0), SaveError::Refused { .. }));
    assert!(matches!(save(Path::new("")), SaveError::Refused { .. }));

    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let read_only = save(&file).to_string();
    assert!(read_only.ends_with("it is read-only; name another file"), "{read_only}");
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(folder.names(), ["file"]);
}

/// A model whose description does not fit its floats.
struct Wrong<const TWICE: bool>([f32; 4]);

impl<const TWICE: bool> Module for Wrong<TWICE> {
    const PARAMS: usize = 4;

    fn describe(_: &str, _: usize, specs: &mut Vec<ParamSpec>) {
        let (name, init, tied) = (String::from("weight"), Init::Zeros, vec![]);
        if TWICE {
            let spec = ParamSpec { name, shape: vec![2], start: 0, init, tied, frozen: false };
            specs.extend([spec.clone(), ParamSpec { start: 2, ..spec }]);
        } else {
            let shape = vec![usize::MAX, usize::MAX];
            specs.push(ParamSpec { name, shape, start: 1, init, tied, frozen: false });
        }
    }
}

impl<const TWICE: bool> Model for Wrong<TWICE> {
    type Module = Self;

    fn params(&self) -> &[f32] {
        &self.0
    }

    fn params_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

#[test]
fn a_wrong_description_is_an_error() {
    let folder = Folder::new("wrong");
    let path = folder.0.join("net.safetensors");
    assert!(matches!(Wrong::<true>([0.0; 4]).save(&path), Err(SaveError::Layout(_))));
    assert!(matches!(Wrong::<false>([0.0; 4]).save(&path), Err(SaveError::Layout(_))));
    assert!(matches!(Wrong::<false>([0.0; 4]).load(&path), Err(LoadError::Layout(_))));
    assert!(folder.names().is_empty());
}

model! {
    struct Part {
        fc: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.fc(x)
    }
}

model! {
    /// What a nested model calls its tensors is known when the program runs.
    struct Meeting {
        inner: Part,
        #[name = "inner.fc"]
        other: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.other(self.inner(x))
    }
}

#[test]
#[should_panic(expected = "two tensors named `inner.fc.weight` in files")]
fn two_tensors_of_one_name() {
    Meeting::init(Seed(0));
}
