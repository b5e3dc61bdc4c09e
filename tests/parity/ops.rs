//! Losses and activations on operands where definitions change (`parity ops`).

use std::collections::BTreeMap;

use gradiron::prelude::*;
use safetensors::SafeTensors;

type Matrix = [[f32; 6]; 4];

model! {
    fn over_classes(x: [4, 6], t: Classes[4]) -> [] { cross_entropy(x, t) }
    fn smoothed(x: [4, 6], t: Classes[4]) -> [] { cross_entropy(x, t, label_smoothing = 0.1) }
    fn nll(x: [4, 6], t: Classes[4]) -> [] { nll_loss(x, t) }
}

model! {
    fn mse(x: [4, 6], t: [4, 6]) -> [] { mse_loss(x, t) }
    fn l1(x: [4, 6], t: [4, 6]) -> [] { l1_loss(x, t) }
    fn smooth_1(x: [4, 6], t: [4, 6]) -> [] { smooth_l1_loss(x, t, beta = 1.0) }
    fn smooth_05(x: [4, 6], t: [4, 6]) -> [] { smooth_l1_loss(x, t, beta = 0.5) }
    fn huber_1(x: [4, 6], t: [4, 6]) -> [] { huber_loss(x, t) }
    fn huber_07(x: [4, 6], t: [4, 6]) -> [] { huber_loss(x, t, delta = 0.7) }
    fn bce(x: [4, 6], t: [4, 6]) -> [] { binary_cross_entropy(x, t) }
    fn bce_logits(x: [4, 6], t: [4, 6]) -> [] { binary_cross_entropy_with_logits(x, t) }
    fn kl_mean(x: [4, 6], t: [4, 6]) -> [] { kl_div(x, t) }
    fn kl_batchmean(x: [4, 6], t: [4, 6]) -> [] { kl_div(x, t, reduction = batchmean) }
}

model! {
    fn relu_0(x: [4, 6]) -> [4, 6] { x.relu() }
    fn leaky_001(x: [4, 6]) -> [4, 6] { x.leaky_relu() }
    fn leaky_02(x: [4, 6]) -> [4, 6] { x.leaky_relu(negative_slope = 0.2) }
    fn elu_1(x: [4, 6]) -> [4, 6] { x.elu() }
    fn elu_05(x: [4, 6]) -> [4, 6] { x.elu(alpha = 0.5) }
    fn gelu_exact(x: [4, 6]) -> [4, 6] { x.gelu() }
    fn gelu_approx(x: [4, 6]) -> [4, 6] { x.gelu_tanh() }
    fn silu_0(x: [4, 6]) -> [4, 6] { x.silu() }
    fn sigmoid_0(x: [4, 6]) -> [4, 6] { x.sigmoid() }
    fn tanh_0(x: [4, 6]) -> [4, 6] { x.tanh() }
    fn softplus_1(x: [4, 6]) -> [4, 6] { x.softplus() }
    fn softplus_2(x: [4, 6]) -> [4, 6] { x.softplus(beta = 2.0) }
    fn clamp_1(x: [4, 6]) -> [4, 6] { x.clamp(-1.0, 1.0) }
    fn abs_0(x: [4, 6]) -> [4, 6] { x.abs() }
    fn pow_2(x: [4, 6]) -> [4, 6] { x.powf(2.0) }
    fn pow_3(x: [4, 6]) -> [4, 6] { x.powf(3.0) }
    fn pow_half(x: [4, 6]) -> [4, 6] { x.powf(0.5) }
    fn pow_inverse(x: [4, 6]) -> [4, 6] { x.powf(-1.0) }
    fn powi_2(x: [4, 6]) -> [4, 6] { x.powi(2) }
    fn powi_3(x: [4, 6]) -> [4, 6] { x.powi(3) }
    fn powi_inverse(x: [4, 6]) -> [4, 6] { x.powi(-1) }
    fn square_0(x: [4, 6]) -> [4, 6] { x.square() }
    fn sqrt_0(x: [4, 6]) -> [4, 6] { x.sqrt() }
    fn softmax_1(x: [4, 6]) -> [4, 6] { x.softmax(dim = 1) }
    fn log_softmax_1(x: [4, 6]) -> [4, 6] { x.log_softmax(dim = 1) }
}

