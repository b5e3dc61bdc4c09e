//! Statements that may be right: a row of the compiler's tables with arguments drawn for its
//! sample.

use gradiron_compiler::layers::{LAYERS, Layer};
use gradiron_compiler::lower::{FUNCTIONS, elementwise_rows, methods};
use gradiron_compiler::ops::elementwise::Grad;
use gradiron_compiler::vocabulary::Input;

use super::fill::Call;
use super::grow::Growing;
use super::model::{Is, Let};
use super::world::{Known, Size, shape};

impl Growing<'_> {
    /// Tries to go on by one statement: some tries for one thing, as few arguments fit some.
    pub fn statement(&mut self) -> bool {
        let nests = !self.world.made.is_empty() && self.dice.percent(22);
        let kind = if nests { 100 } else { self.dice.below(95) };
        let at = self.dice.any() as usize;
        (0..5).any(|_| {
            self.attempt(|g| match kind {
                0..28 => g.method(at),
                28..40 => g.function_of_elements(at),
                40..48 => g.operator(),
                48..74 => g.layer(at),
                74..78 => g.layer_again(),
                78..80 => g.loss(None, at),
                80..86 => g.free(at),
                86..88 => g.own(None),
                88..93 => g.free_param(),
                93..95 => g.fixed(),
                _ if at.is_multiple_of(3) => g.named("scan"),
                _ => g.nested(),
            })
        })
    }

    /// An array of the program's.
    fn fixed(&mut self) -> Option<Let> {
        let sizes: Vec<_> = (0..self.dice.from(1, 3)).map(|_| self.dice.from(1, 5)).collect();
        let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
        let value = format!("Fixed{}::<{}>::OF", sizes.len(), sizes.join(", "));
        Some(Let { ty: Some(format!("[{}]", sizes.join(", "))), ..self.value(value) })
    }

    /// What a row is called with: images, sequences, or anything.
    pub fn input_of(&mut self, input: Input) -> Option<Known> {
        if input == Input::Classes {
            return self.indices();
        }
        if input == Input::Any && self.dice.percent(8) {
            return self.receiver(|_| true);
        }
        let rank = input.rank().filter(|_| self.dice.percent(95));
        let Some(rank) = rank else { return self.float() };
        if let Some(known) = self.receiver(|known| !known.classes && known.dims.len() == rank)
            && self.dice.percent(80)
        {
            return Some(known);
        }
        let dims = self.dims(rank);
        let name = self.arg(shape(&dims))?;
        Some(Known { name, classes: false, dims })
    }

    /// A shape of a rank, with a run-time size in front.
    pub fn dims(&mut self, rank: usize) -> Vec<Size> {
        let lead = self.known.iter().filter_map(|known| known.dims.first());
        let leads: Vec<_> = lead.filter(|size| size.runs).cloned().collect();
        let number = self.world.sizes["batch"];
        let batch = Size { text: "batch".into(), number, runs: true };
        let mut dims = vec![self.dice.pick(&leads).cloned().unwrap_or(batch)];
        for axis in 1..rank {
            // Images are larger than other things.
            let most = if rank == 4 && axis > 1 { 7 } else { 5 };
            dims.push(self.world.size(&self.model, self.dice, most));
        }
        dims
    }

    /// A value as the receiver of a call, at times brought into another range.
    pub fn dressed(&mut self, x: &Known) -> String {
        let name = &x.name;
        if x.classes || self.dice.percent(80) {
            return name.clone();
        }
        match self.dice.below(6) {
            0 => format!("({name}.abs() + 0.5)"),
            1 => format!("{name}.sigmoid()"),
            2 => format!("(-{name})"),
            3 => format!("({name}.square() + 0.1)"),
            4 => format!("{name}.softmax(-1)"),
            _ => format!("{name}.tanh()"),
        }
    }

    /// A call in the form of a method, or of a function.
    fn called(&mut self, x: String, name: &str, args: Vec<String>) -> Let {
        let value = match self.dice.percent(15) {
            true => format!("{name}({})", [vec![x], args].concat().join(", ")),
            false => format!("{x}.{name}({})", args.join(", ")),
        };
        self.value(value)
    }

    fn method(&mut self, at: usize) -> Option<Let> {
        let rows: Vec<_> = methods().collect();
        let row = &rows[at % rows.len()];
        let x = self.input_of(row.input)?;
        let mut call = Call::new(x.clone());
        let args = self.arguments(&row.sample(), &mut call)?;
        let x = self.dressed(&x);
        Some(self.called(x, row.name, args))
    }

    /// A row of the elementwise table.
    fn function_of_elements(&mut self, at: usize) -> Option<Let> {
        let rows = elementwise_rows();
        // Steps stop gradients: fewer of them.
        let steps = self.dice.percent(40);
        let rows = rows.filter(|row| steps || !row.grads.iter().all(|g| matches!(g, Grad::Zero)));
        let rows: Vec<_> = rows.collect();
        let row = rows[at % rows.len()];
        let x = self.float()?;
        let mut args = Vec::new();
        for _ in 1..row.grads.len() {
            args.push(match self.dice.percent(10) {
                true => self.dice.word(&["0.5", "1.0", "-0.25"]),
                false => self.partner(&x)?,
            });
        }
        let constants: Vec<_> = row.constants.iter().map(|option| option.sample()).collect();
        args.extend(self.arguments(&constants.join(", "), &mut Call::new(x.clone()))?);
        let x = self.dressed(&x);
        Some(self.called(x, row.name, args))
    }

    fn operator(&mut self) -> Option<Let> {
        let x = self.float()?;
        let number = self.dice.word(&["0.5", "2.0", "1", "-1.5", "0.25"]);
        let kind = self.dice.below(11);
        let name = self.dressed(&x);
        let value = match kind {
            0 => format!("-{name}"),
            1 => format!("{name} * {number}"),
            2 => format!("{number} - {name}"),
            3 => format!("{number} / ({name}.square() + 1.0)"),
            4 => format!("({name} + {number}) * 0.5"),
            _ => {
                let y = self.partner(&x)?;
                match kind {
                    5 | 6 => format!("{name} + {y}"),
                    7 => format!("{name} - {y}"),
                    8 => format!("{name} * {y}"),
                    9 => format!("{name} / ({y}.abs() + 0.5)"),
                    _ => format!("{name} + {y} * {number}"),
                }
            }
        };
        Some(self.value(value))
    }

    fn layer(&mut self, at: usize) -> Option<Let> {
        let called: Vec<_> = LAYERS.iter().filter(|row| row.input != Input::Nothing).collect();
        let row = called[at % called.len()];
        let of_layer = row.sample();
        let x = self.input_of(row.input)?;
        // A weight that is there may be that of this layer, where the sizes meet.
        let weights = self.model.fields.iter().filter_map(|field| field.weight.as_ref()?.last());
        let columns: Vec<_> = weights.map(|size| size.number).collect();
        let meets = |known: &Known| {
            let last = known.dims.last().map(|size| size.number);
            !known.classes && last.is_some_and(|last| columns.contains(&last))
        };
        let x = match of_layer.contains("LAYER") && self.dice.percent(40) {
            true => self.receiver(meets).unwrap_or(x),
            false => x,
        };
        let mut call = Call::new(x.clone());
        let args = self.arguments(&of_layer, &mut call)?;
        let decl = format!("{}({})", row.name, args.join(", "));
        let field = self.field("f", decl, Is::Layer(row.name));
        let mut inputs = vec![self.dressed(&x)];
        let operands = &self.dice.pick(row.calls)?[1..];
        let others = operands.iter().map(|(_, sample)| self.arguments(sample, &mut call));
        let others = others.collect::<Option<Vec<_>>>()?.concat();
        // Keys are often the values, too.
        match (others.first(), operands.first()) {
            (Some(first), Some((_, "SEQUENCE"))) if self.dice.percent(40) => {
                inputs.extend(vec![first.clone(); others.len()]);
            }
            _ => inputs.extend(others),
        }
        inputs.extend(self.options(&row.call_sample(), &mut call)?);
        // A layer with states has one of each among its results.
        let is_state = |operand: &&(&str, &str)| operand.1 == "STATE";
        let states = row.calls.iter().map(|inputs| inputs.iter().filter(is_state).count()).max()?;
        let names = (0..1 + states).map(|_| self.model.fresh("v")).collect();
        Some(Let { names, ty: None, value: format!("self.{field}({})", inputs.join(", ")) })
    }

    /// Options of a call, all by their names.
    pub fn options(&mut self, sample: &str, call: &mut Call) -> Option<Vec<String>> {
        let saved = std::mem::take(&mut call.said);
        let texts = self.arguments(sample, call)?;
        let named = std::mem::replace(&mut call.said, saved);
        let name = |text: &String| named.iter().find(|(_, value)| *value == text);
        Some(
            texts
                .into_iter()
                .map(|text| match name(&text) {
                    Some((name, value)) if !text.contains(" = ") => format!("{name} = {value}"),
                    _ => text,
                })
                .collect(),
        )
    }

    /// Class indices of any shape.
    fn indices(&mut self) -> Option<Known> {
        if let Some(known) = self.receiver(|known| known.classes)
            && self.dice.percent(70)
        {
            return Some(known);
        }
        let rank = self.dice.from(1, 3);
        let dims = self.dims(rank);
        let name = self.arg(format!("Classes{}", shape(&dims)))?;
        Some(Known { name, classes: true, dims })
    }

    /// A layer that is there already, on another value.
    fn layer_again(&mut self) -> Option<Let> {
        let is_simple = |is: &Is| {
            let one_input = |row: &Layer| row.calls.iter().all(|inputs| inputs.len() == 1);
            matches!(is, Is::Layer(name) if find(name).is_some_and(one_input))
        };
        let fields = self.model.fields.iter().filter(|field| is_simple(&field.is));
        let names: Vec<_> = fields.map(|field| (field.name.clone(), field.is.clone())).collect();
        let (field, is) = self.dice.pick(&names)?.clone();
        let x = match is {
            Is::Layer(name) if find(name)?.input == Input::Classes => self.indices()?,
            _ => self.float()?,
        };
        let x = self.dressed(&x);
        Some(self.value(format!("self.{field}({x})")))
    }

    /// A loss of a value.
    pub fn loss(&mut self, x: Option<&Known>, at: usize) -> Option<Let> {
        let losses: Vec<_> = FUNCTIONS.iter().filter(|row| row.build.is_loss()).collect();
        let row = losses[at % losses.len()];
        let x = match x {
            Some(x) => x.clone(),
            None => self.float()?,
        };
        let [(_, of_x), others @ ..] = row.calls[0] else { return None };
        let mut call = Call::new(x.clone());
        let others = others.iter().map(|(_, sample)| self.arguments(sample, &mut call));
        let mut args = others.collect::<Option<Vec<_>>>()?.concat();
        args.extend(self.arguments(&row.sample(), &mut call)?);
        let last = if x.dims.len() > 1 { "1" } else { "-1" };
        let x = match *of_x {
            _ if self.dice.percent(15) => x.name,
            "PROBABILITIES" => format!("{}.sigmoid()", x.name),
            "LOG_PROBABILITIES" => format!("{}.log_softmax({last})", x.name),
            _ => self.dressed(&x),
        };
        Some(self.value(format!("{}({x}, {})", row.name, args.join(", "))))
    }

    /// A parameter of the user's own beside a value.
    fn free_param(&mut self) -> Option<Let> {
        let x = self.float()?;
        let mut dims: Vec<_> = x.dims.iter().filter(|size| !size.runs).cloned().collect();
        let skipped = self.dice.below(dims.len() + 1);
        dims.drain(..skipped);
        let fields = self.model.fields.iter().filter(|field| field.is == Is::Param);
        let fields: Vec<_> = fields.map(|field| format!("self.{}", field.name)).collect();
        let param = match self.dice.pick(&fields) {
            Some(known) if self.dice.percent(30) => known.clone(),
            _ => self.owned(&dims),
        };
        let sign = self.dice.word(&["+", "*", "-"]);
        Some(match self.dice.percent(20) {
            true => self.value(param),
            false => self.value(format!("{} {sign} {param}", x.name)),
        })
    }
}

/// The row of a layer.
fn find(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|row| row.name == name)
}
