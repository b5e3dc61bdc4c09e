//! What NVIDIA's compiler makes of every kernel: registers, shared memory, and no spills. Needs the
//! library NVRTC, and no GPU; where it is not found the test says so, and with `GRADIRON_REQUIRE_NVRTC`
//! fails. `GRADIRON_UPDATE` writes the table anew.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use gradiron::device::{Buf, CudaError, KernelList, Region};
use gradiron::ops::convert::Convert;
use gradiron::prelude::*;

use crate::assortment::{Convolutions, Large, Planes, Sequences};
use crate::models::{Gpt, LeNet, Residual, Tagger};

const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];
const BATCH: usize = 64;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The kernels of models, and of optimizers.
fn kernels() -> KernelList {
    let list = KernelList::default();
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
    list
}

fn optimizers(list: &KernelList) {
    let mut net = LeNet::init(Seed(0));
    let ws = LeNet::workspace_on(list.clone(), BATCH).expect("it is small");
    let mut step = |optimizer: &mut dyn Optimizer<LeNet>| optimizer.step(&mut net, ws.grads());
    let net = LeNet::init(Seed(0));
    let mut each = || -> Result<(), gradiron::optim::HyperParamError> {
        step(&mut Sgd::new(&net, 0.1)?.decay_only(|param| param.shape.len() >= 2));
        step(&mut Sgd::new(&net, 0.1)?.momentum(0.9)?.clip_norm(1.0)?);
        step(&mut Adam::new(&net, 0.1)?);
        step(&mut Adam::new(&net, 0.1)?.amsgrad(true));
        step(&mut RMSprop::new(&net, 0.1)?);
        step(&mut RMSprop::new(&net, 0.1)?.momentum(0.9)?);
        step(&mut RMSprop::new(&net, 0.1)?.centered(true));
        step(&mut RMSprop::new(&net, 0.1)?.centered(true).momentum(0.9)?);
        Ok(())
    };
    each().expect("sound hyper-parameters");
}

/// `room function` of all kernels in the sources.
fn written() -> BTreeSet<String> {
    let ops = root().join("runtime/src/ops");
    let rooms = std::fs::read_dir(ops).expect("the rooms").map(|room| room.expect("a room").path());
    let texts = ["kernels.cu", "mma.cu", "direct.cu"];
    let mut files: Vec<PathBuf> =
        rooms.flat_map(|room| texts.map(|file| room.join(file))).collect();
    files.extend(
        ["optim/kernels.cu", "device/cuda/scaling.cu"].map(|f| root().join("runtime/src").join(f)),
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

/// Says so past the capture of the test harness, which hides what passes; fails where the compiler must
/// be there.
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
    let mut compiled = BTreeSet::new();
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
            compiled.insert(report.name.split(' ').take(2).collect::<Vec<_>>().join(" "));
        }
    }
    let missing: Vec<_> = written().difference(&compiled).cloned().collect();
    assert!(missing.is_empty(), "kernels of no model: {missing:?}");

    let file = root().join("tests/cuda/kernels.txt");
    if std::env::var_os("GRADIRON_UPDATE").is_some() {
        std::fs::write(&file, &table).expect("the table can be written");
    }
    let golden = std::fs::read_to_string(&file).expect("tests/cuda/kernels.txt");
    for (new, old) in table.lines().zip(golden.lines()) {
        assert_eq!(new, old, "run again with GRADIRON_UPDATE=1 when this was meant");
    }
    assert_eq!(table.lines().count(), golden.lines().count());
}
