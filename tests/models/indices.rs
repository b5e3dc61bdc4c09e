//! Class indices on their way through functions and nested models: what they must stay below is
//! known at the call from outside, and an error names the argument there.

use gradiron::InputError;
use gradiron::prelude::*;

use crate::data::{Labels, batch, bits};

model! {
    struct Tokens<const V: usize> {
        table: Embedding(V -> 2),
    }

    fn forward(&self, token: Classes[n, 3]) -> [n, 3, 2] {
        self.table(token)
    }
}

model! {
    struct Scaled {
        inner: Tokens<5>,
        fc: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 3, 2], word: Classes[batch, 3]) -> [batch, 3, 2] {
        let y: [batch, 3, 2] = self.inner(word);
        self.fc(x) * y.sin()
    }
}

model! {
    struct Deep {
        small: Tokens<4>,
        large: Tokens<7>,
        layers: [Scaled; 2],
        own: Embedding(6 -> 2),
    }

    fn embed(&self, id: Classes[batch, 3]) -> [batch, 3, 2] {
        self.own(id)
    }

    /// The bounds: 4 for `a`, 6 for `b`, 5 for `c` and 7 for `d`.
    fn forward(
        &self,
        a: Classes[batch, 3],
        b: Classes[batch, 3],
        c: Classes[batch, 3],
        d: Classes[batch, 3, 1],
    ) -> [batch, 3, 2] {
        let x: [batch, 3, 2] = self.small(a);
        let y: [batch, 3, 2] = self.large(b);
        let z: [batch, 3, 2] = self.large(d.reshape([batch, 3]));
        let x = x.cos() + self.embed(a) * self.embed(b) + y * z;
        self.layers(x, c)
    }

    fn loss(
        &self,
        a: Classes[batch, 3],
        b: Classes[batch, 3],
        c: Classes[batch, 3],
        d: Classes[batch, 3, 1],
        label: Classes[batch, 3],
    ) -> [] {
        let y = self.forward(a, b, c, d).reshape([batch * 3, 2]);
        cross_entropy(y, label.reshape([batch * 3]))
    }
}

type Rows = Vec<[u8; 3]>;

fn rows() -> (Rows, Rows, Rows, Vec<[[u8; 1]; 3]>, Rows) {
    let d = vec![[[6], [0], [1]], [[2], [6], [6]]];
    (
        vec![[3, 0, 1], [3, 3, 2]],
        vec![[5, 0, 5], [1, 2, 3]],
        vec![[4, 4, 0], [1, 4, 2]],
        d,
        vec![[1, 0, 1], [1, 1, 0]],
    )
}

#[test]
fn bounds_reach_the_arguments_outside() {
    let net = Deep::init(Seed(1));
    let mut ws = Deep::workspace(2).unwrap();
    let (a, b, c, d, label) = rows();
    net.loss_grad(&mut ws, &a, &b, &c, &d, &label).unwrap();
    let before = bits(ws.grads().as_slice());
    let limits = [("a", 4), ("b", 6), ("c", 5), ("d", 7), ("label", 2)];
    for (i, (input, classes)) in limits.into_iter().enumerate() {
        let (mut a, mut b, mut c, mut d, mut label) = rows();
        let slot = match i {
            0 => &mut a[1][2],
            1 => &mut b[1][2],
            2 => &mut c[1][2],
            3 => &mut d[1][2][0],
            _ => &mut label[1][2],
        };
        *slot = classes as u8;
        let at = if i == 3 { vec![1, 2, 0] } else { vec![1, 2] };
        let expected = InputError::Class { input, at, found: classes as i128, classes };
        let place = if i == 3 { "[1][2][0]" } else { "[1][2]" };
        let text = format!(
            "`{input}{place}` is the class {classes}, but classes go from 0 to {}",
            classes - 1
        );
        assert_eq!(expected.to_string(), text);
        let dy = batch::<[[f32; 2]; 3]>(1, 2);
        if i < 4 {
            assert_eq!(net.forward(&mut ws, &a, &b, &c, &d), Err(expected.clone()));
            let refused = net.forward_grad(&mut ws, &a, &b, &c, &d, &dy);
            assert_eq!(refused, Err(expected.clone()));
        }
        assert_eq!(net.loss(&mut ws, &a, &b, &c, &d, &label), Err(expected.clone()));
        let refused = net.loss_grad(&mut ws, &a, &b, &c, &d, &label);
        assert_eq!(refused, Err(expected));
        assert_eq!(bits(ws.grads().as_slice()), before, "a refused call changed the gradients");
    }
}

model! {
    struct Once {
        embedding: Tokens<5>,
        head: Linear(2 -> 5),
    }

    /// Without a float argument.
    fn logits(&self, id: Classes[batch, 3]) -> [batch, 3, 5] {
        let x: [batch, 3, 2] = self.embedding(id);
        self.head(x)
    }

    fn loss(&self, id: Classes[batch, 3], next: Classes[batch, 3], x: [batch]) -> [] {
        let logits = self.logits(id).reshape([batch * 3, 5]);
        cross_entropy(logits, next.reshape([batch * 3])) + x.square().mean()
    }
}

#[test]
fn gradients_behind_indices_of_two_axes() {
    let (_, _, id, _, next) = rows();
    let (id, next) = (Labels(id), Labels(next));
    let x = batch::<f32>(1, 2);
    gradients!(
        Once::init(Seed(1)), Once::workspace(2),
        [loss, loss_grad, loss_grad_inputs], (id, next, x) -> number);
}
