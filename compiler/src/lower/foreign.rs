//! What users of PyTorch write, and what it is here. Where the meaning is plain, lowering goes on
//! with it.

use proc_macro2::{Ident, TokenStream};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprMethodCall, Lit, UnOp};

use super::call::call_args;
use super::expr::Lowered;
use super::functions::FUNCTIONS;
use super::is_self;
use super::sizes::power;
use super::{FnCx, Lowering, Poison, methods, text_of};
use crate::diagnostics::{Diagnostic, nearest};
use crate::layers;
use crate::syntax::{Arg, FieldDecl};
use crate::vocabulary::pytorch::{self, Here, MODULES};

/// What is said of a word of PyTorch.
pub fn explained(word: &Ident, here: Here) -> Diagnostic {
    let error = |text: String| Diagnostic::new(word.span(), text);
    match here {
        Here::Named(ours) => error(format!("`{word}` is called `{ours}` here")).write(word, ours),
        Here::Written(how) => error(format!("`{word}` is written otherwise here")).help(how),
        Here::Missing(meanwhile) => error(format!("`{word}` is not there yet")).help(meanwhile),
        Here::Outside(place) => error(format!("`{word}` is no part of a model")).help(place),
    }
}

/// Whether a name is a function of values, or a method that can be called as one.
pub fn is_function(name: &str) -> bool {
    FUNCTIONS.iter().any(|row| row.name == name) || methods::names().any(|method| method == name)
}

/// An operand of a method, with parentheses where it needs them.
fn operand(expr: &Expr) -> String {
    let text = text_of(expr);
    match expr {
        Expr::Binary(_) | Expr::Unary(_) | Expr::Cast(_) => format!("({text})"),
        _ => text,
    }
}

