//! Memory that is not there: an error wherever one is promised, whichever allocation fails; and
//! what files may cost at most.

mod fuzz;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use gradiron::data::{DataError, cifar10, idx, mnist};
use gradiron::device::{Cpu, DeviceError, MOST_THREADS, Threads};
use gradiron::io::LoadError;
use gradiron::prelude::*;
use gradiron::workspace::{InputError, WorkspaceError};

/// From this many bytes on an allocation may fail in a test, and is to give an error.
const LARGE: usize = 16 << 10;

struct Counting;

thread_local! {
    /// How many large allocations succeed before one fails.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

impl Counting {
    fn fails(size: usize) -> bool {
        size >= LARGE
            && LEFT.with(|left| {
                let now = left.get();
                left.set(if now == usize::MAX { now } else { now.wrapping_sub(1) });
                now == 0
            })
    }

    fn count(size: isize) {
        let now = NOW.with(|now| now.replace(now.get() + size) + size);
        PEAK.with(|peak| peak.set(peak.get().max(now)));
    }
}

// SAFETY: the system's allocator, or nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::fails(layout.size()) {
            return std::ptr::null_mut();
        }
        Self::count(layout.size() as isize);
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::fails(layout.size()) {
            return std::ptr::null_mut();
        }
        Self::count(layout.size() as isize);
        // SAFETY: what the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as isize));
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if Self::fails(size) {
            return std::ptr::null_mut();
        }
        Self::count(size as isize - layout.size() as isize);
        // SAFETY: what the caller promises.
        unsafe { System.realloc(start, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls `f` with each of its large allocations failing in turn; how many these are.
fn each_fails<T, E: std::fmt::Display>(
    f: impl Fn() -> Result<T, E>,
    is_right: fn(&E) -> bool,
) -> usize {
    for left in 0.. {
        LEFT.set(left);
        let outcome = f();
        let failed = LEFT.replace(usize::MAX) > left;
        match outcome {
            Ok(_) => {
                assert!(!failed, "allocation {left} failed, and nobody said so");
                return left;
            }
            Err(error) => {
                assert!(failed && is_right(&error), "{error}");
            }
        }
    }
    unreachable!()
}

/// The most bytes that `f` has more than before.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let made = f();
    (made, (PEAK.get() - before) as usize)
}

model! {
    struct Net {
        embedding: Embedding(50 -> 32),
        lstm: LSTM(32 -> 64),
        fc: Linear(64 -> 50),
    }

    #[step(64)]
    fn forward(&self, token: Classes[batch, 64]) -> [batch, 64, 50] {
        let (y, _h, _c) = self.lstm(self.embedding(token));
        self.fc(y)
    }

    fn loss(&self, token: Classes[batch, 64], next: Classes[batch, 64]) -> [] {
        let (y, _h, _c) = self.lstm(self.embedding(token));
        cross_entropy(self.fc(y).permute([0, 2, 1]), next)
    }
}

model! {
    struct Wide {
        fc: Linear(512 -> 512),
    }

    fn forward(&self, x: [batch, 512]) -> [batch, 512] {
        self.fc(x)
    }
}

fn cpu() -> Cpu {
    Cpu::with_threads(1)
}

#[test]
fn a_workspace_without_memory_is_an_error() {
    let is_right = |error: &WorkspaceError| {
        let error = error.to_string();
        error.contains("has no room for") && error.contains("bytes; use a smaller batch capacity")
    };
    // The arena, the gradients, and the class indices, of which a batch of 64 has 32 KiB.
    let cpu = cpu();
    assert_eq!(each_fails(|| Net::workspace_on(cpu.clone(), 64), is_right), 3);
    assert_eq!(each_fails(|| Net::infer_workspace_on(cpu.clone(), 128), is_right), 2);
    let ws = Net::workspace_on(cpu, 64).unwrap();
    assert_eq!(each_fails(|| Net::forward_cache(&ws, 64), is_right), 1);
}

#[test]
fn a_check_of_steps_without_memory_is_an_error() {
    let net = Net::init(Seed(1));
    let is_right = |error: &WorkspaceError| error.to_string().contains("has no room for");
    // The first device of a process makes what products borrow, and does with less.
    let cpu = cpu();
    let made = each_fails(
        || {
            let mut ws = Net::workspace_on(cpu.clone(), 64)?;
            net.forward_step_check(&mut ws, Seed(1))
        },
        is_right,
    );
    assert!(made > 5, "{made}");
}

#[test]
fn preparation_without_memory_is_an_error_and_can_be_tried_again() {
    let net = Wide::init(Seed(1));
    let x = vec![[1.0; 512]; 4];
    let infer = |net: &Wide| {
        let mut ws = Wide::infer_workspace_on(cpu(), 4).map_err(|error| error.to_string())?;
        let y = net.forward(&mut ws, &x).map_err(|error| error.to_string())?;
        Ok::<_, String>(y.to_vec())
    };
    let expected = infer(&net).unwrap();
    let failing = net.clone();
    // What was prepared before is not copied with a network.
    let mut ws = Wide::infer_workspace_on(cpu(), 4).unwrap();
    LEFT.set(0);
    let outcome = failing.forward(&mut ws, &x).map(<[_]>::to_vec);
    let failed = LEFT.replace(usize::MAX) != 0;
    if Wide::footprint(1, Target::Host).prepared >= LARGE {
        assert!(failed);
        assert!(matches!(outcome, Err(InputError::Device(DeviceError::OutOfMemory { .. }))));
    }
    assert_eq!(infer(&failing).unwrap(), expected);
}

#[test]
fn state_of_optimizers_without_memory_is_an_error() {
    let net = Wide::init(Seed(1));
    let fails = |buffers: usize,
                 make: &dyn Fn() -> Result<(), gradiron::optim::HyperParamError>| {
        let made = each_fails(make, |error| {
            let bytes = 4 * (512 * 512 + 512);
            let says =
                format!("expected memory for a buffer of {bytes} bytes, as many as the parameters");
            error.name == "state" && error.to_string().contains(&says)
        });
        assert_eq!(made, buffers);
    };
    fails(0, &|| Sgd::new(&net, 0.1).map(drop));
    fails(1, &|| Sgd::new(&net, 0.1)?.momentum(0.9).map(drop));
    fails(2, &|| Adam::new(&net, 0.1).map(drop));
    fails(2, &|| AdamW::new(&net, 0.1).map(drop));
    fails(1, &|| RMSprop::new(&net, 0.1).map(drop));
    fails(2, &|| RMSprop::new(&net, 0.1)?.momentum(0.9).map(drop));
    // Where no error is promised, a panic says the same.
    let panics = |f: &dyn Fn()| {
        LEFT.set(0);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        LEFT.set(usize::MAX);
        let text = *unwound.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("expected memory for a buffer of"), "{text}");
    };
    let (adam, rmsprop) = (Adam::new(&net, 0.1).unwrap(), RMSprop::new(&net, 0.1).unwrap());
    let (adam, rmsprop) = (Cell::new(Some(adam)), Cell::new(Some(rmsprop)));
    panics(&|| drop(adam.take().map(|adam| adam.amsgrad(true))));
    panics(&|| drop(rmsprop.take().map(|rmsprop| rmsprop.centered(true))));
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
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_without_memory_are_an_error() {
    let folder = Folder::new("memory-load");
    let path = folder.0.join("net.safetensors");
    let (saved, mut net) = (Wide::init(Seed(1)), Wide::init(Seed(2)));
    saved.save(&path).unwrap();
    let before = net.params().to_vec();
    let net = std::cell::RefCell::new(&mut net);
    let load = || {
        let loaded = net.borrow_mut().load(&path);
        let now = if loaded.is_ok() { saved.params() } else { &before };
        assert!(net.borrow().params() == now, "half a file was loaded");
        loaded
    };
    // The bytes of a piece, and the weight.
    assert_eq!(each_fails(load, |error| matches!(error, LoadError::Read { .. })), 2);

    // Sets: two images of CIFAR-10, and forty of MNIST with as many labels.
    let record = vec![0; 3073 * 2];
    for name in (1..=5).map(|n| format!("data_batch_{n}.bin")).chain(["test_batch.bin".into()]) {
        folder.file(&name, &record);
    }
    let memory = |error: &DataError| {
        let text = error.to_string();
        text.contains("expected memory for 2 samples of 12288 bytes") && text.contains("data_batch")
            || text.contains("test_batch")
    };
    assert!(each_fails(|| cifar10::load(&folder.0), memory) >= 6);
    let images =
        [&[0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 28, 0, 0, 0, 28][..], &[0; 40 * 784]].concat();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 40][..], &[0; 40]].concat();
    for part in ["train", "t10k"] {
        folder.file(&format!("{part}-images-idx3-ubyte"), &images);
        folder.file(&format!("{part}-labels-idx1-ubyte"), &labels);
    }
    let made = each_fails(
        || mnist::load(&folder.0),
        |error| matches!(error, DataError::Memory { .. } | DataError::Io { .. }),
    );
    assert!(made >= 4, "{made}");
}

