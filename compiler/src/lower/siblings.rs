//! Models of one `model!` see one another: the results of a call follow from what the other model
//! declares, with its constants and run-time sizes as the call has them.

use std::collections::{HashMap, HashSet};

use proc_macro2::Ident;
use syn::{Expr, GenericArgument, PathArguments, Type};

use super::{Arg, FnCx, Lowering, Poison, Scope, dim};
use crate::declared::Interface;
use crate::diagnostics::{Diagnostic, counted, nearest};
use crate::dim::{Atom, Compared, Dim, Shape};
use crate::graph::{Kind, Ty, ValueId};
use crate::syntax::Header;
use crate::text::mentions;

/// A model that stands in the same `model!`, as others see it.
#[derive(Debug)]
pub struct Sibling {
    name: String,
    /// Its const parameters, with their defaults.
    generics: Vec<(String, Option<Expr>)>,
    functions: Vec<Signature>,
}

#[derive(Debug)]
struct Signature {
    name: String,
    args: Vec<Arg>,
    results: Vec<Ty>,
}

/// The models that are known so far.
#[derive(Debug, Default)]
pub struct Siblings(Vec<Sibling>);

impl Siblings {
    /// Adds a model that is analysed. What is wrong in it is reported already.
    pub fn add(&mut self, header: Option<&Header>, interfaces: &[Interface]) {
        let Some(header) = header else { return };
        let generics = header.generics.const_params().map(|param| {
            let default = param.default.as_ref().map(|(_, value)| value.clone());
            (param.ident.to_string(), default)
        });
        let signature = |function: &Interface| Signature {
            name: function.name.to_string(),
            args: function.args.clone(),
            results: function.results.clone(),
        };
        self.0.push(Sibling {
            name: header.name.to_string(),
            generics: generics.collect(),
            functions: interfaces.iter().map(signature).collect(),
        });
    }

    /// The model that a type names.
    fn of(&self, ty: &Type) -> Option<&Sibling> {
        let name = name_of(ty)?.to_string();
        self.0.iter().find(|sibling| sibling.name == name)
    }
}

/// The name of a type that may be a model of the same `model!`: `Block` of `Block<64>`.
pub fn name_of(ty: &Type) -> Option<&Ident> {
    let Type::Path(path) = ty else { return None };
    let is_alone = path.qself.is_none() && path.path.leading_colon.is_none();
    let mut segments = path.path.segments.iter();
    let first = segments.next().filter(|_| is_alone)?;
    segments.next().is_none().then_some(&first.ident)
}

