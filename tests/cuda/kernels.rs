//! What NVIDIA's compiler makes of every kernel: registers, shared memory, and no spills. Needs the
//! library NVRTC, and no GPU; where it is not found the test says so, and with
//! `GRADIRON_REQUIRE_NVRTC` fails. `GRADIRON_UPDATE` writes the table anew.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use gradiron::device::{Buf, CudaError, DryRun, Region};
use gradiron::ops::attention::{self, Attention, AttentionSpec, Strides, View};
use gradiron::ops::convert::Convert;
use gradiron::ops::recurrent::{
    Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent, RecurrentSpec, Saved,
};
use gradiron::prelude::*;

use crate::assortment::{Convolutions, Large, Planes, Sequences};
use crate::calls::{self, Calls, Memory, of_rooms};
use crate::models::{Gpt, LeNet, Residual, Tagger};

const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];
const BATCH: usize = 64;

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The kernels of models, and of optimizers.
fn kernels() -> DryRun {
    let list = DryRun::default();
    macro_rules! add {
        ($model:ident.$function:ident($($arg:expr),*)) => {
            add!(Precision::F32, $model.$function($($arg),*))
        };
        ($precision:expr, $model:ident.$function:ident($($arg:expr),*)) => {{
            let net = $model::init(Seed(0));
            let list = list.clone().with_precision($precision);
            let mut ws = $model::workspace_on(list, BATCH).expect("it is small");
            net.$function(&mut ws, $($arg),*).expect("nothing is computed");
        }};
    }
    let image = vec![[[[0.0; 28]; 28]; 1]; BATCH];
    let planes = vec![[[[0.0; 12]; 12]; 3]; BATCH];
    let (token, label) = (vec![[0_u8; 12]; BATCH], vec![0_u8; BATCH]);
    add!(LeNet.loss(&image, &label));
    add!(LeNet.loss_grad(&image, &label));
    add!(Residual.forward(&planes));
    add!(Residual.loss_grad_inputs(&planes, &label));
    add!(Gpt.forward(&token));
    add!(Gpt.loss_grad(&token, &token));
    add!(Tagger.loss_grad(&token, &label, &token));
    let (x, h, index) =
        (vec![[[0.0; 6]; 5]; BATCH], vec![[0.0; 4]; BATCH], vec![[[0_u8; 2]; 5]; BATCH]);
    let d_y = vec![[[0.0; 3]; 5]; BATCH];
    add!(Sequences.forward_grad_inputs(&x, &h, &label, &index, &d_y));
    let x = vec![[[[0.0; 8]; 8]; 2]; BATCH];
    add!(Planes.loss_grad_inputs(&x, &label));
    add!(Planes.forward_grad_inputs(&x, &vec![[[0.0; 4]; 2]; BATCH]));
    let net = Gpt::init(Seed(0));
    let mut ws = Gpt::workspace_on(list.clone(), BATCH).expect("it is small");
    let mut cache = Gpt::forward_cache(&ws, 1).expect("it is small");
    net.forward_step(&mut ws, &mut cache, &[0_u8]).expect("nothing is computed");
    optimizers(&list);
    let x = vec![[[[0.0; 6]; 6]; 4]; BATCH];
    add!(Precision::Bf16, Large.loss_grad_inputs(&x, &label));
    add!(Precision::F16, Large.loss_grad_inputs(&x, &label));
    add!(Precision::Bf16, Residual.loss_grad_inputs(&planes, &label));
    add!(Precision::Bf16, Gpt.loss_grad(&token, &token));
    add!(Precision::Bf16, Tagger.loss_grad(&token, &label, &token));
    recurrent(&list);
    attention(&list.clone().with_precision(Precision::Bf16));
    let image = vec![[[[0.0; 64]; 64]; 3]; BATCH];
    add!(Precision::Bf16, Convolutions.loss_grad(&image, &label));
    let mut ws = Large::workspace_on(list.clone().with_tf32(), BATCH).expect("it is small");
    Large::init(Seed(0)).loss_grad_inputs(&mut ws, &x, &label).expect("nothing is computed");
    // Values that another precision stores.
    let [wide, narrow] =
        [(0, 64), (64, 32)].map(|(start, len)| Buf::new(Region::Arena, start, len));
    list.record(|step| {
        step.narrow(narrow, wide);
        step.widen(wide, narrow);
    });
    rooms(&list);
    list
}

/// `room function` of a kernel on a list.
fn functions(list: &DryRun) -> BTreeSet<String> {
    let first_words = |name: String| name.split(' ').take(2).collect::<Vec<_>>().join(" ");
    list.names().into_iter().map(first_words).collect()
}

