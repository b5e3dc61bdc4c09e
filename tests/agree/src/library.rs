//! The models of a program, with their graphs behind each pass.

use std::collections::BTreeMap;

use gradiron_compiler::declared::{ParamInit, StateInit};
use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::dim::{Atom, Dim, Shape};
use gradiron_compiler::emit::Model;
use gradiron_compiler::graph::Deferred;
use gradiron_compiler::graph::{Graph, Ty};
use gradiron_compiler::lower::Siblings;
use gradiron_compiler::model::analyse;
use gradiron_compiler::passes::plan::Plan;
use gradiron_compiler::passes::{Form, LOWER};
use gradiron_compiler::syntax::parse_model;
use proc_macro2::TokenStream;
use syn::{BinOp, Expr, GenericArgument, Lit, PathArguments, Type};

use crate::array::Array;
use crate::program::Program;

/// All models of a program.
pub struct Library {
    pub constants: BTreeMap<String, usize>,
    pub sizes: BTreeMap<String, usize>,
    pub units: Vec<Unit>,
}

/// A model.
pub struct Unit {
    pub name: String,
    /// Its const parameters, with their defaults.
    generics: Vec<(String, Option<Expr>)>,
    /// Parameters and state in the order of their indices.
    pub params: Vec<Tensor>,
    pub state: Vec<Tensor>,
    /// The arrays of the program's that it has as values.
    fixed: Vec<Ty>,
    pub functions: Vec<Function>,
    /// The equalities that are left to rustc.
    pub deferred: Vec<Deferred>,
}

/// A parameter or a tensor of the state.
pub struct Tensor {
    /// `fc1.weight`
    pub name: String,
    pub shape: Shape,
    /// Where it lies among the others in the flat slice.
    pub place: usize,
    /// The models that it is the memory of.
    pub nested: Option<TokenStream>,
    pub is_state: bool,
}

/// A function, with its graphs in the order in which passes made them.
pub struct Function {
    pub name: String,
    pub args: Vec<(String, Ty)>,
    pub results: Vec<Ty>,
    pub graphs: Vec<(Form, &'static str, Graph)>,
    /// The plans of the last graph of each form.
    pub plans: Vec<(Form, Plan)>,
    /// The longest sequences of its step.
    pub length: Option<Dim>,
}

impl Library {
    /// Compiles every model.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn new(program: &Program) -> Result<Self, String> {
        let units = program.models.iter().map(|text| unit(text)).collect::<Result<_, _>>()?;
        Ok(Self { constants: program.constants.clone(), sizes: program.sizes.clone(), units })
    }

    /// The model that runs, in its scope.
    pub fn main(&self) -> (&Unit, Scope<'_>) {
        let unit = self.units.last().expect("a program has a model");
        let (constants, sizes) = (self.constants.clone(), self.sizes.clone());
        (unit, Scope { library: self, constants, sizes })
    }
}

fn unit(text: &str) -> Result<Unit, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
    let mut diagnostics = Diagnostics::default();
    let item = parse_model(tokens, &mut diagnostics);
    let (mut graphs, mut plans) = (Vec::new(), Vec::new());
    let model = analyse(&item, &Siblings::default(), &mut diagnostics, &mut |seen| {
        let function = seen.function.to_string();
        match seen.plan {
            // This pass leaves the graph as it was.
            Some(plan) => plans.push((function, seen.form, plan.clone())),
            None => graphs.push((function, seen.form, seen.pass, seen.graph.clone())),
        }
    });
    if !diagnostics.is_empty() {
        let errors: Vec<_> = diagnostics.sorted().iter().map(|d| d.text()).collect();
        return Err(errors.join("\n"));
    }
    let Model { header, fields, params, state, functions, .. } = &model;
    let generics = header.iter().flat_map(|header| header.generics.const_params());
    let generics = generics
        .map(|param| (param.ident.to_string(), param.default.clone().map(|(_, value)| value)));
    let named = |field: usize, name: &str| format!("{}.{name}", fields[field].name);
    let params = params.tensors.iter().zip(&params.order).map(|((field, param), place)| Tensor {
        name: named(*field, &param.name),
        shape: param.shape.clone(),
        place: *place,
        nested: match &param.init {
            ParamInit::Nested { model, .. } => Some(model.clone()),
            ParamInit::Init(_) => None,
        },
        is_state: false,
    });
    let state = state.tensors.iter().zip(&state.order).map(|((field, state), place)| Tensor {
        name: named(*field, &state.name),
        shape: state.shape.clone(),
        place: *place,
        nested: match &state.init {
            StateInit::Nested { model, .. } => Some(model.clone()),
            StateInit::Value(_) | StateInit::Count | StateInit::Buffer(_) => None,
        },
        is_state: true,
    });
    let functions = functions.iter().flatten().map(|function| {
        let name = function.name.to_string();
        let own = graphs.iter().filter(|(of, ..)| *of == name);
        let planned = plans.iter().filter(|(of, ..)| *of == name);
        Function {
            args: function.args.iter().map(|a| (a.name.to_string(), a.ty.clone())).collect(),
            results: function.results.clone(),
            graphs: own.map(|(_, form, pass, graph)| (*form, *pass, graph.clone())).collect(),
            plans: planned.map(|(_, form, plan)| (*form, plan.clone())).collect(),
            length: function.step.as_ref().map(|step| step.length.clone()),
            name,
        }
    });
    Ok(Unit {
        name: header.map(|header| header.name.to_string()).unwrap_or_default(),
        generics: generics.collect(),
        params: params.collect(),
        state: state.collect(),
        fixed: model.constants.iter().map(|fixed| fixed.ty.clone()).collect(),
        functions: functions.collect(),
        deferred: model.deferred.clone(),
    })
}

