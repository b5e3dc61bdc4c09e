//! The types of fields: layers, models, rows of them, and what containers make of several.

use std::collections::HashSet;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Expr, ExprLit, GenericArgument, GenericParam, Generics, Lit, LitStr, PathArguments, Type,
    TypeArray, TypePath, parse_quote,
};

use super::attributes::{OfField, OfStruct, again, of_field};
use super::refused::{miscounted, no_module, no_name, no_sizes};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::layers;
use crate::names::plain;
use crate::syntax::{
    Arg, Field, FieldDecl, LayerDecl, TypeExpr, count_of, frozen, name_in_files, numeral,
    parse_layer,
};
use crate::text::mentions;

/// What a field describes.
#[derive(Debug)]
pub enum Part {
    /// A layer, a model or a row of one of them.
    Leaf(Leaf),
    /// A tuple: one behind the other. Nothing in it is the value as it is.
    Sequence(Vec<Part>),
    /// Of the same value each.
    Joined { parts: Vec<Part>, join: Join, span: Span },
}

#[derive(Debug)]
pub struct Leaf {
    /// The field of the model.
    pub field: usize,
    /// The inputs of the struct that it is given behind the first.
    pub with: Vec<Ident>,
    /// What is stated of its result.
    pub output: Option<TypeExpr>,
}

/// What becomes of the results of branches.
#[derive(Debug)]
pub enum Join {
    Add,
    Mul,
    /// Along an axis.
    Cat(Box<Expr>),
}

/// Where a part stands.
#[derive(Clone)]
struct At {
    name: Ident,
    in_files: Option<LitStr>,
    /// Its name as files have it.
    path: String,
    is_field: bool,
}

/// The fields of the model while they are found.
pub struct Parts<'a> {
    pub fields: Vec<Field>,
    /// The types that the struct has as parameters.
    params: Vec<Ident>,
    generics: &'a Generics,
    pub diagnostics: &'a mut Diagnostics,
    stated: &'a OfStruct,
    taken: HashSet<String>,
    /// The lifetimes of the struct, which are reported.
    lifetimes: HashSet<String>,
    frozen: Option<Span>,
}

impl<'a> Parts<'a> {
    pub fn new(
        generics: &'a Generics,
        stated: &'a OfStruct,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let params = generics.type_params().map(|param| param.ident.clone()).collect();
        let (fields, taken) = (Vec::new(), HashSet::new());
        let lifetimes = generics.lifetimes().map(|of| of.lifetime.ident.to_string()).collect();
        Self { fields, params, generics, diagnostics, stated, taken, lifetimes, frozen: None }
    }

    /// A field of the struct.
    pub fn field(&mut self, i: usize, field: &syn::Field) -> Part {
        // A tuple's field is called as a part of PyTorch's `Sequential`: by its number.
        let numbered = || Ident::new(&format!("_{i}"), field.ty.span());
        let name = field.ident.clone().unwrap_or_else(numbered);
        for attribute in ["name", "frozen"] {
            if let Some(span) = again(&field.attrs, attribute) {
                let error = Diagnostic::new(span, format!("`{attribute}` stands there twice"));
                self.diagnostics.push(error.help("take one of them out"));
            }
        }
        let in_files = name_in_files(&field.attrs, self.diagnostics);
        self.frozen = frozen(&field.attrs, self.diagnostics);
        let before = self.diagnostics.len();
        let said = of_field(&field.attrs, self.stated, self.diagnostics);
        // What is meant to be no layer is not reported as none.
        let is_lost = self.diagnostics.len() > before && field.ident.is_some();
        let name = self.not_taken(name);
        let own = match &field.ident {
            Some(name) => plain(&name.to_string()).to_string(),
            None => i.to_string(),
        };
        let path = in_files.as_ref().map_or(own, LitStr::value);
        let known = self.fields.len();
        let at = At { name, in_files, path, is_field: true };
        let part = match is_lost || mentions(&field.ty, &self.lifetimes) {
            true => self.leaf(FieldDecl::Broken, &at, &said),
            false => self.part(&field.ty, &at, &said),
        };
        if let Some(span) = self.frozen.take()
            && self.fields[known..].iter().all(|field| field.frozen.is_none())
        {
            let error = Diagnostic::new(span, "there are no parameters that could be held fixed");
            self.diagnostics.push(error.help("take `#[frozen]` out"));
        }
        part
    }

