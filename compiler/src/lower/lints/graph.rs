//! Lints that graphs show, each a pattern of one or two nodes.

use super::super::FnCx;
use super::{Place, Seen};
use crate::declared::Param;
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::{Dest, Graph, Node, Op, Source, Ty, ValueId, is_loss};
use crate::layers;
use crate::ops::batch_norm::BatchNorm;
use crate::ops::elementwise::{Constant, Elementwise, Func};
use crate::ops::loss::CrossEntropy;
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::softmax::Softmax;
use crate::syntax::{FieldDecl, LayerDecl, ModelItem, Written};
use crate::vocabulary::lint::{
    BIAS_BEFORE_BATCH_NORM, COLUMN_AGAINST_ROW, LINEAR_AFTER_LINEAR, LOG_OF_SOFTMAX, Lint,
    SIGMOID_BEFORE_LOGITS, SOFTMAX_BEFORE_CROSS_ENTROPY, SUM_OVER_BATCH,
};

type Found = (&'static Lint, Diagnostic);

/// The graph of a function, and what stands for its nodes in the text.
pub struct Lines<'g> {
    graph: &'g Graph,
    seen: &'g Seen,
    item: &'g ModelItem,
    params: &'g [(usize, Param)],
    /// How often each value is read.
    uses: Vec<usize>,
}

impl<'g> Lines<'g> {
    pub fn new(cx: &'g FnCx) -> Self {
        let (graph, seen) = (&cx.graph, &cx.seen);
        Self { graph, seen, item: cx.model.item, params: &cx.model.params, uses: graph.uses() }
    }