#[test]
fn what_a_file_costs_follows_from_the_model() {
    let folder = Folder::new("memory-hostile");
    let header = |entries: &str| {
        let header = format!("{{{entries}}}");
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
    };
    let entry =
        |name: &str| format!(r#""{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    let longest = 4_000_000;
    let many: Vec<_> = (0..longest / 60).map(|i| entry(&i.to_string())).collect();
    let files = [
        // Many tensors, one name, notes, a shape: of as many bytes as are read.
        header(&many.join(",")),
        header(&entry(&"n".repeat(longest))),
        header(&format!(r#""__metadata__":{{"a":"{}"}}"#, "n".repeat(longest))),
        header(&entry("fc").replace("[0]", &format!("[{}1]", "1,".repeat(longest / 2 - 50)))),
        header(&format!(r#""fc":{{"dtype":{}1"#, "[".repeat(longest))),
        // What a parser quotes: a text in place of a type, of a list, and of an object.
        header(&entry("fc").replace("F32", &"é".repeat(longest / 2))),
        header(&entry("fc").replace("[0]", &format!("\"{}\"", "n".repeat(longest)))),
        header(&format!(r#""fc":"{}""#, "n".repeat(longest))),
        header(&format!(r#""fc":{{"{}":1}}"#, "n".repeat(longest))),
        // And of more.
        [&95_000_000u64.to_le_bytes()[..], &vec![b' '; 95_000_000]].concat(),
    ];
    let mut net = Wide::init(Seed(1));
    for (i, bytes) in files.into_iter().enumerate() {
        let path = folder.file("net", &bytes);
        drop(bytes);
        let (error, cost) = peak(|| net.load(&path).unwrap_err());
        let text = error.to_string();
        println!("file {i}: {cost} bytes");
        assert!(cost < 16 * (4 << 20), "file {i}: {cost} bytes");
        assert!(text.len() < 5000, "file {i}: {} bytes of text", text.len());
    }
    // A model of a megabyte, once more, and a piece of the file.
    net.save(folder.0.join("net")).unwrap();
    let (loaded, cost) = peak(|| net.load(folder.0.join("net")));
    loaded.unwrap();
    assert!(cost < 4 * Wide::PARAMS + (96 << 10), "{cost} bytes");
}

#[test]
fn what_a_data_set_costs_follows_from_its_file() {
    // A header that claims a gigabyte, plain and in compressed data.
    for (name, bytes) in [
        ("plain", &[0, 0, 8, 1, 64, 0, 0, 0, 1, 2, 3][..]),
        // The header, compressed.
        (
            "a.gz",
            &[
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 224, 96, 116, 96, 96, 96, 0, 0, 137, 44,
                5, 47, 8, 0, 0, 0,
            ],
        ),
    ] {
        let (read, cost) = peak(|| idx::read_bytes::<1>(name, bytes));
        let error = read.unwrap_err().to_string();
        assert!(error.contains("1073741824"), "{error}");
        assert!(cost < 200_000, "{name}: {cost} bytes");
    }
}

/// Compressed images of another size are seen by their header, before they are unpacked.
#[test]
fn images_of_another_size_are_not_unpacked() {
    let folder = Folder::new("memory-mnist");
    folder.file("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 7]);
    for (side, says) in [(32_768_u32, "gzip -d"), (4096, "expected images of 28 x 28 pixels")] {
        let [a, b, c, d] = side.to_be_bytes();
        let header = [0, 0, 8, 3, 0, 0, 0, 1, a, b, c, d, a, b, c, d];
        let packed = fuzz::gzip(&[&header[..], &vec![0; 16 << 20]].concat());
        folder.file("train-images-idx3-ubyte.gz", &packed);
        drop(packed);
        let (read, cost) = peak(|| mnist::load(&folder.0));
        let error = read.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        // What unpacks, and a piece of the file.
        assert!(cost < 200_000, "{cost} bytes");
    }
}

#[test]
fn a_team_has_1024_threads_at_most() {
    assert_eq!(MOST_THREADS, 1024);
    for count in [17_000, usize::MAX] {
        let threads = Threads::new(count);
        assert!((1..=MOST_THREADS).contains(&threads.count()));
    }
    assert_eq!(Threads::new(0).count(), 1);
}

/// A process of little memory, as `ulimit` sets it.
#[cfg(target_os = "linux")]
#[test]
fn a_workspace_beyond_the_memory_of_the_process_is_an_error() {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "allocates_much", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = shell.env("GRADIRON_TEST_ALLOCATES", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("error: the CPU has no room for"), "{text}");
}

#[test]
#[ignore = "a process that another test starts"]
fn allocates_much() {
    if std::env::var_os("GRADIRON_TEST_ALLOCATES").is_some() {
        // Two gigabytes and more.
        println!("error: {}", Net::workspace_on(cpu(), 1 << 16).unwrap_err());
    }
}
