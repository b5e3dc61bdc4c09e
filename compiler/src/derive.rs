//! `#[derive(Module)]`: a plain struct becomes a model whose `forward` runs its fields in order.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, Type, Visibility, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::layers;
use crate::model::{compile, guarded};
use crate::names::without_needless;
use crate::syntax::limits::too_deep;
use crate::syntax::{
    Arg, Field, FieldDecl, FnArg, Function, Header, ModelItem, Stmt, TypeExpr, Value, frozen,
    name_in_files, parse_layer_type,
};

pub fn expand(tokens: TokenStream) -> TokenStream {
    guarded(|diagnostics| {
        if let Some(error) = too_deep(tokens.clone()) {
            diagnostics.push(error);
            return TokenStream::new();
        }
        let input = diagnostics.keep(syn::parse2(without_needless(tokens)));
        input.map_or_else(TokenStream::new, |input| {
            let item = model(&input, diagnostics);
            compile(&item, diagnostics)
        })
    })
}

/// The model that a struct describes.
pub fn model(input: &DeriveInput, diagnostics: &mut Diagnostics) -> ModelItem {
    let span = input.ident.span();
    let fields = fields(input, diagnostics);
    let types = types(input, &fields).map_err(|error| {
        // Without layers, there are no shapes to know.
        if diagnostics.is_empty() {
            diagnostics.push(error);
        }
    });
    let unknown =
        || TypeExpr { classes: false, dims: vec![parse_quote!(batch)], span, broken: true };
    let (x, y) = types.unwrap_or_else(|()| (unknown(), unknown()));
    // `let x = self.fc1(x); let x = self.act(x); self.fc2(x)`
    let call = |field: &Field| -> Expr {
        let name = &field.name;
        parse_quote!(self.#name(x))
    };
    let rest = fields.iter().take(fields.len().saturating_sub(1)).map(|field| Stmt::Let {
        names: vec![format_ident!("x", span = span)],
        annotation: Vec::new(),
        value: Value::Expr(call(field)),
    });
    let last = Stmt::Tail(fields.last().map_or_else(|| parse_quote!(x), call));
    let body = rest.chain([last]).collect();
    let forward = Function {
        trains: None,
        attrs: Vec::new(),
        step: None,
        vis: None,
        name: Ident::new("forward", span),
        has_self: true,
        args: vec![FnArg { name: format_ident!("x", span = span), ty: x }],
        returns: vec![y],
        returns_tuple: false,
        arrow_missing: None,
        body,
        body_span: span,
    };
    let header = Header {
        attrs: Vec::new(),
        vis: Visibility::Inherited,
        name: input.ident.clone(),
        generics: input.generics.clone(),
    };
    ModelItem { header: Some(header), fields, functions: vec![forward], derived: true, lost: false }
}

fn fields(input: &DeriveInput, diagnostics: &mut Diagnostics) -> Vec<Field> {
    let name = &input.ident;
    let none = match &input.data {
        Data::Struct(data) => {
            let fields: Vec<_> =
                data.fields.iter().enumerate().map(|(i, f)| field(i, f, diagnostics)).collect();
            if !fields.is_empty() {
                return fields;
            }
            Diagnostic::new(name.span(), format!("`{name}` has no layers"))
                .help(format!("write `struct {name} {{ fc1: Linear<784, 128> }}`"))
        }
        Data::Enum(data) => {
            let text = format!("`Module` is derived for a struct of layers; `{name}` is an enum");
            let help = format!("write `struct {name} {{ fc1: Linear<784, 128> }}`");
            Diagnostic::new(data.enum_token.span, text).help(help)
        }
        Data::Union(data) => {
            let text = format!("`Module` is derived for a struct of layers; `{name}` is a union");
            Diagnostic::new(data.union_token.span, text)
        }
    };
    diagnostics.push(none);
    Vec::new()
}

fn field(i: usize, field: &syn::Field, diagnostics: &mut Diagnostics) -> Field {
    let name = field.ident.clone().unwrap_or_else(|| numbered(i, field.ty.span()));
    let decl = match &field.ty {
        Type::Path(path) if layers::is_layer(&path.path) => {
            diagnostics.keep(parse_layer_type(&path.path)).map(FieldDecl::Layer)
        }
        Type::Path(_) => Some(FieldDecl::Model(field.ty.clone())),
        other => {
            let text = format!("`{}` is neither a layer nor a model", crate::text::text_of(other));
            let error = Diagnostic::over(other, text);
            diagnostics.push(error.help(format!("write `{name}: Linear<784, 128>`")));
            None
        }
    };
    let in_files = name_in_files(&field.attrs, diagnostics);
    let frozen = frozen(&field.attrs, diagnostics);
    Field { docs: Vec::new(), name, in_files, frozen, decl: decl.unwrap_or(FieldDecl::Broken) }
}

/// The name of a tuple field, as in PyTorch's `Sequential`: its number.
fn numbered(i: usize, span: proc_macro2::Span) -> Ident {
    Ident::new(&format!("_{i}"), span)
}

/// The input from `#[module(input = […])]` or a first layer that states both its sizes, as `Linear`
/// does; the output from `#[module(output = […])]` or the last of these.
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
        FieldDecl::Layer(layer) if layers::states_rows(&layer.path) => match layer.args.get(at) {
            Some(Arg::Value(size)) => Some(TypeExpr {
                classes: false,
                dims: vec![parse_quote!(batch), size.clone()],
                span: layer.span,
                broken: false,
            }),
            _ => None,
        },
        _ => None,
    };
    let x = x.or_else(|| fields.first().and_then(|field| linear(field, 0)));
    let last = fields.iter().rev().find_map(|field| linear(field, 1));
    let shaped_last = fields.iter().rev().take_while(|field| linear(field, 1).is_none());
    // Activations behind the last `Linear` keep its shape.
    let keeps_shape = shaped_last.into_iter().all(|field| match &field.decl {
        FieldDecl::Layer(layer) => !layers::has_params(&layer.path),
        _ => false,
    });
    let y = y.or_else(|| last.filter(|_| keeps_shape));
    let (which, options) = match (x, y) {
        (Some(x), Some(y)) => return Ok((x, y)),
        (None, Some(_)) => ("the input shape", "input = [batch, 1, 28, 28]"),
        (Some(_), None) => ("the output shape", "output = [batch, 10]"),
        (None, None) => {
            ("the input and the output shape", "input = [batch, 1, 28, 28], output = [batch, 10]")
        }
    };
    let text = format!("nothing states {which} of `{}`", input.ident);
    let help = format!("write `#[module({options})]` above the struct");
    Err(Diagnostic::new(input.ident.span(), text).help(help))
}
