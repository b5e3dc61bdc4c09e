//! Operations on images with their gradients (`parity images`).

use std::collections::BTreeMap;

use gradiron::prelude::*;
use gradiron::view::flat;
use safetensors::SafeTensors;

model! {
    struct Plain { conv: ConvTranspose2d(4 -> 3, kernel = 3) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 3, 5, 7] { self.conv(x) }
}

model! {
    struct Double { conv: ConvTranspose2d(4 -> 3, kernel = 2, stride = 2, bias = false) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 3, 6, 10] { self.conv(x) }
}

model! {
    struct Various {
        conv: ConvTranspose2d(4 -> 6, kernel = (3, 2), stride = (2, 3), padding = (1, 0),
            output_padding = (1, 2), groups = 2),
    }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 6, 6, 16] { self.conv(x) }
}

model! {
    struct Dilated { conv: ConvTranspose2d(4 -> 2, kernel = 2, padding = 1, dilation = (2, 1)) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 2, 3, 4] { self.conv(x) }
}

model! {
    struct Nearest { up: Upsample((2, 3)) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 6, 15] { self.up(x) }
}

model! {
    struct Bilinear { up: Upsample(2, mode = bilinear) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 6, 10] { self.up(x) }
}

model! {
    struct BilinearOdd { up: Upsample((3, 4), mode = bilinear) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 9, 20] { self.up(x) }
}

model! {
    struct Corners { up: Upsample((2, 3), mode = bilinear, align_corners = true) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 6, 15] { self.up(x) }
}

model! {
    struct Global { pool: AdaptiveAvgPool2d(1) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 1, 1] { self.pool(x) }
}

model! {
    struct Adaptive { pool: AdaptiveAvgPool2d((3, 1)) }
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 3, 1] { self.pool(x) }
}

model! {
    struct Channels {}
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 12, 3, 5] { cat([x, x * x, x], 1) }
}

model! {
    struct Columns {}
    fn forward(&self, x: [batch, 4, 3, 5]) -> [batch, 4, 3, 10] { cat([x.exp(), x], dim = -1) }
}

type Goldens = BTreeMap<String, Vec<f32>>;

fn goldens() -> Goldens {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/images.safetensors");
    let bytes = std::fs::read(path).expect("the goldens are in the repository");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats = |bytes: &[u8]| {
        let (floats, _) = bytes.as_chunks();
        floats.iter().map(|float| f32::from_le_bytes(*float)).collect()
    };
    tensors.iter().map(|(name, view)| (name.to_string(), floats(view.data()))).collect()
}

/// The goldens are right to their last digit. We sum at most 64 terms, and no partial sum is larger
/// than the sum or twice the largest result.
fn close(what: &str, found: &[f32], golden: &[f32]) {
    assert_eq!(found.len(), golden.len(), "{what}");
    let largest = golden.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    for (i, (found, golden)) in found.iter().zip(golden).enumerate() {
        let tolerance = 64.0 / 16_777_216.0 * (golden.abs() + 2.0 * largest);
        let ok = (found - golden).abs() <= tolerance;
        assert!(ok, "{what}[{i}] is {found:e}, not {golden:e} ± {tolerance:e}");
    }
}

macro_rules! cases {
    ($goldens:ident, $($case:literal $model:ident)+) => {
        [$({
            let get = |role: &str| $goldens.get(&format!("{}.{role}", $case));
            let mut net = $model::init(Seed(0));
            if let Some(params) = get("params") {
                net.params_mut().copy_from_slice(params);
            }
            let mut ws = $model::workspace(2).expect("it is small");
            let x = gradiron::view::batch(get("input").expect("a golden"));
            let d_y = gradiron::view::batch(get("d_output").expect("a golden"));
            let (y, d_x) = net.forward_grad_inputs(&mut ws, x, d_y).expect("inputs fit");
            close(concat!($case, " output"), flat(y), get("output").expect("a golden"));
            close(concat!($case, " gradient"), flat(d_x), get("d_input").expect("a golden"));
            if let Some(d_params) = get("d_params") {
                close(concat!($case, " parameters"), ws.grads().as_slice(), d_params);
            }
            $case
        }),+]
    };
}

#[test]
fn every_case() {
    let goldens = goldens();
    let all = cases!(goldens,
        "conv_transpose2d" Plain
        "conv_transpose2d_double" Double
        "conv_transpose2d_options" Various
        "conv_transpose2d_dilated" Dilated
        "nearest" Nearest
        "bilinear" Bilinear
        "bilinear_odd" BilinearOdd
        "bilinear_corners" Corners
        "global_average" Global
        "adaptive_average" Adaptive
        "cat_1" Channels
        "cat_3" Columns
    );
    for case in goldens.keys().filter_map(|name| name.strip_suffix(".input")) {
        assert!(all.contains(&case), "the golden {case} has no test");
    }
}