    /// The name of a field, where the module has no function of it.
    fn not_taken(&mut self, name: Ident) -> Ident {
        if name != "forward" {
            return name;
        }
        let text = "the name `forward` is what the module itself has";
        let error = Diagnostic::new(name.span(), text);
        self.diagnostics.push(error.help("give it another name, such as `forward_layer`"));
        format_ident!("forward_layer", span = name.span())
    }

    fn part(&mut self, ty: &Type, at: &At, said: &OfField) -> Part {
        match ty {
            Type::Paren(inner) => self.part(&inner.elem, at, said),
            Type::Group(inner) => self.part(&inner.elem, at, said),
            Type::Tuple(tuple) => {
                self.no_output(said);
                Part::Sequence(self.numbered(tuple.elems.iter(), at, said))
            }
            Type::Array(array) => self.row(array, at, said),
            Type::Path(path) => self.container(path, at, said).unwrap_or_else(|| {
                let decl = self.declared(path, at);
                self.leaf(decl, at, said)
            }),
            other => {
                self.diagnostics.push(no_name(other, &at.name));
                self.leaf(FieldDecl::Broken, at, said)
            }
        }
    }

    /// The parts of a part: `ff.0`, `ff.1`.
    fn numbered<'t>(
        &mut self,
        types: impl Iterator<Item = &'t Type>,
        at: &At,
        said: &OfField,
    ) -> Vec<Part> {
        types.enumerate().map(|(i, ty)| self.part(ty, &at.below(i, ty.span()), said)).collect()
    }

    fn leaf(&mut self, mut decl: FieldDecl, at: &At, said: &OfField) -> Part {
        let is_model = matches!(decl, FieldDecl::Model(_) | FieldDecl::Array(..));
        if !matches!(decl, FieldDecl::Model(_) | FieldDecl::Broken) {
            self.no_output(said);
        }
        let output = said.output.clone().filter(|_| matches!(decl, FieldDecl::Model(_)));
        // In a container, further inputs are given to what takes them.
        let takes = match &decl {
            FieldDecl::Layer(layer) => layers::takes(&layer.path, 1 + said.with.len()),
            _ => is_model,
        };
        let with = if takes { said.with.clone() } else { Vec::new() };
        if let (false, true, Some(first)) = (takes, at.is_field, said.with.first()) {
            let text = format!("`{}` does not take so many inputs", at.name);
            self.diagnostics.push(Diagnostic::new(first.span(), text));
            decl = FieldDecl::Broken;
        }
        let mut name = at.name.clone();
        // A field of the user's may be called as a part of another one is.
        while !at.is_field && !self.taken.insert(name.to_string()) {
            name = format_ident!("{name}_");
        }
        self.taken.insert(name.to_string());
        // Of a part without parameters nothing is to be held fixed.
        let has_params = match &decl {
            FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _) => {
                layers::has_params(&layer.path)
            }
            _ => true,
        };
        let frozen = self.frozen.filter(|_| at.is_field || has_params);
        let in_files = at.in_files.clone();
        self.fields.push(Field {
            docs: Vec::new(),
            name,
            in_files,
            frozen,
            allow: said.allow,
            decl,
        });
        Part::Leaf(Leaf { field: self.fields.len() - 1, with, output })
    }

    /// The shape of what layers make is known.
    fn no_output(&mut self, said: &OfField) {
        if let Some(output) = &said.output {
            let text = "the output of layers follows from them";
            let help = "it is stated of a model, whose result the macro does not see";
            self.diagnostics.push(Diagnostic::new(output.span, text).help(help));
        }
    }

    /// A layer or a model.
    fn declared(&mut self, ty: &TypePath, at: &At) -> FieldDecl {
        let (path, name) = (&ty.path, &at.name);
        if let Some(error) = no_module(ty, name, &self.params) {
            self.diagnostics.push(error);
            return FieldDecl::Broken;
        }
        match layers::is_layer(path) {
            true => {
                if let Some(error) = no_sizes(path) {
                    self.diagnostics.push(error.unless_rustc(ty, self.any_sizes()));
                    return FieldDecl::Broken;
                }
                let layer = self.diagnostics.keep(parse_layer(path, &self.params));
                let counted = layer.map(|layer| match miscounted(&layer) {
                    Some(error) => Err(error.unless_rustc(ty, self.any_sizes())),
                    None => of_percent(layer),
                });
                let layer = counted.and_then(|layer| self.diagnostics.keep(layer));
                layer.map_or(FieldDecl::Broken, FieldDecl::Layer)
            }
            false => FieldDecl::Model(Type::Path(ty.clone())),
        }
    }

    /// The parameters of the struct as items, so that a type that names them may stand anywhere.
    fn any_sizes(&self) -> TokenStream {
        let params = self.generics.params.iter().map(|param| match param {
            GenericParam::Const(param) => {
                let name = &param.ident;
                quote!(const #name: usize = 1;)
            }
            GenericParam::Type(param) => {
                let name = &param.ident;
                quote!(type #name = ::gradiron::typenum::U1;)
            }
            GenericParam::Lifetime(_) => TokenStream::new(),
        });
        params.collect()
    }

    /// `[Block<32>; 4]`
    fn row(&mut self, array: &TypeArray, at: &At, said: &OfField) -> Part {
        let is_leaf = match &*array.elem {
            Type::Path(path) => container(path, self.generics).is_none(),
            _ => false,
        };
        if is_leaf && let Type::Path(path) = &*array.elem {
            let decl = match self.declared(path, at) {
                FieldDecl::Layer(layer) => match self.diagnostics.keep(count_of(&array.len)) {
                    Some(count) => FieldDecl::Layers(layer, count),
                    None => FieldDecl::Broken,
                },
                FieldDecl::Model(ty) => FieldDecl::Array(ty, array.len.clone()),
                other => other,
            };
            return self.leaf(decl, at, said);
        }
        self.no_output(said);
        let count = self.diagnostics.keep(count_of(&array.len)).unwrap_or(1);
        Part::Sequence(self.numbered((0..count).map(|_| &*array.elem), at, said))
    }

    /// `Residual<F>`, `Add<(F, G)>`
    fn container(&mut self, path: &TypePath, at: &At, said: &OfField) -> Option<Part> {
        let name = container(path, self.generics)?;
        let last = path.path.segments.last().expect("a path has segments");
        let given: Vec<&GenericArgument> = match &last.arguments {
            PathArguments::AngleBracketed(list) => list.args.iter().collect(),
            _ => Vec::new(),
        };
        self.no_output(said);
        let span = last.ident.span();
        let said = &OfField { output: None, ..said.clone() };
        let types: Vec<&Type> = given
            .iter()
            .filter_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect();
        Some(match (name, types[..].split_first()) {
            ("Identity", _) => Part::Sequence(Vec::new()),
            ("Residual", Some((inner, []))) => {
                let parts = vec![Part::Sequence(Vec::new()), self.part(inner, at, said)];
                Part::Joined { parts, join: Join::Add, span }
            }
            ("Residual", Some((inner, [shortcut, ..]))) => {
                let parts = self.numbered([*inner, *shortcut].into_iter(), at, said);
                Part::Joined { parts, join: Join::Add, span }
            }
            (_, Some((Type::Tuple(tuple), rest))) if tuple.elems.len() > 1 => {
                // A constant is read as a type; of another type, rustc speaks.
                let dim = rest.first().and_then(|ty| syn::parse2(quote!(#ty)).ok());
                let dim = dim.or_else(|| {
                    given.iter().find_map(|arg| match arg {
                        GenericArgument::Const(expr) => Some(expr.clone()),
                        _ => None,
                    })
                });
                let join = match name {
                    "Add" => Join::Add,
                    "Mul" => Join::Mul,
                    _ => Join::Cat(Box::new(dim.unwrap_or_else(|| parse_quote!(1)))),
                };
                let parts = self.numbered(tuple.elems.iter(), at, said);
                Part::Joined { parts, join, span }
            }
            _ => {
                let (text, help) = match name {
                    "Residual" => (
                        "`Residual` adds its input to what a part makes of it",
                        "write `Residual<(Linear<32, 32>, Gelu)>`".to_string(),
                    ),
                    _ => (
                        "the branches are a tuple of at least two",
                        format!("write `{name}<(Linear<32, 8>, Linear<32, 8>)>`"),
                    ),
                };
                self.diagnostics.push(Diagnostic::over(path, text).help(help));
                self.leaf(FieldDecl::Broken, at, said)
            }
        })
    }
}

impl At {
    fn below(&self, i: usize, span: Span) -> Self {
        let path = format!("{}.{i}", self.path);
        Self {
            name: format_ident!("{}_{i}", self.name, span = span),
            in_files: Some(LitStr::new(&path, span)),
            path,
            is_field: false,
        }
    }
}

/// The containers, which have types in them, not sizes: `Residual<64>` is a model of the user's.
const CONTAINERS: [&str; 4] = ["Residual", "Add", "Mul", "Cat"];

/// The name of a container.
fn container(path: &TypePath, params: &Generics) -> Option<&'static str> {
    let last = path.path.segments.last()?;
    // A parameter that no field names stands in a `PhantomData`.
    if last.ident == "PhantomData" || (last.ident == "Identity" && last.arguments.is_empty()) {
        return Some("Identity");
    }
    let PathArguments::AngleBracketed(given) = &last.arguments else { return None };
    let is_size = match given.args.first()? {
        GenericArgument::Type(Type::Path(ty)) => ty.path.get_ident().is_some_and(|name| {
            numeral(name).is_some() || params.params.iter().any(|param| *name_of(param) == *name)
        }),
        GenericArgument::Type(_) => false,
        _ => true,
    };
    CONTAINERS.into_iter().find(|name| last.ident == name).filter(|_| !is_size)
}

/// `Dropout<10>` as `Dropout(0.1)`: a type has no fractions.
fn of_percent(mut layer: LayerDecl) -> Result<LayerDecl, Diagnostic> {
    if layer.path.segments.last().is_none_or(|last| last.ident != "Dropout") {
        return Ok(layer);
    }
    for arg in &mut layer.args {
        let Arg::Value(value) = arg else { continue };
        let percent = match value {
            Expr::Lit(ExprLit { lit: Lit::Int(percent), .. }) => percent.base10_parse().ok(),
            _ => None,
        };
        let Some(percent) = percent.filter(|percent: &u8| *percent <= 100) else {
            let text = "the share that is dropped is a literal in percent, from 0 to 100";
            return Err(Diagnostic::over(value, text).help("write `Dropout<10>` for a tenth"));
        };
        let mut share = Literal::f64_unsuffixed(f64::from(percent) / 100.0);
        share.set_span(value.span());
        *value = parse_quote!(#share);
    }
    Ok(layer)
}

fn name_of(param: &GenericParam) -> &Ident {
    match param {
        GenericParam::Type(param) => &param.ident,
        GenericParam::Const(param) => &param.ident,
        GenericParam::Lifetime(param) => &param.lifetime.ident,
    }
}
