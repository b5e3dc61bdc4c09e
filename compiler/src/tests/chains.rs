//! Chains that are parts of the product before them.

use super::{expand, pretty, rendered};

/// The Rust of `fn f(&self, x: [batch, 8]) -> [batch, 4]` with a layer `fc`.
fn rust_of(body: &str) -> String {
    let text = format!(
        "struct M {{ fc: Linear(8 -> 4) }} fn f(&self, x: [batch, 8]) -> [batch, 4] {{ {body} }}"
    );
    let (diagnostics, rust) = expand(&text);
    assert!(diagnostics.is_empty(), "{}", rendered(&diagnostics));
    pretty(&rust)
}

#[test]
fn a_bias_and_a_relu_are_parts_of_a_product() {
    for (body, epilogue) in [("self.fc(x)", "Bias"), ("self.fc(x).relu()", "BiasRelu")] {
        let rust = rust_of(body);
        // Nothing passes over the result once more in the forward pass.
        let calls =
            ["matmul_map::<", "matmul_packed_map::<"].map(|call| rust.matches(call).count());
        assert_eq!(calls, [1, 1], "{rust}");
        assert!(rust.contains(&format!("Some(Epilogue::{epilogue})")), "{epilogue}: {rust}");
    }
}

#[test]
fn other_chains_are_no_epilogues() {
    for body in ["self.fc(x).tanh()", "self.fc(x).relu() + 1.0", "self.fc(x).relu().square()"] {
        let rust = rust_of(body);
        assert!(rust.contains("matmul_map::<") && !rust.contains("EPILOGUE"), "{body}: {rust}");
    }
}
