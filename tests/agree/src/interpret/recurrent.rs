//! Recurrent layers, of whole sequences and of the next steps.

use gradiron::ops::recurrent::reference::{Inputs, Values, recurrent, recurrent_grad};
use gradiron::ops::recurrent::{Cell as RuntimeCell, RecurrentSpec};
use gradiron_compiler::ops::recurrent::{Cell, Next, Recurrent, RecurrentGrad};

use super::{Cx, Known, Reference, known};
use crate::array::Array;

pub const OPS: &[Known] = &[known::<Recurrent>, known::<RecurrentGrad>, known::<Next>];

fn spec(cx: &Cx, of: &Recurrent) -> RecurrentSpec {
    let [batch, steps, hidden] =
        [&of.batch, &of.seq_len, &of.hidden].map(|size| cx.scope.size(size));
    let cell = match of.cell {
        Cell::Tanh => RuntimeCell::Tanh,
        Cell::Relu => RuntimeCell::Relu,
        Cell::Lstm => RuntimeCell::Lstm,
        Cell::Gru => RuntimeCell::Gru,
    };
    RecurrentSpec { cell, batch, steps, hidden, reverse: of.reverse }
}

/// Does `work` with what an operation is given: `x, w`, a bias, first states and lengths where
/// there are some.
fn with<T>(of: &Recurrent, inputs: &[Array], work: impl FnOnce(Inputs) -> T) -> T {
    let mut rest = inputs[2..].iter();
    let mut take = |there: bool| there.then(|| rest.next()).flatten().map(|array| &array.data[..]);
    let b = take(of.bias);
    let h = take(of.initial);
    let c = take(of.initial && of.cell == Cell::Lstm);
    let lengths = of.lengths.then(|| rest.next()).flatten().map(Array::indices);
    let lengths = lengths.as_deref();
    work(Inputs { x: &inputs[0].data, w: &inputs[1].data, b, h, c, lengths })
}

impl Reference for Recurrent {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let s = spec(cx, self);
        let made = with(self, inputs, |given| recurrent(given, s));
        let (steps, state) = ([s.batch, s.steps, s.hidden], [s.batch, s.hidden]);
        let mut outputs = vec![Array::new(steps, made.steps), Array::new(state, made.h)];
        outputs.extend((self.cell == Cell::Lstm).then(|| Array::new(state, made.c)));
        outputs.push(Array::keeping(inputs));
        outputs.push(Array::new(steps, made.before));
        outputs.extend(matches!(self.cell, Cell::Lstm | Cell::Gru).then(Array::default));
        outputs
    }
}

impl Reference for RecurrentGrad {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (of, s) = (&self.of, spec(cx, &self.of));
        let kept = &inputs[0].kept;
        let count = self.upstream.iter().filter(|there| **there).count();
        let mut given = inputs[inputs.len() - count..].iter();
        let [steps, h, c] = self.upstream.map(|there| there.then(|| given.next()).flatten());
        let of_steps = s.batch * s.steps * s.hidden;
        let or_zeros =
            |d: Option<&Array>, len| d.map_or(vec![0.0; len], |d: &Array| d.data.clone());
        let weights = Values {
            steps: or_zeros(steps, of_steps),
            h: or_zeros(h, s.batch * s.hidden),
            c: or_zeros(c, s.batch * s.hidden),
            ..Values::default()
        };
        let d = with(of, kept, |given| recurrent_grad(&weights, given, s));
        let (wide, state) = ([s.batch, s.steps, s.width()], [s.batch, s.hidden]);
        let mut outputs = vec![Array::new(wide, d.steps)];
        outputs.extend((of.cell == Cell::Gru).then(|| Array::new(wide, d.products)));
        if self.first {
            outputs.push(Array::new(state, d.h));
            outputs.extend((of.cell == Cell::Lstm).then(|| Array::new(state, d.c)));
        }
        outputs
    }
}

impl Reference for Next {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let states = self.0.cell.states();
        let (given, caches) = inputs.split_at(inputs.len() - states);
        let first = 2 + usize::from(self.0.bias);
        let past = cx.scope.sizes[gradiron_compiler::graph::step::SIZES[0]];
        let begin: Vec<Array> = match past {
            0 if self.0.initial => given[first..][..states].to_vec(),
            0 => {
                let s = spec(cx, &self.0);
                vec![Array::zeros([s.batch, s.hidden]); states]
            }
            _ => caches.to_vec(),
        };
        let of = Recurrent { initial: true, ..self.0.clone() };
        let mut made = of.run(cx, &[&given[..first], &begin].concat());
        made.truncate(1 + states);
        let last = made[1..].to_vec();
        [made, last].concat()
    }
}