/// The small calls of rooms whose kernels the models do not launch.
fn rooms(list: &DryRun) {
    let launched = functions(list);
    let missing: Vec<_> = written().difference(&launched).cloned().collect();
    // A room has calls of its name, and of names that go on behind it.
    let is_missing = |calls: &str| {
        let rooms = missing.iter().filter_map(|name| name.split(' ').next());
        rooms
            .filter_map(|room| calls.strip_prefix(room))
            .any(|rest| matches!(rest.as_bytes(), [] | [b'_', ..]))
    };
    macro_rules! record {
        ($($name:ident::$Calls:ident,)*) => {
            $(if is_missing(stringify!($name)) {
                let mut memory = Memory::new(calls::$Calls::FLOATS);
                list.record(|step| calls::$Calls::call(step, &mut memory));
            })*
        };
    }
    of_rooms!(record);
}

/// Layers that a block of threads takes through all steps, with one sample and with four, and
/// layers that are too large for that.
fn recurrent(list: &DryRun) {
    let sizes = [(Cell::Lstm, 32, 128), (Cell::Gru, 32, 128), (Cell::Tanh, 256, 256)];
    let large = [(Cell::Lstm, 512, 128), (Cell::Gru, 512, 128), (Cell::Lstm, 64, 256)];
    for (cell, batch, hidden) in sizes.into_iter().chain(large) {
        let s = RecurrentSpec { cell, batch, steps: 64, hidden, reverse: false };
        let mut end = 0;
        let mut place = |len: usize| {
            end += len;
            Buf::new(Region::Arena, end - len, len)
        };
        let [x, d_x, products, gates] = [(); 4].map(|()| place(batch * s.steps * s.width()));
        let [y, d_y, before, inner] = [(); 4].map(|()| place(batch * s.steps * hidden));
        let [h, d_h, first, d_first] = [(); 4].map(|()| place(batch * hidden));
        let (w, b, scratch) = (place(s.width() * hidden), place(s.width()), place(s.scratch()));
        let history = Saved { gates, before, inner: Some(inner) };
        let given = Inputs { x, w, b: Some(b), h: Some(first), c: None, lengths: None };
        list.record(|step| {
            step.recurrent(Outputs { y, h, c: None }, Some(history), given, scratch, s);
            let gradients =
                InputGrads { x: d_x, products: Some(products), h: Some(d_first), c: None };
            let upstream = OutputGrads { y: Some(d_y), h: Some(d_h), c: None };
            step.recurrent_grad(gradients, upstream, history, given, scratch, s);
        });
    }
}

/// Heads of common widths, of values in 16 bits.
fn attention(list: &DryRun) {
    for (dim, causal) in [(64, Some(0)), (64, None), (128, Some(0)), (128, None)] {
        let scale = 1.0 / (dim as f32).sqrt();
        let (queries, keys) = (256, 256);
        let (batch, heads, kv_heads) = (2, 4, 2);
        let spec = AttentionSpec { batch, heads, kv_heads, queries, keys, dim, scale, causal };
        let mut start = 0;
        let mut place = |heads: usize| {
            let strides = Strides::by_row(queries, heads, dim);
            let len = batch * heads * queries * dim;
            start += len;
            let whole = Buf::new(Region::Arena, start - len, len);
            View { buf: whole.halves(0, len), strides }
        };
        let [q, y, d_y, d_q] = [(); 4].map(|()| place(heads));
        let [k, v, d_k, d_v] = [(); 4].map(|()| place(kv_heads));
        let lse = Buf::new(Region::Arena, start, batch * heads * queries);
        let given = attention::Inputs { q, k, v, mask: None };
        let places = Strides { start: 0, batch: 0, head: queries * keys, row: keys };
        let [mask, d_mask] = [0, 1].map(|n| {
            let len = heads * queries * keys;
            Buf::new(Region::Arena, start + lse.len + n * len / 2, len / 2).halves(0, len)
        });
        let masked = attention::Inputs { mask: Some(View { buf: mask, strides: places }), ..given };
        list.record(|step| {
            step.attention(y, lse, given, spec);
            step.attention_grad([d_q, d_k, d_v], [d_y, y], lse, given, spec);
            step.attention_mask_grad(d_mask, [d_y, y], lse, masked, spec);
        });
    }
}

fn optimizers(list: &DryRun) {
    let mut net = LeNet::init(Seed(0));
    let ws = LeNet::workspace_on(list.clone(), BATCH).expect("it is small");
    let mut step =
        |optimizer: &mut dyn Optimizer<LeNet>| optimizer.step(&mut net, ws.grads().again());
    let net = LeNet::init(Seed(0));
    let sgd = Sgd::new(&net, 0.1).expect("a sound rate");
    step(&mut sgd.decay_only(|param| param.shape.len() >= 2));
    let sgd = Sgd::new(&net, 0.1).and_then(|sgd| sgd.clip_norm(1.0)).expect("a sound rate");
    step(&mut sgd.freeze("fc1").expect("a layer"));
    for case in crate::cases::KERNELS {
        step(&mut *crate::cases::build(case, &net).expect("sound hyper-parameters"));
    }
}

