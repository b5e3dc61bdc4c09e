//! The text of a model while it grows.

use std::collections::HashSet;
use std::fmt::Write;

use super::world::Size;

/// A model of which functions and fields are added one by one.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub name: String,
    pub params: Vec<Param>,
    pub fields: Vec<Field>,
    pub functions: Vec<Function>,
    /// How many names were handed out.
    pub count: usize,
}

/// A const parameter, with the number for which the model is grown.
#[derive(Clone, Debug)]
pub struct Param {
    pub name: String,
    pub value: usize,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub decl: String,
    pub is: Is,
    /// The shape of its weight, once it has one.
    pub weight: Option<Vec<Size>>,
}

/// What a field is: what it may be used for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// A layer of this name.
    Layer(&'static str),
    /// A model, or a row of them.
    Model,
    Param,
}

#[derive(Clone, Debug, Default)]
pub struct Function {
    pub name: String,
    /// The size of `#[step(..)]`.
    pub step: Option<String>,
    /// Names and types.
    pub args: Vec<(String, String)>,
    pub body: Vec<Let>,
    /// Values and their types.
    pub results: Vec<(String, String)>,
}

/// `let (y, h): [batch, 4] = …;`
#[derive(Clone, Debug)]
pub struct Let {
    pub names: Vec<String>,
    pub ty: Option<String>,
    pub value: String,
}

impl Model {
    /// A name that nothing has yet.
    pub fn fresh(&mut self, stem: &str) -> String {
        self.count += 1;
        format!("{stem}{}", self.count)
    }

    /// The function that grows.
    pub fn last(&mut self) -> &mut Function {
        self.functions.last_mut().expect("a model grows by its functions")
    }

    /// What stands between the braces; without const parameters, where their numbers stand instead.
    pub fn text(&self, generic: bool) -> String {
        let mut text = format!("    struct {}", self.name);
        if generic && !self.params.is_empty() {
            let params = self.params.iter().map(|param| format!("const {}: usize", param.name));
            let _ = write!(text, "<{}>", params.collect::<Vec<_>>().join(", "));
        }
        text.push_str(" {\n");
        for Field { name, decl, .. } in &self.fields {
            let _ = writeln!(text, "        {name}: {decl},");
        }
        text.push_str("    }\n");
        self.functions.iter().for_each(|function| text.push_str(&function.text()));
        text
    }

    /// Without what no result of a function needs, and without the functions that `keep` refuses
    /// and no other calls.
    pub fn pruned(&self, keep: impl Fn(&Function) -> bool) -> Self {
        let mut model = self.clone();
        let mut used = HashSet::new();
        let mut kept = Vec::new();
        for function in model.functions.iter_mut().rev() {
            if keep(function) || used.contains(&function.name) {
                function.prune();
                used.extend(function.words());
                kept.push(function.clone());
            }
        }
        kept.reverse();
        model.functions = kept;
        // A layer may name another in its declaration.
        for _ in 0..2 {
            let declared = model.fields.iter().filter(|field| used.contains(&field.name));
            let named: Vec<_> = declared.flat_map(|field| words(&field.decl)).collect();
            used.extend(named);
        }
        model.fields.retain(|field| used.contains(&field.name));
        model
    }
}

impl Function {
    fn text(&self) -> String {
        let mut text = String::from("\n");
        if let Some(step) = &self.step {
            let _ = writeln!(text, "    #[step({step})]");
        }
        let args: String = self.args.iter().map(|(name, ty)| format!(", {name}: {ty}")).collect();
        let (values, types): (Vec<_>, Vec<_>) = self.results.iter().cloned().unzip();
        let tuple = |texts: Vec<String>| match texts.len() {
            1 => texts[0].clone(),
            _ => format!("({})", texts.join(", ")),
        };
        let (values, types) = (tuple(values), tuple(types));
        let _ = writeln!(text, "    fn {}(&self{args}) -> {types} {{", self.name);
        for Let { names, ty, value } in &self.body {
            let ty = ty.as_ref().map(|ty| format!(": {ty}")).unwrap_or_default();
            let _ = writeln!(text, "        let {}{ty} = {value};", tuple(names.clone()));
        }
        let _ = writeln!(text, "        {values}\n    }}");
        text
    }

    /// Takes out what no result needs.
    fn prune(&mut self) {
        let mut used: HashSet<String> =
            self.results.iter().flat_map(|(value, _)| words(value)).collect();
        let mut body = Vec::new();
        for statement in self.body.drain(..).rev() {
            if statement.names.iter().any(|name| used.contains(name)) {
                used.extend(words(&statement.value));
                body.push(statement);
            }
        }
        body.reverse();
        self.body = body;
        self.args.retain(|(name, _)| used.contains(name));
    }

    /// Whether an input says what each of these sizes is that the function mentions.
    pub fn says<'a>(&self, mut sizes: impl Iterator<Item = &'a String>) -> bool {
        let types = self.args.iter().chain(&self.results).map(|(_, ty)| ty.as_str());
        let noted = self.body.iter().filter_map(|statement| statement.ty.as_deref());
        let values = self.body.iter().map(|statement| statement.value.as_str());
        let read: HashSet<_> = types.chain(noted).chain(values).flat_map(words).collect();
        let first = |ty: &str| {
            ty.trim_start_matches("Classes").split([',', '[', ']']).nth(1).map(String::from)
        };
        let said: HashSet<_> = self.args.iter().filter_map(|(_, ty)| first(ty)).collect();
        sizes.all(|size| !read.contains(size) || said.contains(size))
    }

    /// The names that the body mentions.
    pub fn words(&self) -> HashSet<String> {
        let values = self.body.iter().map(|statement| &statement.value);
        values.chain(self.results.iter().map(|(value, _)| value)).flat_map(|v| words(v)).collect()
    }

    /// The values that nothing reads, in their order.
    pub fn loose(&self) -> Vec<String> {
        let values = self.body.iter().map(|statement| statement.value.as_str());
        let read: HashSet<String> = values.flat_map(words).collect();
        let args = self.args.iter().map(|(name, _)| name);
        let names = args.chain(self.body.iter().flat_map(|statement| &statement.names));
        names.filter(|name| !read.contains(*name)).cloned().collect()
    }

    /// Arguments, then what the statements name.
    pub fn names(&self) -> Vec<String> {
        let args = self.args.iter().map(|(name, _)| name);
        args.chain(self.body.iter().flat_map(|statement| &statement.names)).cloned().collect()
    }
}

/// The names in a text.
pub fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(String::from).collect()
}
