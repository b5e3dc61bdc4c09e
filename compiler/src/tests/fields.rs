//! What is written above the fields of a struct.

use super::{expand, pretty, rendered};

/// Docs are those of the methods that show parameters; attributes that mean something are not docs.
#[test]
fn docs_on_fields_are_those_of_their_methods() {
    let text = "
        struct Net {
            /// Sees edges,
            /// and nothing else.
            #[name = \"features.0\"]
            conv: Conv2d(1 -> 6, kernel = 5),
            /// One number for each channel.
            scale: Param([6, 1, 1], init = ones),
            bn: BatchNorm2d(6),
        }
        fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 6, 24, 24] {
            self.bn(self.conv(image) * self.scale)
        }";
    let (diagnostics, rust) = expand(text);
    assert_eq!(rendered(&diagnostics), "");
    let rust = pretty(&rust);
    let above = |method: &str| {
        let lines: Vec<&str> = rust.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.starts_with(&format!("pub fn {method}(")));
        let at = at.unwrap_or_else(|| panic!("no method `{method}` in\n{rust}"));
        let docs = lines[..at].iter().rev().take_while(|line| line.starts_with("///"));
        let mut docs: Vec<_> = docs.map(|line| line.trim_start_matches("///").trim()).collect();
        docs.reverse();
        docs.join("\n")
    };
    assert_eq!(
        above("conv"),
        "Sees edges,\nand nothing else.\n\nThe parameters of the layer `conv`."
    );
    assert_eq!(
        above("scale"),
        "One number for each channel.\n\nThe parameter `scale`, `[6, 1, 1]`."
    );
    assert_eq!(above("bn"), "The parameters of the layer `bn`.");
}
