//! The words of bodies, noted for editors.

use proc_macro2::Ident;

use super::{FnCx, ModelCx};
use crate::graph::ValueId;
use crate::layers;
use crate::syntax::{Arg, FieldDecl, Function, LayerDecl};
use crate::text::text_of;
use crate::vocabulary::OptionRow;

/// A name of the language: the module it is in, and its row's options.
pub struct Word {
    pub module: &'static str,
    pub row: &'static str,
    pub options: &'static [OptionRow],
}

impl FnCx<'_, '_> {
    /// A value gets a name. Bodies of functions that are called say so where they stand.
    pub fn mention_bound(&mut self, name: &Ident, value: ValueId) {
        if self.inlining.len() > 1 {
            return;
        }
        let ty = self.graph.ty(value);
        if let Some(at) = self.model.mentions.name(name, || ty.to_string()) {
            self.bound.insert((name.to_string(), value), at);
        }
    }

    /// The name of a value is used.
    pub fn mention_value(&mut self, name: &Ident, value: ValueId) {
        let bound = self.bound.get(&(name.to_string(), value));
        if let Some(at) = bound.filter(|_| self.inlining.len() == 1) {
            self.model.mentions.used(*at, name);
        }
    }
}

impl ModelCx<'_> {
    /// A word of the language, `name`, and the options behind it.
    pub fn mention_word(&mut self, name: Option<&Ident>, word: &Word, args: &[Arg]) {
        let Word { module, row, options } = word;
        if let Some(name) = name {
            self.mentions.word(module, row, name, false);
        }
        for arg in args {
            if let Arg::Named(name, _) = arg
                && options.iter().any(|option| name == option.name)
            {
                self.mentions.word(module, row, name, true);
            }
        }
    }

    /// A field, `self.fc1`.
    pub fn mention_field(&mut self, name: &Ident, field: usize) {
        let field = &self.item.fields[field];
        self.mentions.member(name, &field.name, || {
            let docs = &field.docs;
            (declaration(&field.decl), quote::quote!(#(#docs)*))
        });
    }

    /// A function of the model, `self.forward`.
    pub fn mention_function(&mut self, name: &Ident, function: &Function) {
        self.mentions.member(name, &function.name, || {
            let args: Vec<_> = function.args.iter().map(ToString::to_string).collect();
            let results: Vec<_> = function.returns.iter().map(ToString::to_string).collect();
            let is = format!("fn(&self, {}) -> {}", args.join(", "), results.join(", "));
            (is, Default::default())
        });
    }

    /// The words of a layer's declaration.
    pub fn mention_layer(&mut self, decl: &LayerDecl) {
        if let Some(layer) = layers::find(&decl.path) {
            let word = Word { module: "layers", row: layer.name, options: layer.options };
            let name = decl.path.segments.last().map(|last| &last.ident);
            self.mention_word(name, &word, &decl.args);
        }
    }
}

/// `Linear(784 -> 128)`
fn declaration(decl: &FieldDecl) -> String {
    let layer = |layer: &LayerDecl| {
        let args: Vec<_> = layer.args.iter().map(ToString::to_string).collect();
        format!("{}({})", text_of(&layer.path), args.join(", "))
    };
    match decl {
        FieldDecl::Layer(decl) => layer(decl),
        FieldDecl::Layers(decl, count) => format!("[{}; {count}]", layer(decl)),
        FieldDecl::Model(ty) => text_of(ty),
        FieldDecl::Array(ty, count) => format!("[{}; {}]", text_of(ty), text_of(count)),
        FieldDecl::Broken => String::new(),
    }
}