impl FnCx<'_, '_> {
    /// The results of a call of `function` of the model `ty`, where both stand in one `model!`. Its
    /// arguments have the types `args`, and are made of `values`.
    ///
    /// # Errors
    /// When the call does not fit, which is reported.
    pub fn sibling_results(
        &mut self,
        name: &str,
        ty: &Type,
        function: &Ident,
        args: &[Ty],
        values: &[ValueId],
    ) -> Lowering<Option<Vec<Ty>>> {
        let siblings = self.model.siblings;
        let Some(sibling) = siblings.of(ty) else { return Ok(None) };
        let Some(signature) = sibling.functions.iter().find(|f| function == &f.name) else {
            let text = format!("`{}` has no function `{function}`", sibling.name);
            let known = sibling.functions.iter().map(|f| f.name.as_str());
            let error = Diagnostic::new(function.span(), text);
            return Err(self.model.report(match nearest(&function.to_string(), known) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            }));
        };
        let is_known = |ty: &Ty| ty.kind != Kind::Unknown;
        let declared = signature.args.iter().map(|arg| &arg.ty);
        if !declared.chain(&signature.results).all(is_known) {
            return Err(Poison);
        }
        if signature.args.len() != args.len() {
            let inputs = counted(signature.args.len(), "input");
            let text = format!("`{name}` takes {inputs}, but receives {}", args.len());
            let this = ["&self".to_string()].into_iter();
            let written = signature.args.iter().map(|arg| format!("{}: {}", arg.name, arg.ty));
            let written: Vec<_> = this.chain(written).collect();
            let function = format!("fn {}({})", signature.name, written.join(", "));
            let help = format!("`{}` declares it as `{function}`", sibling.name);
            let error = Diagnostic::new(self.rule.span, text);
            return Err(self.model.report(error.help(help)));
        }
        let Some(consts) = self.constants(sibling, ty)? else { return Ok(None) };
        let sizes = bound_sizes(signature, args);
        let names: HashSet<String> = consts.keys().cloned().collect();
        let of = |atom: &Atom| match atom {
            Atom::Run(name) => sizes.get(name).cloned(),
            Atom::Const(name, _) if consts.contains_key(name) => consts.get(name).cloned(),
            // What it makes of the constants, only rustc knows.
            Atom::Const(_, tokens) if mentions(tokens, &names) => None,
            other => Some(Dim::atom(other.clone())),
        };
        let facts = self.model.facts.clone();
        let ty_here = |ty: &Ty| {
            let dims = ty.dims().iter().map(|dim| Some(facts.canonical(&dim.with(&of)?)));
            Some(Ty { shape: Shape(dims.collect::<Option<_>>()?), kind: ty.kind })
        };
        for ((arg, found), value) in signature.args.iter().zip(args).zip(values) {
            let Some(declared) = ty_here(&arg.ty) else { return Ok(None) };
            // What only rustc can compare, the check of the call does; the run, this function.
            let mut differ = |(a, b): (&Dim, &Dim)| match a.compare(b) {
                Compared::Unknown if a.is_run_time() || b.is_run_time() => !self.rule.equal(a, b),
                compared => compared == Compared::Different,
            };
            let is_other = declared.kind != found.kind
                || declared.shape.rank() != found.shape.rank()
                || declared.dims().iter().zip(found.dims()).any(&mut differ);
            if is_other {
                let text =
                    format!("`{name}` expects {declared} as `{}`, but receives {found}", arg.name);
                let mut error = Diagnostic::new(self.rule.span, text)
                    .note(format!("shapes: {} → {name} ✗", self.trail(*value)));
                if declared.shape != arg.ty.shape {
                    let own = format!("`{}` declares `{}: {}`", sibling.name, arg.name, arg.ty);
                    error = error.help(own);
                }
                return Err(self.model.report(error));
            }
        }
        Ok(signature.results.iter().map(ty_here).collect())
    }

    /// The constants of a model as its type here states them. Nothing where it is not a whole
    /// statement: rustc says what is wrong.
    fn constants(
        &mut self,
        sibling: &Sibling,
        ty: &Type,
    ) -> Lowering<Option<HashMap<String, Dim>>> {
        let Type::Path(path) = ty else { return Ok(None) };
        let given: Vec<Expr> = match &path.path.segments[0].arguments {
            PathArguments::AngleBracketed(list) => list
                .args
                .iter()
                .filter_map(|arg| match arg {
                    GenericArgument::Const(Expr::Block(block)) => match &block.block.stmts[..] {
                        [syn::Stmt::Expr(expr, None)] => Some(expr.clone()),
                        _ => None,
                    },
                    GenericArgument::Const(expr) => Some(expr.clone()),
                    GenericArgument::Type(ty) => syn::parse2(quote::quote!(#ty)).ok(),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let mut consts = HashMap::new();
        for (i, (name, default)) in sibling.generics.iter().enumerate() {
            let Some(expr) = given.get(i).or(default.as_ref()) else { return Ok(None) };
            let scope = Scope { run_time: false, ..self.scope() };
            let size = dim(expr, &scope);
            let size = self.ok(size)?;
            consts.insert(name.clone(), size);
        }
        Ok(Some(consts))
    }
}

/// The run-time sizes of the other model as the call has them: a name that is a size of an argument
/// is what the value has there.
fn bound_sizes(signature: &Signature, args: &[Ty]) -> HashMap<String, Dim> {
    let mut sizes = HashMap::new();
    for (arg, found) in signature.args.iter().zip(args) {
        for (declared, here) in arg.ty.dims().iter().zip(found.dims()) {
            if let Some(name) = declared.as_run() {
                sizes.entry(name.to_string()).or_insert_with(|| here.clone());
            }
        }
    }
    sizes
}