    /// What is found in the function, which returns `results`.
    pub fn all(&self, results: &[Ty]) -> Vec<Found> {
        let of_node = |node: &'g Node| {
            [
                self.softmax_before_cross_entropy(node),
                self.log_of_softmax(node),
                self.sigmoid_before_logits(node),
                self.linear_after_linear(node),
                self.bias_before_batch_norm(node),
                self.column_against_row(node),
            ]
        };
        let mut found: Vec<_> = self.graph.nodes.iter().flat_map(of_node).flatten().collect();
        found.extend(self.sum_over_batch(results));
        found
    }

    fn softmax_before_cross_entropy(&self, node: &Node) -> Option<Found> {
        self.op::<CrossEntropy>(node)?;
        let (before, softmax) = self.maker::<Softmax>(node.inputs[0])?;
        let (name, what) = (self.called(before), if softmax.log { "its logarithm" } else { "one" });
        let text = format!(
            "`{}` makes a softmax of its input, and `{name}` has made {what} already",
            node.label
        );
        let help = format!("leave `{name}` out here: `{}` takes the logits", node.label);
        self.found(&SOFTMAX_BEFORE_CROSS_ENTROPY, node, &[before], text, help)
    }

    fn log_of_softmax(&self, node: &Node) -> Option<Found> {
        self.named(node, "log")?;
        let input = self.without_constant(node.inputs[0]);
        let (before, _) = self.maker::<Softmax>(input).filter(|(_, softmax)| !softmax.log)?;
        let text = format!("the logarithm of `{}`", self.called(before));
        let help = "write `log_softmax` in the place of both".into();
        self.found(&LOG_OF_SOFTMAX, node, &[before], text, help)
    }

    fn sigmoid_before_logits(&self, node: &Node) -> Option<Found> {
        self.named(node, "bce_with_logits")?;
        let before = self.node(self.graph.view_root(node.inputs[0]))?;
        self.named(before, "sigmoid")?;
        let (name, loss) = (self.called(before), "binary_cross_entropy_with_logits");
        let text =
            format!("`{loss}` makes a sigmoid of its input, and `{name}` has made one already");
        let help = format!("leave `{name}` out here, or write `binary_cross_entropy`");
        self.found(&SIGMOID_BEFORE_LOGITS, node, &[before], text, help)
    }

    fn linear_after_linear(&self, node: &Node) -> Option<Found> {
        let second = self.linear(node)?;
        let made = node.inputs[0];
        // What others read as well is no wasted step.
        let product = self.without_bias(made).filter(|_| self.uses[made] == 1)?;
        let first = self.linear(product)?;
        let sizes = |node: &Node| self.graph.ty(node.inputs[1]).dims().to_vec();
        let ([between, inputs], [outputs, _]) = (&sizes(product)[..], &sizes(node)[..]) else {
            return None;
        };
        let is_wide = |side: &Dim| between.minus(side).lower_bound().is_some_and(|more| more >= 0);
        if !is_wide(inputs) && !is_wide(outputs) {
            return None;
        }
        let text = format!("nothing stands between the layers `{first}` and `{second}`");
        let help =
            format!("put an activation between them, such as `relu`, or leave `{second}` out");
        self.found(&LINEAR_AFTER_LINEAR, node, &[product], text, help)
    }

    fn bias_before_batch_norm(&self, node: &Node) -> Option<Found> {
        self.op::<BatchNorm>(node)?;
        let made = node.inputs[0];
        let sum = self.node(made).filter(|_| self.uses[made] == 1)?;
        self.named(sum, "add")?;
        let (field, layer) = self.layer(sum)?;
        // Types of layers have no option that would leave the bias out.
        let has_option = layer.written == Written::Call;
        let is_one = ["Linear", "Conv2d", "ConvTranspose2d"].iter().any(|name| is(layer, name));
        let name = &self.item.fields[field].name;
        let text = format!("the bias of `{name}` is taken away by `{}`", node.label);
        let help = format!("write `bias = false` in `{name}`");
        let lint = &BIAS_BEFORE_BATCH_NORM;
        let (_, found) = self.found(lint, node, &[sum], text, help)?;
        let span = syn::spanned::Spanned::span(&layer.path);
        let found = Diagnostic { start: span, end: span, ..found };
        (has_option && is_one && self.trains(sum)).then_some((lint, found))
    }

    fn column_against_row(&self, node: &Node) -> Option<Found> {
        let op = self.op::<Elementwise>(node)?;
        let Func::Named(_) = op.func else { return None };
        let shape = |value: &ValueId| self.graph.ty(*value).dims();
        let column =
            node.inputs.iter().copied().find(
                |value| matches!(shape(value), [rows, one] if one.is_one() && !rows.is_one()),
            )?;
        let rows = &shape(&column)[0];
        let is_row = |value: &&ValueId| matches!(shape(value), [row] if row == rows);
        let row = node.inputs.iter().find(is_row)?;
        let label = |value: ValueId| &self.graph.values[value].label;
        // There it is written that every pair is meant.
        if label(column) == "unsqueeze" {
            return None;
        }
        let [a, b] =
            [column, *row].map(|value| format!("`{}` {}", label(value), self.graph.ty(value)));
        let text =
            format!("`{}` of {a} and {b} makes [{rows}, {rows}]: every pair of them", node.label);
        let help =
            "give both one shape: `squeeze(1)` of the first, or `unsqueeze(1)` of the second"
                .into();
        self.found(&COLUMN_AGAINST_ROW, node, &[], text, help)
    }

    fn sum_over_batch(&self, results: &[Ty]) -> Option<Found> {
        let loss = self.graph.outputs.iter().find(|(dest, _)| *dest == Dest::Result(0))?.1;
        let has_params = self
            .graph
            .values
            .iter()
            .enumerate()
            .any(|(v, value)| matches!(value.source, Source::Param(_)) && self.uses[v] > 0);
        if !is_loss(results) || !has_params {
            return None;
        }
        let node = self.undivided_sum(loss)?;
        let size = self.summed(node)?;
        let text = format!("a loss that is summed over `{size}`");
        let help = format!("take the mean, or write `/ {size}` behind the sum");
        self.found(&SUM_OVER_BATCH, node, &[], text, help)
    }

    /// The sum over a run-time size that a loss is, or a part of a sum of losses, where only
    /// numbers of the program scale it.
    fn undivided_sum(&self, value: ValueId) -> Option<&'g Node> {
        let node = self.node(self.graph.view_root(value))?;
        if self.summed(node).is_some() {
            return Some(node);
        }
        let op = self.op::<Elementwise>(node)?;
        match op.func {
            Func::Named("add" | "sub") => {
                node.inputs.iter().find_map(|input| self.undivided_sum(*input))
            }
            Func::Named("neg") => self.undivided_sum(node.inputs[0]),
            Func::Named("mul" | "div") => {
                let (numbers, others): (Vec<ValueId>, Vec<ValueId>) =
                    node.inputs.iter().partition(|input| self.is_number(**input));
                (!numbers.is_empty()).then(|| self.undivided_sum(*others.first()?)).flatten()
            }
            _ => None,
        }
    }

    /// The run-time size that a node sums over.
    fn summed(&self, node: &Node) -> Option<&'g Dim> {
        let reduce = self.op::<Reduce>(node).filter(|reduce| reduce.kind == Kind::Sum)?;
        let dims = self.graph.ty(node.inputs[0]).dims();
        reduce.axes.iter().map(|axis| &dims[*axis]).find(|dim| dim.is_run_time())
    }

    /// Whether it is a literal, or a constant of the program's: no size of the run.
    fn is_number(&self, value: ValueId) -> bool {
        let op = self.node(value).and_then(|node| self.op::<Elementwise>(node));
        let constant =
            op.filter(|op| op.func == Func::Constant).and_then(|op| op.constants.first());
        matches!(constant, Some(Constant::Literal(_) | Constant::Expr(..)))
    }

    /// A warning at a node, where neither it nor those `before` it are allowed to.
    fn found(
        &self,
        lint: &'static Lint,
        node: &Node,
        before: &[&Node],
        text: String,
        help: String,
    ) -> Option<Found> {
        let at = self.place(node)?;
        let places = before.iter().filter_map(|node| self.place(node)).chain([at]);
        let is_silent = |place: Place| {
            let field = place.field.map(|field| self.item.fields[field].allow);
            place.allow.and(field.unwrap_or_default()).has(lint)
        };
        let is_silent = places.into_iter().any(is_silent);
        (!is_silent).then(|| (lint, Diagnostic::new(at.span, text).help(help)))
    }

    fn place(&self, node: &Node) -> Option<Place> {
        self.seen.nodes.get(&node.outputs[0]).copied()
    }

    fn op<T: Op>(&self, node: &'g Node) -> Option<&'g T> {
        let op: &dyn std::any::Any = &*node.op;
        op.downcast_ref()
    }

    /// The node that makes a value.
    fn node(&self, value: ValueId) -> Option<&'g Node> {
        match self.graph.values[value].source {
            Source::Node(node, _) => Some(&self.graph.nodes[node]),
            _ => None,
        }
    }

    /// The operation that makes a value, perhaps under another shape.
    fn maker<T: Op>(&self, value: ValueId) -> Option<(&'g Node, &'g T)> {
        let node = self.node(self.graph.view_root(value))?;
        Some((node, self.op(node)?))
    }

    /// Nothing but an elementwise function of this name.
    fn named(&self, node: &'g Node, name: &str) -> Option<()> {
        (self.op::<Elementwise>(node)?.func.name() == name).then_some(())
    }

    /// `x` of `x + 1e-8`.
    fn without_constant(&self, value: ValueId) -> ValueId {
        let sum = self.node(value).filter(|node| self.named(node, "add").is_some());
        let inputs = sum.map(|node| &node.inputs[..]).unwrap_or_default();
        match inputs.iter().any(|input| self.is_number(*input)) {
            true => inputs.iter().copied().find(|input| !self.is_number(*input)).unwrap_or(value),
            false => value,
        }
    }

    /// The product of a layer with a bias or without.
    fn without_bias(&self, value: ValueId) -> Option<&'g Node> {
        let node = self.node(value)?;
        let is_bias =
            |input: &ValueId| matches!(self.graph.values[*input].source, Source::Param(_));
        match self.named(node, "add").is_some() && node.inputs.iter().any(is_bias) {
            true => self.node(node.inputs[0]),
            false => Some(node),
        }
    }

    /// The name of the `Linear` whose product this is.
    fn linear(&self, node: &'g Node) -> Option<&'g str> {
        let Matmul(Layout::NT) = self.op::<Matmul>(node)? else { return None };
        let (_, layer) = self.layer(node)?;
        is(layer, "Linear").then_some(node.label.as_str())
    }

    /// The layer that a node is a part of.
    fn layer(&self, node: &Node) -> Option<(usize, &'g LayerDecl)> {
        let field = self.place(node)?.field?;
        match &self.item.fields[field].decl {
            FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _) => Some((field, layer)),
            _ => None,
        }
    }

    /// Whether a parameter that the node adds has a gradient.
    fn trains(&self, sum: &Node) -> bool {
        sum.inputs.iter().any(|input| {
            match self.graph.values[self.graph.view_root(*input)].source {
                Source::Param(index) => {
                    self.params[index].1.name.ends_with("bias")
                        && !self.graph.frozen.contains(&index)
                }
                _ => false,
            }
        })
    }

    /// What the user calls the value of a node.
    fn called(&self, node: &Node) -> &'g str {
        &self.graph.values[node.outputs[0]].label
    }
}

fn is(layer: &LayerDecl, name: &str) -> bool {
    layers::find(&layer.path).is_some_and(|row| row.name == name)
}
