//! Calls of functions: of the library's free ones, of the model's own, and of other models.

use gradiron_compiler::lower::{FUNCTIONS, FunctionRow};

use super::fill::Call;
use super::grow::Growing;
use super::model::{Is, Let};
use super::world::{Known, Made, Signature, Size, shape};

impl Growing<'_> {
    /// A function that is neither a loss nor a method.
    pub fn free(&mut self, at: usize) -> Option<Let> {
        let free: Vec<_> = FUNCTIONS.iter().filter(|row| !row.build.is_loss()).collect();
        self.named(free[at % free.len()].name)
    }

    /// The same, of this name.
    pub fn named(&mut self, name: &str) -> Option<Let> {
        let row = FUNCTIONS.iter().find(|row| row.name == name)?;
        match row.name {
            "cat" => self.cat(&row.sample()),
            "scaled_dot_product_attention" => self.attention(&row.sample()),
            "scan" => self.scan(row),
            _ if row.build.usage().is_none() => self.of_weights(row),
            other => panic!("the generator does not know how `{other}` is called"),
        }
    }

    /// A function of a value and of weights that fit it.
    fn of_weights(&mut self, row: &FunctionRow) -> Option<Let> {
        let x = self.input_of(row.input)?;
        let mut call = Call::new(x.clone());
        let operands = &self.dice.pick(row.calls)?[1..];
        let weights = operands.iter().map(|(_, sample)| self.arguments(sample, &mut call));
        let weights = weights.collect::<Option<Vec<_>>>()?.concat();
        let options = self.options(&row.sample(), &mut call)?;
        let args = [vec![self.dressed(&x)], weights, options].concat();
        Some(self.value(format!("{}({})", row.name, args.join(", "))))
    }

    fn cat(&mut self, sample: &str) -> Option<Let> {
        let x = self.float()?;
        let mut call = Call::new(x.clone());
        let args = self.arguments(sample, &mut call)?;
        let axis = call.axis.unwrap_or(0);
        let mut values = vec![x.name.clone()];
        for _ in 0..self.dice.from(1, 2) {
            let joins = |known: &Known| {
                let pairs = known.dims.iter().zip(&x.dims).enumerate();
                let same = pairs.into_iter().all(|(i, (a, b))| i == axis || a == b);
                !known.classes && known.dims.len() == x.dims.len() && same
            };
            let known = self.receiver(joins).filter(|_| self.dice.percent(70));
            values.push(match known {
                Some(known) => known.name,
                None => {
                    let mut dims = x.dims.clone();
                    let size = dims.get_mut(axis)?;
                    if !size.runs {
                        *size = self.world.size(&self.model, self.dice, 3);
                    }
                    self.need(&dims)?
                }
            });
        }
        self.dice.shuffle(&mut values);
        let args = [vec![format!("[{}]", values.join(", "))], args].concat();
        Some(self.value(format!("cat({})", args.join(", "))))
    }

    /// Queries `[.., T, D]`, keys `[.., S, D]` and values like them.
    fn attention(&mut self, sample: &str) -> Option<Let> {
        let x = self.receiver(|known| !known.classes && (2..=4).contains(&known.dims.len()))?;
        let rank = x.dims.len();
        let mut keys = x.dims.clone();
        if self.dice.percent(50) && !keys[rank - 2].runs {
            keys[rank - 2] = self.world.size(&self.model, self.dice, 4);
        }
        if rank == 4 && self.dice.percent(50) && !keys[1].runs {
            // Fewer heads of keys are shared.
            let heads = keys[1].number;
            let fewer: Vec<_> = (1..=heads).filter(|fewer| heads % fewer == 0).collect();
            let fewer = *self.dice.pick(&fewer)?;
            keys[1] = self.world.equal(&self.model, self.dice, fewer);
        }
        let (k, v) = (self.need(&keys)?, self.need(&keys)?);
        let mut call = Call::new(x.clone());
        // Masks go by the queries and keys as the rows of a sequence.
        let rows = [x.dims[0].clone(), x.dims[rank - 2].clone(), x.dims[rank - 1].clone()];
        call.x.dims = rows.to_vec();
        call.memory = Some(keys[rank - 2].clone());
        let sample = sample.replace(" MASK", " MEMORY_MASK");
        let args = self.options(&sample, &mut call)?;
        let args = [vec![x.name.clone(), k, v], args].concat();
        Some(self.value(format!("scaled_dot_product_attention({})", args.join(", "))))
    }

    /// A function of the same model: this one, or any.
    pub fn own(&mut self, function: Option<&Signature>) -> Option<Let> {
        let own = self.done.clone();
        let function = match function {
            Some(function) => function,
            None => self.dice.pick(&own)?,
        };
        let mut args = Vec::new();
        for arg in &function.args {
            args.push(match arg.classes {
                true => self.classes(&arg.dims)?,
                false => self.need(&arg.dims)?,
            });
        }
        let names = function.results.iter().map(|_| self.model.fresh("v")).collect();
        let value = format!("self.{}({})", function.name, args.join(", "));
        Some(Let { names, ty: None, value })
    }

    /// A model as a field, with its const parameters as sizes of this model.
    fn instance(&mut self, made: &Made) -> String {
        let name = &made.model.name;
        let mut given = Vec::new();
        for param in &made.model.params {
            let text = self.world.equal(&self.model, self.dice, param.value).text;
            let simple = text.chars().all(|c| c.is_alphanumeric() || c == '_');
            given.push(if simple { text } else { format!("{{ {text} }}") });
        }
        if given.is_empty() { name.clone() } else { format!("{name}<{}>", given.join(", ")) }
    }

    /// The sizes of another model as those of this one.
    fn ours(&mut self, dims: &[Size]) -> Vec<Size> {
        let ours = |size: &Size| match size.runs {
            true => size.clone(),
            false => self.world.equal(&self.model, self.dice, size.number),
        };
        dims.iter().map(ours).collect()
    }

    /// A function of another model, or a row of models.
    pub fn nested(&mut self) -> Option<Let> {
        let world = self.world;
        let made = self.dice.pick(&world.made)?;
        let steps = self.steps();
        let fits =
            |function: &&Signature| function.results.len() == 1 && (!steps || function.steps);
        let functions: Vec<_> = made.functions.iter().filter(fits).collect();
        let function = *self.dice.pick(&functions)?;
        let (first, result) = (&function.args[0], &function.results[0]);
        let loops = function.name == "forward" && !first.classes && first.dims == result.dims;
        let row = loops && self.dice.percent(45);
        let field = self.model_field(made, row)?;
        let mut args = Vec::new();
        for arg in &function.args {
            let dims = self.ours(&arg.dims);
            args.push(match arg.classes {
                true => self.classes(&dims)?,
                false => self.need(&dims)?,
            });
        }
        let function = match function.name.as_str() {
            "forward" => String::new(),
            name => format!(".{name}"),
        };
        let ty = (!row).then(|| shape(&self.ours(&result.dims)));
        let names = vec![self.model.fresh("v")];
        Some(Let { names, ty, value: format!("self.{field}{function}({})", args.join(", ")) })
    }

    /// A field of a model, one that is there or a new one.
    fn model_field(&mut self, made: &Made, row: bool) -> Option<String> {
        let prefix = if row { format!("[{}", made.model.name) } else { made.model.name.clone() };
        let is_it = |decl: &str| {
            let rest = decl.strip_prefix(&prefix);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        };
        let known = self.model.fields.iter().filter(|f| f.is == Is::Model && is_it(&f.decl));
        let known: Vec<_> = known.map(|field| field.name.clone()).collect();
        if self.dice.percent(25)
            && let Some(field) = self.dice.pick(&known)
        {
            return Some(field.clone());
        }
        let instance = self.instance(made);
        let decl = match row {
            true => format!("[{instance}; {}]", self.world.size(&self.model, self.dice, 3).text),
            false => instance,
        };
        Some(self.field("m", decl, Is::Model))
    }

    /// `scan(self.cell, x, h)`, `scan(|(a, b), h| self.cell(a, h, m, b), (x, y), h)`
    pub fn scan(&mut self, row: &FunctionRow) -> Option<Let> {
        let world = self.world;
        let cells = world.made.iter().filter(|made| made.floats[1] == 0);
        let cells = cells.flat_map(|made| made.functions.iter().map(move |f| (made, f)));
        let is_cell = |f: &Signature| !f.args[0].classes && !f.results.iter().any(|r| r.classes);
        let cells: Vec<_> = cells.filter(|(_, function)| is_cell(function)).collect();
        let (made, function) = *self.dice.pick(&cells)?;
        let (args, results) = (&function.args, &function.results);
        // The last results are states where arguments have their shapes.
        let mut states: Vec<usize> = Vec::new();
        for result in results.iter().rev() {
            let is_it = |at: &usize| {
                let arg = &args[*at];
                *at > 0 && !arg.classes && arg.dims == result.dims && !states.contains(at)
            };
            let found = (0..args.len()).find(is_it).filter(|_| self.dice.percent(80));
            let Some(found) = found else { break };
            states.insert(0, found);
        }
        let count = results.len() - states.len();
        let is_sequence = |g: &mut Self, at: usize| {
            at == 0 || !args[at].classes && !states.contains(&at) && g.dice.percent(30)
        };
        let sequences: Vec<usize> = (0..args.len()).filter(|at| is_sequence(self, *at)).collect();
        let field = self.model_field(made, false)?;
        let mut dims = self.ours(&args[0].dims);
        let steps = match (self.steps(), &world.length) {
            (true, Some(length)) => {
                let number = world.number(&self.model, length)?;
                Size { text: length.clone(), number, runs: false }
            }
            _ => self.world.size(&self.model, self.dice, 4),
        };
        if dims.is_empty() {
            return None;
        }
        dims.insert(1, steps.clone());
        let mut given = Vec::new();
        for at in &sequences {
            let mut dims = self.ours(&args[*at].dims);
            if dims.is_empty() {
                return None;
            }
            dims.insert(1, steps.clone());
            given.push(self.need(&dims)?);
        }
        let mut values = vec![match &given[..] {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        }];
        for at in &states {
            let dims = self.ours(&args[*at].dims);
            values.push(self.need(&dims)?);
        }
        let cell = match function.name.as_str() {
            "forward" => format!("self.{field}"),
            name => format!("self.{field}.{name}"),
        };
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        for (at, arg) in args.iter().enumerate() {
            let among = |list: &[usize]| list.iter().position(|other| *other == at);
            inner.push(match (among(&sequences), among(&states)) {
                (Some(k), _) => format!("e{k}"),
                (_, Some(k)) => format!("s{k}"),
                _ => {
                    let dims = self.ours(&arg.dims);
                    outer.push(at);
                    if arg.classes { self.classes(&dims)? } else { self.need(&dims)? }
                }
            });
        }
        let in_order = [&sequences[..], &states].concat() == (0..args.len()).collect::<Vec<_>>();
        let first = if in_order && self.dice.percent(60) {
            cell
        } else {
            let e: Vec<_> = (0..sequences.len()).map(|k| format!("e{k}")).collect();
            let e = if e.len() > 1 { format!("({})", e.join(", ")) } else { e[0].clone() };
            let s: String = (0..states.len()).map(|k| format!(", s{k}")).collect();
            format!("|{e}{s}| {cell}({})", inner.join(", "))
        };
        let x = Known { name: String::new(), classes: false, dims };
        // The sizes of results are drawn below.
        let options = row.options.iter().filter(|option| option.name != "out");
        let sample: Vec<_> = options.map(|option| option.sample()).collect();
        values.extend(self.options(&sample.join(", "), &mut Call::new(x))?);
        let of_state = states.first().map(|at| &args[*at].dims).unwrap_or(&args[0].dims);
        if count != 1 || results[0].dims != *of_state || self.dice.percent(30) {
            let mut out = Vec::new();
            for result in &results[..count] {
                out.push(shape(&self.ours(result.dims.get(1..)?)));
            }
            values.push(match &out[..] {
                [one] => format!("out = {one}"),
                several => format!("out = ({})", several.join(", ")),
            });
        }
        let names = results.iter().map(|_| self.model.fresh("v")).collect();
        Some(Let { names, ty: None, value: format!("scan({first}, {})", values.join(", ")) })
    }
}
