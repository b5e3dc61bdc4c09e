//! `#[derive(Module)]`: a plain struct becomes a model whose `forward` runs its fields in order.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, Type, Visibility, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::layers;
use crate::model::compile;
use crate::syntax::{
    Arg, Field, FieldDecl, FnArg, Function, Header, ModelItem, Stmt, TypeExpr, parse_layer_type,
};

pub fn expand(tokens: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let item = syn::parse2(tokens).map_err(Diagnostic::from).and_then(|input| model(&input));
    let item = diagnostics.keep(item);
    let expansion = item.map(|item| compile(&item, true, &mut diagnostics));
    let errors = diagnostics.emit();
    quote!(#errors #expansion)
}

/// The model that a struct describes.
fn model(input: &DeriveInput) -> Result<ModelItem, Diagnostic> {
    let Data::Struct(data) = &input.data else {
        let text = "`Module` is derived for a struct of layers";
        return Err(Diagnostic::new(input.ident.span(), text));
    };
    let mut fields = Vec::new();
    for (i, field) in data.fields.iter().enumerate() {
        let Type::Path(path) = &field.ty else {
            let text = "a field of a module is a layer or a model";
            return Err(Diagnostic::over(&field.ty, text).help("write `fc1: Linear<784, 128>`"));
        };
        let name = field.ident.clone().unwrap_or_else(|| numbered(i, field.ty.span()));
        let decl = match layers::is_layer(&path.path) {
            true => FieldDecl::Layer(parse_layer_type(&path.path)?),
            false => FieldDecl::Model(field.ty.clone()),
        };
        fields.push(Field { name, decl });
    }
    if fields.is_empty() {
        let text = format!("`{}` has no layers", input.ident);
        return Err(Diagnostic::new(input.ident.span(), text));
    }
    let (x, y) = types(input, &fields)?;
    let span = input.ident.span();
    // `self.fc2(self.act(self.fc1(x)))`, with each model's result in a `let` of its own.
    let body = fields.iter().fold(parse_quote!(x), |inner: Expr, field| {
        let name = &field.name;
        parse_quote!(self.#name(#inner))
    });
    let forward = Function {
        attrs: Vec::new(),
        vis: None,
        name: Ident::new("forward", span),
        has_self: true,
        args: vec![FnArg { name: format_ident!("x", span = span), ty: x }],
        returns: vec![y],
        returns_tuple: false,
        body: vec![Stmt::Tail(body)],
        broken: false,
        body_span: span,
    };
    let header = Header {
        attrs: Vec::new(),
        vis: Visibility::Inherited,
        name: input.ident.clone(),
        generics: input.generics.clone(),
    };
    Ok(ModelItem { header: Some(header), fields, functions: vec![forward] })
}

/// The name of a tuple field, as in PyTorch's `Sequential`: its number.
fn numbered(i: usize, span: proc_macro2::Span) -> Ident {
    Ident::new(&format!("_{i}"), span)
}

/// The input from `#[module(input = […])]` or a first `Linear`; the output from
/// `#[module(output = […])]` or the last `Linear`.
fn types(input: &DeriveInput, fields: &[Field]) -> Result<(TypeExpr, TypeExpr), Diagnostic> {
    let (mut x, mut y) = (None, None);
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("module")) {
        attr.parse_nested_meta(|meta| {
            let slot = match () {
                () if meta.path.is_ident("input") => &mut x,
                () if meta.path.is_ident("output") => &mut y,
                () => return Err(meta.error("there are `input = [batch, 784]` and `output = […]`")),
            };
            *slot = Some(meta.value()?.parse::<TypeExpr>()?);
            Ok(())
        })?;
    }
    let linear = |field: &Field, at: usize| match &field.decl {
        FieldDecl::Layer(layer)
            if layer.path.segments.last().is_some_and(|s| s.ident == "Linear") =>
        {
            match layer.args.get(at) {
                Some(Arg::Value(size)) => Some(TypeExpr {
                    classes: false,
                    dims: vec![parse_quote!(batch), size.clone()],
                    span: layer.span,
                }),
                _ => None,
            }
        }
        _ => None,
    };
    let missing = |which: &str| {
        let text = format!("the {which} shape of `{}` is not known", input.ident);
        Diagnostic::new(input.ident.span(), text)
            .help(format!("write `#[module({which} = [batch, 1, 28, 28])]` above the struct"))
    };
    let x = x.or_else(|| linear(&fields[0], 0)).ok_or_else(|| missing("input"))?;
    let last = fields.iter().rev().find_map(|field| linear(field, 1));
    let shaped_last = fields.iter().rev().take_while(|field| linear(field, 1).is_none());
    // Activations behind the last `Linear` keep its shape.
    let keeps_shape = shaped_last.into_iter().all(|field| match &field.decl {
        FieldDecl::Layer(layer) => !layers::has_params(&layer.path),
        _ => false,
    });
    let y = y.or_else(|| last.filter(|_| keeps_shape)).ok_or_else(|| missing("output"))?;
    Ok((x, y))
}
