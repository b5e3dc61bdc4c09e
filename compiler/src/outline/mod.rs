//! A function as its user reads it: its layers in the order in which they run, what flows between
//! them, and what each costs. Tables, pictures and profiles are made of it.

mod costs;
mod dot;
mod svg;

use costs::bytes_as_written;
pub use costs::{bytes, flops, name};
pub use svg::escaped;

use crate::dim::Dim;
use crate::graph::{Dest, Graph, Kind, Node, Phase, Source, Ty, ValueId};
use crate::names::plain;
use crate::passes::plan::Plan;
use crate::syntax::{Field, FieldDecl};
use crate::text::text_of;

/// A function's inference.
#[derive(Debug)]
pub struct Outline {
    /// The arguments, and their types.
    pub inputs: Vec<(String, Ty)>,
    pub rows: Vec<Row>,
    /// Where the results come from.
    pub results: Vec<(Option<From>, Ty)>,
}

/// A layer, an operation, or a call of a model.
#[derive(Debug)]
pub struct Row {
    /// With what runs in the same pass over memory: `conv1 + relu`.
    pub name: String,
    /// Of a layer, its field.
    pub field: Option<usize>,
    /// `Conv2d`, `4 × Block<64>`; nothing for an operation, which its name says.
    pub kind: String,
    /// Its nodes, in the graph.
    pub nodes: Vec<usize>,
    pub from: Vec<From>,
    pub output: Ty,
    pub flops: Dim,
    /// What it reads and writes, weights as they are written.
    pub bytes: Dim,
    /// Whether it calls another model, whose costs that one says.
    pub is_call: bool,
}

/// Where a row's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Input(usize),
    Row(usize),
}

impl Outline {
    /// Of the form for inference.
    pub fn new(fields: &[Field], graph: &Graph, plan: &Plan) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut row_of = vec![None; graph.nodes.len()];
        for (n, node) in graph.nodes.iter().enumerate() {
            if node.phase != Phase::Forward || node.op.is_view() {
                continue;
            }
            let from = sources(graph, &row_of, &node.inputs);
            let (name, field) = (name(&node.label), field_of(fields, &node.label));
            let last = rows.len().wrapping_sub(1);
            // A layer of several operations is one row.
            let goes_on = rows.last().is_some_and(|row| {
                row.name == name && (field.is_some() || from.contains(&From::Row(last)))
            });
            if !goes_on {
                let kind = field.map_or(String::new(), |field| kind(&fields[field].decl));
                let (output, is_call) = (graph.ty(node.outputs[0]).clone(), false);
                let (flops, bytes) = (Dim::lit(0), Dim::lit(0));
                let (nodes, from) = (Vec::new(), Vec::new());
                rows.push(Row { name, field, kind, nodes, from, output, flops, bytes, is_call });
            }
            let at = rows.len() - 1;
            let row = &mut rows[at];
            row_of[n] = Some(at);
            row.nodes.push(n);
            let new = from.into_iter().filter(|source| *source != From::Row(at));
            new.for_each(|source| {
                if !row.from.contains(&source) {
                    row.from.push(source);
                }
            });
            row.output = result(graph, node).clone();
            row.flops = row.flops.plus(&flops(graph, node));
            row.bytes = row.bytes.plus(&bytes_as_written(graph, plan, node));
            row.is_call |= node.op.callee().is_some();
        }
        let inputs = graph.args.iter().map(|v| {
            let value = &graph.values[*v];
            (plain(&value.label).to_string(), value.ty.clone())
        });
        let results = graph.outputs.iter().filter(|(dest, _)| matches!(dest, Dest::Result(_)));
        let results = results
            .map(|(_, v)| (sources(graph, &row_of, &[*v]).first().copied(), graph.ty(*v).clone()));
        Self { inputs: inputs.collect(), rows, results: results.collect() }
    }
}

/// What a node is for: its first output that is a value.
fn result<'a>(graph: &'a Graph, node: &Node) -> &'a Ty {
    let types = node.outputs.iter().map(|output| graph.ty(*output));
    types.clone().find(|ty| ty.kind == Kind::Float).unwrap_or(graph.ty(node.outputs[0]))
}

/// Where values come from, but for parameters, state and constants.
fn sources(graph: &Graph, row_of: &[Option<usize>], values: &[ValueId]) -> Vec<From> {
    let mut sources = Vec::new();
    for value in values {
        let source = match graph.values[graph.view_root(*value)].source {
            Source::Arg(arg) => Some(From::Input(arg)),
            Source::Node(n, _) => row_of[n].map(From::Row),
            _ => None,
        };
        if let Some(source) = source.filter(|source| !sources.contains(source)) {
            sources.push(source);
        }
    }
    sources
}

/// The field that a label starts with: `l[3] → relu`.
fn field_of(fields: &[Field], label: &str) -> Option<usize> {
    let end = label.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '#'));
    let first = plain(&label[..end.unwrap_or(label.len())]);
    fields.iter().position(|field| plain(&field.name.to_string()) == first)
}

/// What a field is.
fn kind(decl: &FieldDecl) -> String {
    let last = |path: &syn::Path| {
        path.segments.last().map_or(String::new(), |segment| segment.ident.to_string())
    };
    match decl {
        FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _) => last(&layer.path),
        FieldDecl::Model(ty) => text_of(ty),
        FieldDecl::Array(ty, count) => format!("{} × {}", text_of(count), text_of(ty)),
        FieldDecl::Broken => String::new(),
    }
}
