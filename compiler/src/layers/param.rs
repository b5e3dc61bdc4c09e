//! `Param`: a tensor of the user's own.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

use crate::diagnostics::Diagnostic;
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options, Param, ParamInit, Scope, text_of};
use crate::syntax::LayerDecl;

/// `self.position`: the value of `Param([64, 128], init = normal(0.0, 0.02))`.
pub fn param(cx: &mut FnCx, field: usize, decl: &LayerDecl) -> Lowering<ValueId> {
    let mut options = Options::new("Param", decl.span, decl.args.clone());
    let Some(Expr::Array(array)) = options.take("shape") else {
        let error = Diagnostic::new(decl.span, "`Param` needs a shape");
        return Err(cx.model.report(error.help("write `Param([64, 128])`")));
    };
    let dims: Vec<_> = array.elems.iter().cloned().collect();
    let scope = Scope { run_time: false, ..cx.scope() };
    let shape = crate::lower::shape(&dims, &scope);
    let shape = cx.ok(shape)?;
    let init = options.take("init");
    let init = param_init(init.as_ref());
    let init = cx.ok(init)?;
    let finished = options.finish();
    cx.ok(finished)?;
    let (init, tied) = (ParamInit::Init(init), Vec::new());
    let param = Param { name: String::new(), shape, init, tied };
    Ok(cx.field_param(field, param))
}

/// `zeros`, `ones`, `constant(0.5)`, `normal(0.0, 0.02)`, `uniform(-0.1, 0.1)`
pub(super) fn param_init(init: Option<&Expr>) -> Result<TokenStream, Diagnostic> {
    let room = quote!(::gradiron::init::Init);
    let Some(init) = init else {
        return Ok(quote!(#room::Normal { mean: 0.0, std: 0.02 }));
    };
    let (name, args) = match init {
        Expr::Call(call) => (text_of(&call.func), call.args.iter().collect()),
        other => (text_of(other), Vec::new()),
    };
    match (name.as_str(), args.as_slice()) {
        ("zeros", []) => Ok(quote!(#room::Zeros)),
        ("ones", []) => Ok(quote!(#room::Ones)),
        ("constant", [value]) => Ok(quote!(#room::Constant(#value))),
        ("normal", [mean, std]) => Ok(quote!(#room::Normal { mean: #mean, std: #std })),
        ("uniform", [low, high]) => Ok(quote!(#room::Uniform { low: #low, high: #high })),
        _ => Err(Diagnostic::over(init, format!("no initialiser `{}`", text_of(init))).help(
            "there are `zeros`, `ones`, `constant(x)`, `normal(mean, std)` and `uniform(low, high)`",
        )),
    }
}
