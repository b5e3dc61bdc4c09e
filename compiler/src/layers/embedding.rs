//! `Embedding`.

use quote::quote;

use super::param::param_init;
use super::usage::Use;
use super::{Build, Layer};
use crate::diagnostics::Diagnostic;
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::embedding::Embedding;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Sizes};

pub(super) const EMBEDDING: Layer = Layer {
    input: Input::Classes,
    sizes: Some(Sizes { written: "V -> D", sample: "SIZE -> SIZE" }),
    options: &[
        OptionRow::new(
            "padding_idx",
            Domain::Other("a row that has no gradient and starts at 0"),
            "P",
        )
        .or("none"),
        OptionRow::new("init", Domain::Other("what `Param` takes"), "INIT")
            .or("`normal(0.0, 1.0)`"),
    ],
    type_params: Some("V, D"),
    params: "`weight [V, D]`",
    shapes: "`index Classes[batch, ..]` → `y [batch, .., D]`",
    formula: "y = weight[index]",
    source: "torch.nn.Embedding",
    example: Example::layer(
        "Embedding(1000 -> 64)",
        "x: Classes[batch, 10]) -> [batch, 10, 64] { self.layer(x) }",
    ),
    ..Layer::new("Embedding", Build::One(embedding))
};

/// Row `index` of the table for each index: `index Classes[..]  w [V, D]  →  y [.., D]`
fn embedding(l: &mut Use) -> Lowering<ValueId> {
    let (count, dim) = match l.options.sizes() {
        Ok((Some(count), dim)) => (count, dim),
        Ok((None, dim)) => {
            let text = "`Embedding` needs the number of its rows and their size";
            let help = format!("write `Embedding(1000 -> {})`", crate::lower::text_of(&dim));
            let error = Diagnostic::over(&dim, text).help(help);
            return Err(l.cx.model.report(error));
        }
        Err(error) => return Err(l.cx.model.report(error)),
    };
    let (count, dim) = (l.dim(&count)?, l.dim(&dim)?);
    let padding = match l.options.take_named("padding_idx") {
        Some(expr) => Some(l.cx.index(&expr, &count)?),
        None => None,
    };
    let init = match (l.options.take_named("init"), &padding) {
        (Some(init), None) => param_init(l.cx, Some(&init))?,
        (Some(init), Some(_)) => {
            let text = "`padding_idx` starts its row at zero: there is no other `init` with it";
            return Err(l.cx.model.report(Diagnostic::over(&init, text)));
        }
        (None, Some(row)) => {
            let (row, dim) = (row.tokens(), dim.tokens());
            quote!(__private::Init::PaddedNormal { row: #row, len: #dim })
        }
        (None, None) => quote!(__private::Init::Normal { mean: 0.0, std: 1.0 }),
    };
    let w = l.param("weight", vec![count, dim], init);
    l.op(Embedding { padding }, &[l.x, w])
}
