//! What stands in the place of the capitals of a sample.

use std::collections::HashMap;

use super::grow::Growing;
use super::world::{Known, Size, shape};

/// A call while its arguments are drawn.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it is called with.
    pub x: Known,
    /// The axis that was drawn, of as many.
    pub axis: Option<usize>,
    /// The first index, of an axis.
    pub start: usize,
    /// The last size that was drawn: that of a layer's output.
    pub output: Size,
    /// The positions of another sequence.
    pub memory: Option<Size>,
    /// The layer whose weight is shared.
    pub tied: Option<String>,
    /// What was written by name.
    pub said: HashMap<String, String>,
}

impl Call {
    pub fn new(x: Known) -> Self {
        let (output, said) = (Size::one(), HashMap::new());
        Self { x, axis: None, start: 0, output, memory: None, tied: None, said }
    }

    fn size(&self, axis: usize) -> Option<Size> {
        self.x.dims.get(axis).cloned()
    }

    fn last(&self) -> Option<Size> {
        self.x.dims.last().cloned()
    }
}

impl Growing<'_> {
    /// The arguments of a sample.
    pub fn arguments(&mut self, sample: &str, call: &mut Call) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        let mut by_place = true;
        if sample.contains("LAYER") && self.dice.percent(60) {
            self.tie(call);
        }
        for piece in sample.split(", ").filter(|piece| !piece.is_empty()) {
            let (piece, optional) = match piece.trim().strip_suffix('?') {
                Some(piece) => (piece, true),
                None => (piece.trim(), false),
            };
            let is_left_out = match piece.contains("LAYER") {
                true => call.tied.is_none(),
                false => self.dice.percent(55),
            };
            if optional && is_left_out {
                by_place = false;
                continue;
            }
            if let Some((from, to)) = piece.split_once(" -> ") {
                let (from, to) = (self.fill(from, call)?, self.fill(to, call)?);
                texts.push(match self.dice.below(8) {
                    0 | 1 => to,
                    2 => format!("{from}, {to}"),
                    _ => format!("{from} -> {to}"),
                });
                continue;
            }
            let Some((name, hole)) = piece.split_once(" = ") else {
                texts.push(self.fill(piece, call)?);
                continue;
            };
            let text = match self.fill(hole, call) {
                Some(text) => text,
                None if optional => {
                    by_place = false;
                    continue;
                }
                None => return None,
            };
            call.said.insert(name.into(), text.clone());
            let likely = if texts.is_empty() { 50 } else { 12 };
            by_place &= self.dice.percent(likely);
            texts.push(if by_place { text } else { format!("{name} = {text}") });
        }
        Some(texts)
    }

    /// The text in the place of a hole.
    fn fill(&mut self, hole: &str, call: &mut Call) -> Option<String> {
        if hole.contains('|') {
            let words: Vec<_> = hole.split('|').collect();
            let word = self.dice.word(&words);
            return self.fill(&word, call);
        }
        let rank = call.x.dims.len();
        Some(match hole {
            "K" => self.pair(1, 3),
            "P" => self.pair(0, 1),
            "COUNT" => self.dice.from(1, 2).to_string(),
            "BOOL" => self.dice.word(&["true", "false"]),
            "NUM" => self.dice.word(&["0.5", "-0.25", "1.5", "2", "-1.0", "0.75", "3.0"]),
            "POSITIVE" => self.dice.word(&["0.5", "0.1", "1.5", "2.0"]),
            "SMALL" => self.dice.word(&["1e-5", "0.001", "0.1", "1e-12"]),
            "PART" => self.dice.word(&["0.1", "0.25", "0.0", "0.5", "1.0"]),
            "BASE" => self.dice.word(&["10_000", "100.0", "10"]),
            "INIT" => self.init(),
            "AXIS" => self.axis(call)?,
            "AXES" => self.axes(rank)?,
            "ORDER" => {
                let mut order: Vec<_> = (0..rank).collect();
                self.dice.shuffle(&mut order);
                format!("{order:?}")
            }
            "SHAPE" => shape(&self.reshaped(&call.x)?),
            "SIZE" => {
                if call.tied.is_none() {
                    call.output = self.world.size(&self.model, self.dice, 5);
                }
                call.output.text.clone()
            }
            "LAST" => call.last()?.text,
            "CHANNELS" => call.size(1)?.text,
            "LASTS" => match self.dice.below(3) {
                0 if rank > 2 => shape(&call.x.dims[rank - 2..]),
                1 => format!("[{}]", call.last()?.text),
                _ => call.last()?.text,
            },
            "INDEX" => {
                let size = call.size(call.axis?)?;
                call.start = self.dice.below(size.number);
                match call.start {
                    0 => "0".into(),
                    number => self.world.equal(&self.model, self.dice, number).text,
                }
            }
            "RANGE" => {
                let size = call.size(call.axis?)?.number;
                let start = self.dice.below(size);
                let end = self.dice.from(start + 1, size);
                match self.dice.below(4) {
                    0 => format!("{start}..={}", end - 1),
                    1 => format!("{start}.."),
                    2 => format!("-{}..{end}", size - start),
                    _ => format!("{start}..{end}"),
                }
            }
            "EXPANDED" => {
                let mut dims = call.x.dims.clone();
                for size in &mut dims {
                    if size.text == "1" && self.dice.percent(60) {
                        *size = self.world.size(&self.model, self.dice, 4);
                    }
                }
                if self.dice.percent(40) && !dims.iter().any(|size| size.runs) {
                    dims.insert(0, self.world.size(&self.model, self.dice, 3));
                }
                shape(&dims)
            }
            "LENGTH" => {
                let left = call.size(call.axis?)?.number - call.start;
                let number = self.dice.from(1, left.max(1));
                self.world.equal(&self.model, self.dice, number).text
            }
            "VALUE" => self.partner(&call.x)?,
            "FACTOR" => self.factor(&call.x)?,
            "WEIGHT" => {
                let last = call.last()?.number;
                let meets = |weight: &[Size]| weight.len() == 2 && weight[1].number == last;
                if self.dice.percent(50)
                    && let Some((weight, dims)) = self.weight(meets)
                {
                    call.output = dims[0].clone();
                    return Some(weight);
                }
                call.output = self.world.size(&self.model, self.dice, 5);
                let dims = [call.output.clone(), call.last()?];
                self.need(&dims)?
            }
            "FILTERS" => {
                call.output = self.world.size(&self.model, self.dice, 5);
                let mut dims = vec![call.output.clone(), call.size(1)?];
                for _ in 0..2 {
                    let side = self.dice.from(1, 3);
                    dims.push(self.world.equal(&self.model, self.dice, side));
                }
                self.need(&dims)?
            }
            "TABLE" => {
                let dims = [5, 4].map(|most| self.world.size(&self.model, self.dice, most));
                self.need(&dims)?
            }
            "OUTPUT" => {
                let dims = [call.output.clone()];
                self.need(&dims)?
            }
            "ROW" => {
                let dims = [call.last()?];
                self.need(&dims)?
            }
            "LIKE" => {
                self.avoid = Some(call.x.name.clone());
                let like = self.need(&call.x.dims);
                self.avoid = None;
                like?
            }
            "LABELS" => {
                let mut dims = call.x.dims.clone();
                if rank < 2 {
                    return None;
                }
                dims.remove(1);
                self.classes(&dims)?
            }
            "INDICES" => {
                let mut dims = call.x.dims.clone();
                if self.dice.percent(70) {
                    *dims.get_mut(call.axis?)? = self.world.size(&self.model, self.dice, 4);
                }
                self.classes(&dims)?
            }
            "LAYER" => format!("self.{}", call.tied.clone()?),
            "DIVISOR_OF_LAST" => {
                let size = call.last()?.number;
                self.divisor(size)?
            }
            "DIVISOR_OF_CHANNELS" => {
                let size = call.size(1)?.number;
                self.divisor(size)?
            }
            "GROUPS" => {
                // Both sizes are cut into groups.
                let (input, output) = (call.size(1)?.number, call.output.number);
                let common = (1..=input).filter(|n| input % n == 0 && output % n == 0);
                let common = common.max()?;
                self.divisor(common)?
            }
            "STATE" => self.state(call)?,
            "SEQUENCE" => {
                let memory = self.memory(call, true)?;
                self.need(&[call.size(0)?, memory, call.size(2)?])?
            }
            "LENGTHS" => self.classes(&[call.size(0)?])?,
            "MASK" => {
                let rows = call.size(1)?;
                self.mask(call, rows)?
            }
            "PADDING" => self.given(&[call.size(0)?, call.size(1)?])?,
            "MEMORY_MASK" => {
                let rows = self.memory(call, false)?;
                self.mask(call, rows)?
            }
            "MEMORY_PADDING" => {
                let rows = self.memory(call, false)?;
                self.given(&[call.size(0)?, rows])?
            }
            word => word.into(),
        })
    }

    /// Takes a layer's weight for a product of `x`.
    fn tie(&mut self, call: &mut Call) {
        let Some(last) = call.last() else { return };
        let fields = self.model.fields.iter().filter_map(|field| match field.weight.as_deref() {
            Some([rows, columns]) if columns.number == last.number => {
                Some((field.name.clone(), rows.clone()))
            }
            _ => None,
        });
        let fields: Vec<_> = fields.collect();
        if let Some((field, rows)) = self.dice.pick(&fields) {
            call.tied = Some(field.clone());
            call.output = rows.clone();
        }
    }

    /// A size that divides a number.
    fn divisor(&mut self, of: usize) -> Option<String> {
        let all: Vec<_> = (1..=of).filter(|n| of.is_multiple_of(*n)).collect();
        let number = *self.dice.pick(&all)?;
        Some(self.world.equal(&self.model, self.dice, number).text)
    }

    /// A number, or two for height and width.
    fn pair(&mut self, first: usize, last: usize) -> String {
        let mut one = || {
            let number = self.dice.from(first, last);
            match number {
                0 => "0".into(),
                number => self.world.equal(&self.model, self.dice, number).text,
            }
        };
        let (a, b) = (one(), one());
        if self.dice.percent(30) { format!("({a}, {b})") } else { a }
    }

    /// An axis, at times counted from the end.
    fn axis(&mut self, call: &mut Call) -> Option<String> {
        let rank = call.x.dims.len();
        if rank == 0 {
            return None;
        }
        let axis = self.dice.below(rank);
        call.axis = Some(axis);
        Some(match self.dice.percent(30) {
            true => format!("-{}", rank - axis),
            false => axis.to_string(),
        })
    }

    fn axes(&mut self, rank: usize) -> Option<String> {
        let mut axes: Vec<_> = (0..rank).collect();
        self.dice.shuffle(&mut axes);
        axes.truncate(self.dice.from(1, rank.max(1)));
        match axes[..] {
            [] => None,
            [one] if self.dice.percent(70) => Some(one.to_string()),
            _ => Some(format!("{axes:?}")),
        }
    }

    /// Another shape of as many elements.
    fn reshaped(&mut self, x: &Known) -> Option<Vec<Size>> {
        let mut dims = x.dims.clone();
        for _ in 0..self.dice.from(1, 2) {
            let at = self.dice.below(dims.len());
            match self.dice.below(4) {
                0 if dims.len() < 4 => dims.insert(self.dice.below(dims.len() + 1), Size::one()),
                1 if dims.len() > 1 && at + 1 < dims.len() => {
                    let (a, b) = (dims[at].clone(), dims.remove(at + 1));
                    let text = format!("({}) * ({})", a.text, b.text);
                    let (number, runs) = (a.number * b.number, a.runs || b.runs);
                    dims[at] = Size { text, number, runs };
                }
                2 if !dims.is_empty() && dims.len() < 4 && !dims[at].runs => {
                    let number = dims[at].number;
                    let factors: Vec<_> =
                        (1..=number).filter(|n| number.is_multiple_of(*n)).collect();
                    let factor = *self.dice.pick(&factors)?;
                    dims[at] = self.world.equal(&self.model, self.dice, factor);
                    let rest = self.world.equal(&self.model, self.dice, number / factor);
                    dims.insert(at + 1, rest);
                }
                _ => {
                    if let Some(one) = dims.iter().position(|size| size.text == "1") {
                        dims.remove(one);
                    }
                    let from = usize::from(dims.first().is_some_and(|size| size.runs));
                    self.dice.shuffle(&mut dims[from..]);
                }
            }
        }
        Some(dims)
    }

    /// A value that broadcasts with another.
    pub fn partner(&mut self, x: &Known) -> Option<String> {
        let meets = |known: &Known| {
            let pairs = known.dims.iter().rev().zip(x.dims.iter().rev());
            let fits = |(a, b): (&Size, &Size)| a == b || a.text == "1" || b.text == "1";
            !known.classes && pairs.into_iter().all(fits)
        };
        if self.dice.percent(70) {
            self.avoid = Some(x.name.clone());
        }
        let known = self.receiver(meets);
        self.avoid = None;
        if self.dice.percent(65)
            && let Some(known) = known
        {
            return Some(known.name);
        }
        let mut dims = x.dims.clone();
        for size in &mut dims {
            if self.dice.percent(20) {
                *size = Size::one();
            }
        }
        if self.dice.percent(30) {
            dims.drain(..self.dice.below(dims.len() + 1));
        }
        self.need(&dims)
    }

    /// The right side of a product.
    fn factor(&mut self, x: &Known) -> Option<String> {
        let last = x.dims.last()?.clone();
        let rank = x.dims.len();
        let meets = |known: &Known| {
            let dims = &known.dims;
            let leads = dims.len() == rank && rank > 2 && dims[..rank - 2] == x.dims[..rank - 2];
            !known.classes && (dims.len() == 2 || leads) && dims[dims.len() - 2] == last
        };
        if self.dice.percent(50)
            && let Some(known) = self.receiver(meets)
        {
            return Some(known.name);
        }
        let columns = self.world.size(&self.model, self.dice, 4);
        let mut dims = vec![last, columns];
        if rank > 2 && self.dice.percent(60) {
            dims = [&x.dims[..rank - 2], &dims].concat();
        }
        self.need(&dims)
    }

    /// A first state of a recurrent layer.
    fn state(&mut self, call: &mut Call) -> Option<String> {
        let layers: usize = call.said.get("num_layers").map_or(Some(1), |n| n.parse().ok())?;
        let both = call.said.get("bidirectional").is_some_and(|text| text == "true");
        let count = layers * if both { 2 } else { 1 };
        let mut dims = vec![call.size(0)?];
        if count > 1 {
            dims.push(Size { text: count.to_string(), number: count, runs: false });
        }
        dims.push(call.output.clone());
        self.need(&dims)
    }

    /// The positions of the other sequence; those of the same one, where there is none.
    fn memory(&mut self, call: &mut Call, other: bool) -> Option<Size> {
        if let Some(known) = &call.memory {
            return Some(known.clone());
        }
        let own = call.size(1)?;
        if !other {
            return Some(own);
        }
        let memory = match self.dice.percent(30) {
            true => own,
            false => self.world.size(&self.model, self.dice, 4),
        };
        call.memory = Some(memory.clone());
        Some(memory)
    }

    fn mask(&mut self, call: &mut Call, keys: Size) -> Option<String> {
        let (batch, rows) = (call.size(0)?, call.size(1)?);
        match self.dice.below(4) {
            0 => self.given(&[batch, Size::one(), rows, keys]),
            1 => self.given(&[keys]),
            _ => self.given(&[rows, keys]),
        }
    }
}