impl Unit {
    /// The numbers of these arrays, as the harness of a batch has them.
    pub fn fixed(&self, scope: &Scope) -> Vec<Array> {
        let number = |at: usize| ((at * 37 + 11) % 64) as f64 / 32.0 - 1.0;
        let array = |ty: &Ty| {
            let dims = scope.sizes_of(ty.dims());
            let len = dims.iter().product();
            Array::new(dims, (0..len).map(number).collect())
        };
        self.fixed.iter().map(array).collect()
    }

    pub fn function(&self, name: &str) -> &Function {
        let found = self.functions.iter().find(|function| function.name == name);
        found.unwrap_or_else(|| panic!("{} has no function `{name}`", self.name))
    }
}

impl Function {
    /// The graph of a form behind a pass; what came before forms parted is the same for all.
    pub fn graph(&self, form: Form, pass: &str) -> &Graph {
        let found =
            self.graphs.iter().find(|(f, p, _)| (*f == form || pass == LOWER) && *p == pass);
        &found.unwrap_or_else(|| panic!("`{}` has no {form:?} behind {pass}", self.name)).2
    }
}

/// What the names of a model's sizes stand for.
#[derive(Clone)]
pub struct Scope<'l> {
    pub library: &'l Library,
    /// The program's constants and the model's parameters.
    pub constants: BTreeMap<String, usize>,
    pub sizes: BTreeMap<String, usize>,
}

impl<'l> Scope<'l> {
    /// The number that a size is here.
    pub fn size(&self, dim: &Dim) -> usize {
        self.try_size(dim).unwrap_or_else(|| panic!("the size {dim} is not known"))
    }

    pub fn try_size(&self, dim: &Dim) -> Option<usize> {
        dim.evaluate(&|atom| match atom {
            Atom::Run(name) => self.sizes.get(name).copied(),
            // What is written: the tokens have the model's own name for a constant.
            Atom::Const(text, tokens) => syn::parse_str(text)
                .ok()
                .and_then(|size| self.number(&size))
                .or_else(|| self.number(&syn::parse2(tokens.clone()).ok()?)),
            Atom::Quotient(..) | Atom::Sum(_) => None,
        })
    }

    pub fn sizes_of(&self, dims: &[Dim]) -> Vec<usize> {
        dims.iter().map(|dim| self.size(dim)).collect()
    }

    /// A constant expression, or the arithmetic that the compiler makes of sizes.
    pub fn number(&self, expr: &Expr) -> Option<usize> {
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse().ok(),
                _ => None,
            },
            Expr::Paren(inner) => self.number(&inner.expr),
            Expr::Group(inner) => self.number(&inner.expr),
            Expr::Block(block) => match block.block.stmts.as_slice() {
                [syn::Stmt::Expr(inner, None)] => self.number(inner),
                _ => None,
            },
            Expr::Binary(binary) => {
                let (a, b) = (self.number(&binary.left)?, self.number(&binary.right)?);
                match binary.op {
                    BinOp::Add(_) => a.checked_add(b),
                    BinOp::Sub(_) => a.checked_sub(b),
                    BinOp::Mul(_) => a.checked_mul(b),
                    BinOp::Div(_) => a.checked_div(b),
                    BinOp::Rem(_) => a.checked_rem(b),
                    _ => None,
                }
            }
            Expr::Path(path) => match &path.qself {
                None => {
                    let name = path.path.get_ident()?.to_string();
                    // The variables of generated code are called `batch_size`.
                    let run = name.strip_suffix("_size").and_then(|size| self.sizes.get(size));
                    self.constants.get(&name).or(run).copied()
                }
                Some(of) => {
                    let (unit, scope) = self.model(&of.ty)?;
                    let tensors = match path.path.segments.last()?.ident.to_string().as_str() {
                        "PARAMS" => &unit.params,
                        "STATE" => &unit.state,
                        _ => return None,
                    };
                    tensors.iter().map(|tensor| scope.try_size(&tensor.shape.len())).sum()
                }
            },
            _ => None,
        }
    }

    /// The model that a type names, and its scope without run-time sizes.
    pub fn model(&self, ty: &Type) -> Option<(&'l Unit, Scope<'l>)> {
        let Type::Path(path) = ty else { return None };
        let last = path.path.segments.last()?;
        let library = self.library;
        let unit = library.units.iter().find(|unit| last.ident == unit.name.as_str())?;
        let given: Vec<Expr> = match &last.arguments {
            PathArguments::AngleBracketed(args) => args.args.iter().filter_map(as_expr).collect(),
            _ => Vec::new(),
        };
        let mut scope =
            Scope { library, constants: library.constants.clone(), sizes: BTreeMap::new() };
        for (at, (name, default)) in unit.generics.iter().enumerate() {
            let value = match given.get(at) {
                Some(given) => self.number(given)?,
                None => scope.number(default.as_ref()?)?,
            };
            scope.constants.insert(name.clone(), value);
        }
        Some((unit, scope))
    }
}

/// A generic argument as an expression: `3`, `{ N + 1 }`, or the constant `N`, which parses as a
/// type.
fn as_expr(argument: &GenericArgument) -> Option<Expr> {
    match argument {
        GenericArgument::Const(expr) => Some(expr.clone()),
        GenericArgument::Type(Type::Path(path)) => {
            let path = &path.path;
            Some(syn::parse_quote!(#path))
        }
        _ => None,
    }
}