model! {
    fn larger(x: [4, 6], y: [4, 6]) -> [4, 6] { x.maximum(y) }
    fn smaller(x: [4, 6], y: [4, 6]) -> [4, 6] { x.minimum(y) }
}

/// The tensors of the golden file.
struct Goldens(BTreeMap<String, Vec<f32>>);

impl Goldens {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/ops.safetensors");
        let bytes = std::fs::read(path).expect("the goldens are in the repository");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let floats = |bytes: &[u8]| {
            let (floats, _) = bytes.as_chunks();
            floats.iter().map(|float| f32::from_le_bytes(*float)).collect()
        };
        Self(tensors.iter().map(|(name, view)| (name.to_string(), floats(view.data()))).collect())
    }

    fn get(&self, case: &str, role: &str) -> &[f32] {
        let name = format!("{case}.{role}");
        self.0.get(&name).unwrap_or_else(|| panic!("no golden {name}"))
    }

    fn matrix(&self, case: &str, role: &str) -> Matrix {
        let floats = self.get(case, role);
        std::array::from_fn(|i| std::array::from_fn(|j| floats[6 * i + j]))
    }

    fn cases(&self) -> Vec<&str> {
        self.0.keys().filter_map(|name| name.strip_suffix(".input")).collect()
    }
}

/// The goldens are right to their last digit. We compute with at most 16 roundings of half a unit
/// in the last place (functions of 3 units count as 6) of numbers that are no larger than the
/// result, or than `size`, the operand's share: 16 · 2⁻²⁴ of their sum.
fn close(what: &str, found: &[f32], golden: &[f32], size: impl Fn(usize) -> f32) {
    assert_eq!(found.len(), golden.len(), "{what}");
    for (i, (found, golden)) in found.iter().zip(golden).enumerate() {
        let tolerance = 16.0 / 16_777_216.0 * (golden.abs() + size(i));
        let ok = (found - golden).abs() <= tolerance;
        assert!(ok, "{what}[{i}] is {found:e}, not {golden:e} ± {tolerance:e}");
    }
}

/// The gradient of the first operand.
trait First {
    fn first(&self) -> &[f32];
}

impl First for &Matrix {
    fn first(&self) -> &[f32] {
        self.as_flattened()
    }
}

impl First for (&Matrix, &Matrix) {
    fn first(&self) -> &[f32] {
        self.0.as_flattened()
    }
}

macro_rules! losses {
    ($goldens:ident, $ws:expr, $target:expr, $share:expr, $($case:literal [$f:ident $grad:ident])+) => {
        [$({
            let x = $goldens.matrix($case, "input");
            let target = $target($case);
            let mut ws = $ws.expect("it is small");
            let value = $f(&mut ws, &x, &target).expect("inputs fit");
            let (trained, gradients) = $grad(&mut ws, &x, &target).expect("inputs fit");
            assert_eq!(value.to_bits(), trained.to_bits(), $case);
            let x = x.as_flattened();
            // A mean of terms that are as large as their operands.
            let mean = x.iter().map(|x| x.abs()).sum::<f32>() / 24.0;
            close($case, &[value], $goldens.get($case, "output"), |_| mean);
            let share = |i: usize| (1.0 + x[i].abs()) / $share;
            close($case, gradients.first(), $goldens.get($case, "d_input"), share);
            $case
        }),+]
    };
}

macro_rules! activations {
    ($goldens:ident, $at_zero:literal, $($case:literal [$f:ident $grad:ident])+) => {
        [$({
            let (x, d) = ($goldens.matrix($case, "input"), $goldens.matrix($case, "d_output"));
            let mut ws = relu_0_workspace().expect("it is small");
            let value = *$f(&mut ws, &x).expect("inputs fit");
            let (trained, d_x) = $grad(&mut ws, &x, &d).expect("inputs fit");
            assert_eq!(&value, trained, $case);
            let (x, d) = (x.as_flattened(), d.as_flattened());
            let own = |i: usize| $at_zero + x[i].abs();
            close($case, value.as_flattened(), $goldens.get($case, "output"), own);
            let share = |i: usize| d[i].abs() * (1.0 + x[i].abs());
            close($case, d_x.as_flattened(), $goldens.get($case, "d_input"), share);
            $case
        }),+]
    };
}