impl FnCx<'_, '_> {
    /// `torch.relu(x)`, `F::relu(x)`, `nn.functional`: a module, which nothing stands in here.
    pub fn is_module(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => {
                let first = path.path.segments.first().map(|first| first.ident.to_string());
                let first = first.unwrap_or_default();
                MODULES.contains(&first.as_str()) && !self.names.contains_key(&first)
            }
            Expr::Field(field) => self.is_module(&field.base),
            _ => false,
        }
    }

    /// `x.relu::<f32>()`
    pub fn has_turbofish(&mut self, call: &ExprMethodCall) -> Poison {
        let turbofish = call.turbofish.as_ref().map(text_of).unwrap_or_default();
        let text = format!("`{}` has no parameters in angles", call.method);
        let error = Diagnostic::over(&call.turbofish, text).fix(&call.turbofish, "");
        self.model.report(error.help(format!("take `{turbofish}` out")))
    }

    /// `torch.relu(x)`
    pub fn call_in_module(&mut self, call: &ExprMethodCall) -> Lowering<Lowered> {
        let (module, dot) = (&call.receiver, &call.dot_token);
        self.of_module(quote::quote!(#module #dot), &call.method, call_args(&call.args))
    }

    /// `self.fc1(x)(y)`, `nn.ReLU()(x)`: what is called has a mistake of its own, or is a value.
    pub fn call_of_value(&mut self, call: &syn::ExprCall, called: &Expr) -> Poison {
        if let Expr::MethodCall(layer) = called
            && self.is_module(&layer.receiver)
            && layers::is_layer(&layer.method.clone().into())
        {
            return self.layer_in_body(&layer.method);
        }
        // Calls of calls of calls are written by nobody, and would be deep.
        if let Expr::Call(inner) = called
            && matches!(&*inner.func, Expr::Call(_))
        {
            return self.report_unsupported(called);
        }
        let value = self.expr(called, &[]).and_then(|found| self.value(found, called.span()));
        let Ok(value) = value else { return Poison };
        let text = match self.graph.values[value].label.as_str() {
            "" => "this is a value, not a function".to_string(),
            label => format!("`{label}` makes a value, not a function"),
        };
        let error = Diagnostic::over(&call.args, text);
        let help = format!("write `{}`", text_of(called));
        self.model.report(error.help(help).fix(call, text_of(called)))
    }

    /// A call of a function of a module: without it, it may be one of ours.
    pub fn of_module(
        &mut self,
        module: TokenStream,
        name: &Ident,
        args: Vec<Arg>,
    ) -> Lowering<Lowered> {
        let text = name.to_string();
        let dictionary = pytorch::function(&text).or_else(|| pytorch::layer(&text));
        let ours = match dictionary {
            _ if is_function(&text) => text,
            Some(Here::Named(ours)) if is_function(ours) => ours.into(),
            Some(here) => return Err(self.model.report(explained(name, here))),
            None if layers::is_layer(&name.clone().into()) => return Err(self.layer_in_body(name)),
            None => {
                return Err(self.unknown_function(name));
            }
        };
        let text = format!("`{name}` stands without `{}`", text_of(&module));
        let whole = quote::quote!(#module #name);
        let error = Diagnostic::over(&whole, text).write(&whole, ours.as_str());
        self.model.report(error);
        let ours = Ident::new(&ours, name.span());
        let values = self.free_call(&ours, args)?;
        Ok(match values.as_slice() {
            [one] => Lowered::Value(*one),
            _ => Lowered::Tuple(values),
        })
    }

    /// `Linear(784, 128)` in a body.
    pub fn layer_in_body(&mut self, name: &Ident) -> Poison {
        let example = layers::example(&name.clone().into());
        let field = name.to_string().to_lowercase();
        let text = format!("`{name}` is a layer, and a layer is a field");
        let help =
            format!("write `{field}: {example}` in the `struct`, and `self.{field}(x)` here");
        self.model.report(Diagnostic::new(name.span(), text).help(help))
    }

    /// A function of no name of ours.
    pub fn unknown_function(&mut self, name: &Ident) -> Poison {
        let text = name.to_string();
        if self.model.function(&text).is_some() || self.model.field(&text).is_some() {
            let error = format!("`{name}` belongs to the model");
            let error = Diagnostic::new(name.span(), error);
            return self.model.report(error.write(name, format!("self.{name}")));
        }
        if layers::is_layer(&name.clone().into()) {
            return self.layer_in_body(name);
        }
        let here = pytorch::function(&text).or_else(|| pytorch::layer(&text));
        if let Some(here) = here {
            return self.model.report(explained(name, here));
        }
        let error = Diagnostic::new(name.span(), format!("no function is named `{name}`"));
        if matches!(text.as_str(), "Ok" | "Some" | "Err" | "Box") {
            let error = Diagnostic::new(name.span(), "a body gives its value alone");
            return self.model.report(error.help(format!("take `{name}(` and its `)` out")));
        }
        let functions = FUNCTIONS.iter().map(|row| row.name);
        let own = self.model.item.functions.iter().map(|function| function.name.to_string());
        let own: Vec<_> = own.collect();
        if let Some(near) = nearest(&text, own.iter().map(String::as_str)) {
            return self.model.report(error.did_you_mean(name, format!("self.{near}")));
        }
        self.model.report(match nearest(&text, functions.chain(methods::names())) {
            Some(near) => error.did_you_mean(name, near),
            None if text.starts_with(char::is_uppercase) => error.help(format!(
                "a model is a field: write `model: {name}` in the `struct`, and `self.model(x)` here"
            )),
            None => error.help("functions and methods are in docs/REFERENCE.md"),
        })
    }

    /// A method of no name of ours; nothing where it is one.
    pub fn unknown_method(&mut self, call: &ExprMethodCall) -> Option<Poison> {
        let (name, text) = (&call.method, call.method.to_string());
        if methods::names().any(|known| known == text) {
            return None;
        }
        let receiver = text_of(&call.receiver);
        let args: Vec<_> = call_args(&call.args).iter().map(ToString::to_string).collect();
        let all = |first: &str| {
            let first = [first.to_string()].into_iter();
            first.chain(args.clone()).collect::<Vec<_>>().join(", ")
        };
        let error = |text: String| Diagnostic::new(name.span(), text);
        let item = self.model.item;
        // `self.fc.forward(x)`
        if text == "forward"
            && let Expr::Field(field) = &*call.receiver
            && is_self(&field.base)
        {
            let name = text_of(&field.member);
            let error = error("a layer is called by its name".into());
            return Some(
                self.model.report(error.write(call, format!("self.{name}({})", args.join(", ")))),
            );
        }
        // `slef.fc1(x)`: what is wrong is in front of the `.`.
        if let Expr::Path(path) = &*call.receiver
            && let Some(value) = path.path.get_ident().map(ToString::to_string)
            && !self.names.contains_key(&value)
            && (nearest(&value, ["self"]).is_some() || value == "this" || value == "Self")
        {
            let error = Diagnostic::over(path, format!("no value is named `{value}`"));
            return Some(self.model.report(error.did_you_mean(path, "self")));
        }
        if let Some(function) = FUNCTIONS.iter().find(|row| row.name == text) {
            let written = format!("{}({})", function.name, all(&receiver));
            let error = error(format!("`{name}` is a function, and no method"));
            return Some(self.model.report(error.write(call, written)));
        }
        let is_called = item
            .fields
            .iter()
            .any(|field| field.name == text.as_str() && !matches!(field.decl, FieldDecl::Broken));
        if is_called || self.model.function(&text).is_some() {
            let error = error(format!("`{name}` belongs to the model"));
            let written = format!("self.{name}({})", all(&receiver));
            return Some(self.model.report(error.write(call, written)));
        }
        if matches!(text.as_str(), "weight" | "bias") && call.args.is_empty() {
            let error = error(format!("`{name}` is a value, and is not called"));
            return Some(self.model.report(error.write(call, format!("{receiver}.{name}"))));
        }
        if let Some(plain) = text.strip_suffix('_')
            && methods::names().any(|known| known == plain)
        {
            let error = error("a value does not change in place".into());
            return Some(self.model.report(error.write(name, plain)));
        }
        if let Some(Here::Named(ours)) = pytorch::method(&text)
            && FUNCTIONS.iter().any(|row| row.name == ours)
        {
            let written = match ours {
                "cat" => format!("cat([{}], dim = 1)", all(&receiver)),
                _ => format!("{ours}({})", all(&receiver)),
            };
            let error = error(format!("`{name}` is the function `{ours}` here"));
            return Some(self.model.report(error.write(call, written)));
        }
        let said = self.by_its_arguments(call, &args);
        let said = said.or_else(|| {
            let mut error = explained(name, pytorch::method(&text)?);
            // The value of the help is the one that is meant.
            let receiver = operand(&call.receiver);
            for note in &mut error.notes {
                *note = note
                    .replace("`x.", &format!("`{receiver}."))
                    .replace("(x ", &format!("({receiver} "));
                *note = note
                    .replace("`x ", &format!("`{receiver} "))
                    .replace(" x.", &format!(" {receiver}."));
                *note = note.replace("(x.", &format!("({receiver}."));
            }
            Some(error)
        });
        if let Some(error) = said {
            return Some(self.model.report(error));
        }
        let functions = FUNCTIONS.iter().filter(|row| !row.build.is_loss()).map(|row| row.name);
        let error = error(format!("no operation is named `{name}`"));
        Some(self.model.report(match nearest(&text, methods::names().chain(functions)) {
            Some(near) => error.did_you_mean(name, near),
            None => error.note("all operations are in docs/REFERENCE.md"),
        }))
    }

    /// Methods of PyTorch's whose form here depends on what they are given.
    fn by_its_arguments(&mut self, call: &ExprMethodCall, args: &[String]) -> Option<Diagnostic> {
        let (name, receiver) = (call.method.to_string(), operand(&call.receiver));
        let error = |text: &str| Diagnostic::new(call.method.span(), text);
        let is_list = args.iter().any(|arg| arg.starts_with('['));
        match (name.as_str(), args) {
            ("view" | "view_as", args) if !args.is_empty() && !is_list => {
                let args: Vec<_> = call.args.iter().map(|size| self.size_text(size)).collect();
                let written = format!("{receiver}.reshape([{}])", args.join(", "));
                Some(
                    error("`view` is called `reshape` here, and takes a list").write(call, written),
                )
            }
            ("t", []) => {
                let written = format!("{receiver}.transpose(0, 1)");
                Some(error("`t` is called `transpose` here").write(call, written))
            }
            ("size", [_]) => {
                let size = self.size_of(&Expr::MethodCall(call.clone()))?;
                Some(error("a size is its name, or a number").write(call, size))
            }
            _ => None,
        }
    }

    /// The size that `x.size(0)` and `x.shape[0]` are.
    pub fn size_of(&mut self, expr: &Expr) -> Option<String> {
        let (value, axis) = match expr {
            Expr::MethodCall(call) if call.method == "size" && call.args.len() == 1 => {
                (&*call.receiver, call.args.first()?)
            }
            Expr::Index(index) => match &*index.expr {
                Expr::Field(field) if text_of(&field.member) == "shape" => {
                    (&*field.base, &*index.index)
                }
                Expr::MethodCall(call) if call.method == "size" || call.method == "shape" => {
                    (&*call.receiver, &*index.index)
                }
                _ => return None,
            },
            _ => return None,
        };
        let axis: isize = text_of(axis).replace(' ', "").parse().ok()?;
        // Whatever is wrong with the value, it is told where it is used.
        let before = self.model.diagnostics.len();
        let value = self.one(value);
        self.model.diagnostics.truncate(before);
        let dims = self.graph.ty(value.ok()?).dims();
        let at = if axis < 0 { dims.len().checked_add_signed(axis)? } else { axis as usize };
        Some(dims.get(at)?.to_string())
    }

    /// A size as it is to be written.
    pub fn size_text(&mut self, expr: &Expr) -> String {
        self.size_of(expr).unwrap_or_else(|| text_of(expr).replace("- ", "-"))
    }

    /// An operator that bodies do not have.
    pub fn foreign_operator(&mut self, binary: &syn::ExprBinary) -> Poison {
        let (left, right) = (operand(&binary.left), operand(&binary.right));
        let argument = text_of(&binary.right);
        let mut sign = text_of(&binary.op);
        // `@` was read as an operator of the same rank.
        let is_at = binary.op.span().source_text().is_some_and(|text| text == "@");
        let method = |name: &str| Some(format!("{left}.{name}({argument})"));
        let written = match binary.op {
            _ if is_at => method("matmul"),
            BinOp::Eq(_) => method("eq"),
            BinOp::Ne(_) => method("ne"),
            BinOp::Gt(_) => method("gt"),
            BinOp::Ge(_) => method("ge"),
            BinOp::Lt(_) => method("lt"),
            BinOp::Le(_) => method("le"),
            BinOp::And(_) | BinOp::BitAnd(_) => Some(format!("{left} * {right}")),
            BinOp::Or(_) | BinOp::BitOr(_) => method("maximum"),
            _ => None,
        };
        if is_at {
            sign = "@".into();
        }
        let error = Diagnostic::over(&binary.op, format!("no operator `{sign}` here"));
        self.model.report(match written {
            Some(written) => error.write(binary, written),
            None => error.help("there are + - * /, and methods: docs/REFERENCE.md"),
        })
    }

    /// `x ** 2`
    pub fn power_of_value(&mut self, binary: &syn::ExprBinary) -> Option<Poison> {
        let (base, exponent, sign) = power(binary)?;
        let base = operand(base);
        let error = Diagnostic::over(binary, format!("no operator `{sign}` here"));
        let whole = match exponent {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse::<i32>().ok(),
                _ => None,
            },
            _ => None,
        };
        let written = match whole {
            Some(2) => format!("{base}.square()"),
            Some(n) => format!("{base}.powi({n})"),
            None => format!("{base}.powf({})", text_of(exponent)),
        };
        Some(self.model.report(error.write(binary, written)))
    }

    /// `!x`, `x?`, `x.await`, `x[0]`: what stands around a value and means something else in Rust.
    pub fn around_a_value(&mut self, expr: &Expr) -> Option<Poison> {
        let error = |text: &str| Diagnostic::over(expr, text);
        let error = match expr {
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let written = format!("1.0 - {}", operand(&unary.expr));
                error("masks are 0 and 1, and have no `!`").write(expr, written)
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => {
                error("a value is no reference").write(expr, text_of(&unary.expr))
            }
            Expr::Try(inner) => {
                error("a value is there: a body has no `?`").write(expr, text_of(&inner.expr))
            }
            Expr::Await(inner) => {
                error("a value is there: a body has no `await`").write(expr, text_of(&inner.base))
            }
            Expr::Unsafe(block) if block.block.stmts.len() == 1 => {
                let inside = text_of(&block.block.stmts[0]);
                error("nothing in a body is unsafe").write(expr, inside)
            }
            Expr::Return(inner) => match &inner.expr {
                Some(value) => error("the last expression is what a function returns")
                    .write(expr, text_of(value)),
                None => error("a function of a model returns a value"),
            },
            Expr::Index(index) => {
                let (value, at) = (operand(&index.expr), text_of(&index.index));
                let at = at.replace("- ", "-").replace(" .. ", "..");
                if let Some(size) = self.size_of(expr) {
                    let error = error("a size is its name, or a number").write(expr, size);
                    return Some(self.model.report(error));
                }
                let written = match &*index.index {
                    Expr::Path(none) if none.path.is_ident("None") => {
                        format!("{value}.unsqueeze(0)")
                    }
                    Expr::Range(_) => format!("{value}.slice(0, {at})"),
                    _ => format!("{value}.select(0, {at})"),
                };
                error("a value has no index").write(expr, written)
            }
            Expr::Lit(lit) if matches!(lit.lit, Lit::Bool(_)) => {
                error("a body computes with numbers: 1 is true, and 0 is false")
                    .write(expr, if text_of(lit) == "true" { "1.0" } else { "0.0" })
            }
            Expr::Macro(call) => {
                match call.mac.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("dbg" | "println" | "print" | "eprintln") => {
                        let error = error("a body prints nothing");
                        let only = text_of(&call.mac.tokens);
                        match syn::parse_str::<Expr>(&only) {
                            Ok(value) if !matches!(value, Expr::Lit(_)) => error.write(expr, only),
                            _ => error.help("return a value to look at it in the program"),
                        }
                    }
                    Some("vec") => error("a body has no `vec!`")
                        .help("lists stand in calls: `cat([a, b], dim = 1)`"),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(self.model.report(error))
    }

    /// `x.T`, `x.shape`
    pub fn attribute(&mut self, field: &syn::ExprField, name: &Ident) -> Poison {
        let text = name.to_string();
        if let (Some(here), true) = (pytorch::attribute(&text), text != "T") {
            return self.model.report(explained(name, here));
        }
        if text == "T" {
            let written = format!("{}.transpose(0, 1)", operand(&field.base));
            let error = Diagnostic::new(name.span(), "`T` is written `transpose` here");
            return self.model.report(error.write(field, written));
        }
        if methods::names().any(|method| method == text) {
            let error = Diagnostic::new(name.span(), format!("`{name}` is a method"));
            return self.model.report(error.write(name, format!("{name}()")));
        }
        let what = text_of(&field.base);
        let error = Diagnostic::new(name.span(), format!("`{what}` has no field `{name}`"));
        self.model.report(error.help("a value has methods: docs/REFERENCE.md"))
    }
}
