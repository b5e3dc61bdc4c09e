//! Readers of files on any bytes: no panic, no hang, no more memory than the model and the length
//! allow, and a model that does not load is as it was. The first byte says which reader.
#![no_main]

use std::cell::RefCell;

use gradiron::data::{cifar10, idx};
use gradiron::io::load_bytes;
use gradiron::prelude::*;
use libfuzzer_sys::fuzz_target;

model! {
    /// Parameters, state, a count, and a weight under two names.
    struct Small {
        embedding: Embedding(5 -> 3),
        bn: BatchNorm1d(3),
        fc: Linear(3 -> 5, tied = self.embedding),
    }

    fn forward(&self, token: Classes[batch]) -> [batch, 5] {
        self.fc(self.bn(self.embedding(token)))
    }
}

thread_local! {
    static NET: RefCell<Small> = RefCell::new(Small::init(Seed(1)));
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((reader, bytes)) = data.split_first() else { return };
    match reader % 4 {
        0 => NET.with_borrow_mut(|net| {
            let before = (bits(net.params()), bits(net.state()));
            let except: &[&str] = [&[][..], &["bn"]][usize::from(reader / 4 % 2)];
            if load_bytes(net, bytes, except).is_err() {
                assert_eq!((bits(net.params()), bits(net.state())), before);
            }
        }),
        1 | 2 => {
            let name = ["images", "images.gz"][usize::from(reader % 4 - 1)];
            if let Ok(read) = idx::read_bytes::<3>(name, bytes) {
                assert_eq!(read.bytes.len(), read.dims.iter().product::<usize>());
            }
        }
        _ => {
            if let Ok(read) = cifar10::read_bytes(bytes) {
                assert_eq!(read.len() * 3073, bytes.len());
            }
        }
    }
});