macro_rules! pairs {
    ($goldens:ident, $($case:literal [$f:ident $grad:ident])+) => {
        [$({
            let [x, y, d] =
                ["input", "other", "d_output"].map(|role| $goldens.matrix($case, role));
            let mut ws = larger_workspace().expect("it is small");
            let (value, (d_x, d_y)) = $grad(&mut ws, &x, &y, &d).expect("inputs fit");
            // Nothing is rounded: halves are exact.
            assert_eq!(value.as_flattened(), $goldens.get($case, "output"), $case);
            assert_eq!(d_x.as_flattened(), $goldens.get($case, "d_input"), $case);
            assert_eq!(d_y.as_flattened(), $goldens.get($case, "d_other"), $case);
            let value = *value;
            assert_eq!(&value, $f(&mut ws, &x, &y).expect("inputs fit"), $case);
            $case
        }),+]
    };
}

#[test]
fn every_case() {
    let goldens = Goldens::read();
    let classes = |case: &str| -> [u8; 4] {
        let floats = goldens.get(case, "target");
        std::array::from_fn(|i| floats[i] as u8)
    };
    let of_classes = losses!(goldens, over_classes_workspace(), classes, 4.0,
        "cross_entropy" [over_classes over_classes_grad]
        "cross_entropy_smoothing_0.1" [smoothed smoothed_grad]
        "nll_loss" [nll nll_grad]
    );
    let matrix = |case: &str| goldens.matrix(case, "target");
    let of_values = losses!(goldens, mse_workspace(), matrix, 24.0,
        "mse_loss" [mse mse_grad]
        "l1_loss" [l1 l1_grad]
        "smooth_l1_loss_1" [smooth_1 smooth_1_grad]
        "smooth_l1_loss_0.5" [smooth_05 smooth_05_grad]
        "huber_loss_1" [huber_1 huber_1_grad]
        "huber_loss_0.7" [huber_07 huber_07_grad]
        "binary_cross_entropy" [bce bce_grad]
        "binary_cross_entropy_soft" [bce bce_grad]
        "binary_cross_entropy_extreme" [bce bce_grad]
        "binary_cross_entropy_with_logits" [bce_logits bce_logits_grad]
        "binary_cross_entropy_with_logits_soft" [bce_logits bce_logits_grad]
        "kl_div_mean" [kl_mean kl_mean_grad]
        "kl_div_batchmean" [kl_batchmean kl_batchmean_grad]
    );
    let zero_at_zero = activations!(goldens, 0.0,
        "relu" [relu_0 relu_0_grad]
        "leaky_relu_0.01" [leaky_001 leaky_001_grad]
        "leaky_relu_0.2" [leaky_02 leaky_02_grad]
        "elu_1" [elu_1 elu_1_grad]
        "elu_0.5" [elu_05 elu_05_grad]
        "gelu" [gelu_exact gelu_exact_grad]
        "gelu_tanh" [gelu_approx gelu_approx_grad]
        "silu" [silu_0 silu_0_grad]
        "tanh" [tanh_0 tanh_0_grad]
        "clamp_-1_1" [clamp_1 clamp_1_grad]
        "abs" [abs_0 abs_0_grad]
        "pow_2" [pow_2 pow_2_grad]
        "pow_2" [powi_2 powi_2_grad]
        "pow_2" [square_0 square_0_grad]
        "pow_3" [pow_3 pow_3_grad]
        "pow_3" [powi_3 powi_3_grad]
        "pow_0.5" [pow_half pow_half_grad]
        "pow_0.5" [sqrt_0 sqrt_0_grad]
        "pow_-1" [pow_inverse pow_inverse_grad]
        "pow_-1" [powi_inverse powi_inverse_grad]
    );
    let others = activations!(goldens, 1.0,
        "sigmoid" [sigmoid_0 sigmoid_0_grad]
        "softplus_1_20" [softplus_1 softplus_1_grad]
        "softplus_2_20" [softplus_2 softplus_2_grad]
        "softmax" [softmax_1 softmax_1_grad]
        "log_softmax" [log_softmax_1 log_softmax_1_grad]
    );
    let pairs = pairs!(goldens,
        "maximum" [larger larger_grad]
        "minimum" [smaller smaller_grad]
    );
    let all = [&of_classes[..], &of_values, &zero_at_zero, &others, &pairs].concat();
    for case in goldens.cases() {
        assert!(all.contains(&case), "the golden {case} has no test");
    }
}