/// `room function` of all kernels in the sources.
fn written() -> BTreeSet<String> {
    let ops = tests().join("../runtime/src/ops");
    let rooms = std::fs::read_dir(ops).expect("the rooms").map(|room| room.expect("a room").path());
    let texts = ["kernels.cu", "blocks.cu", "direct.cu", "rows.cu", "mma.cu", "mma_grad.cu"];
    let mut files: Vec<PathBuf> =
        rooms.flat_map(|room| texts.map(|file| room.join(file))).collect();
    files.extend(
        ["optim/kernels.cu", "device/cuda/scaling.cu"]
            .map(|f| tests().join("../runtime/src").join(f)),
    );
    let mut written = BTreeSet::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let room = match file.file_stem().and_then(OsStr::to_str) {
            Some("scaling") => "scaling".into(),
            _ => file.parent().and_then(Path::file_name).expect("a room").to_string_lossy(),
        };
        let guarded = text.lines().filter_map(|line| line.strip_prefix("#ifdef IS_"));
        written.extend(guarded.map(|function| format!("{room} {function}")));
    }
    written
}

/// Says so past the capture of the test harness, which hides what passes; fails where the compiler
/// must be there.
fn skipped(why: &str) {
    use std::io::Write;
    assert!(std::env::var_os("GRADIRON_REQUIRE_NVRTC").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: compiling kernels: {why}");
}

#[test]
fn every_kernel_fits_into_registers() {
    let list = kernels();
    let mut table = String::from(
        "# Registers of a thread, bytes of shared memory of a block, and the kernel with its sizes.\n",
    );
    for arch in ARCHITECTURES {
        let reports = match list.compile(arch) {
            Ok(reports) => reports,
            Err(error @ CudaError::NoLibrary { .. }) => return skipped(&error.to_string()),
            Err(error) => panic!("{error}"),
        };
        if reports.iter().all(|report| report.registers == 0) {
            return skipped("the compiler is an emulator's, which knows no registers");
        }
        for report in reports {
            assert_eq!(report.spills, 0, "{arch} {}", report.name);
            let (registers, shared) = (report.registers, report.shared);
            assert!(registers > 0, "the compiler's log was not understood");
            let _ = writeln!(table, "{arch} {registers:3} {shared:5}  {}", report.name);
        }
    }

    let file = tests().join("cuda/kernels.txt");
    if std::env::var_os("GRADIRON_UPDATE").is_some() {
        std::fs::write(&file, &table).expect("the table can be written");
    }
    let golden = std::fs::read_to_string(&file).expect("tests/cuda/kernels.txt");
    for (new, old) in table.lines().zip(golden.lines()) {
        assert_eq!(new, old, "run again with GRADIRON_UPDATE=1 when this was meant");
    }
    assert_eq!(table.lines().count(), golden.lines().count());
}

#[test]
fn every_kernel_is_launched() {
    let launched = functions(&kernels());
    let missing: Vec<_> = written().difference(&launched).cloned().collect();
    assert!(
        missing.is_empty(),
        "kernels that neither a model nor a room's calls launch: {missing:?}"
    );
    let has_kernels =
        |room: &&&str| launched.iter().any(|name| name.starts_with(&format!("{room} ")));
    let without: Vec<_> = gradiron::ops::ROOMS.iter().filter(|room| !has_kernels(room)).collect();
    // Products are those of a library.
    assert_eq!(without, [&"matmul"], "rooms without kernels");
}

model! {
    struct Followed {
        with_relu: Linear(12 -> 16),
        with_bias: Linear(16 -> 8),
    }

    fn forward(&self, x: [batch, 12]) -> [batch, 8] {
        self.with_bias(self.with_relu(x).relu())
    }

    fn other(&self, x: [batch, 12]) -> [batch, 16] {
        self.with_relu(x).tanh()
    }
}

/// Products that are followed by a bias, or a bias and a ReLU, launch nothing beside them.
#[test]
fn a_bias_and_a_relu_are_parts_of_a_product() {
    let net = Followed::init(Seed(0));
    let x = [[0.5; 12]; 4];
    let list = DryRun::default();
    let mut ws = Followed::workspace_on(list.clone(), 4).expect("it is small");
    net.forward(&mut ws, &x).expect("nothing is computed");
    assert_eq!(list.names(), [""; 0]);
    net.other(&mut ws, &x).expect("nothing is computed");
    assert_eq!(list.names().len(), 1, "a bias and a tanh are a kernel behind the product");
}
