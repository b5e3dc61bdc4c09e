//! Constants of equal value under several names compute what one name does, bit for bit, and what
//! rustc is left to compare is known to the backward pass, to fusion and to steps.

use gradiron::prelude::*;

use crate::data::{Labels, batch, bits};

const A: usize = 4;
const B: usize = 4;
const C: usize = A + B - 4;
const D: usize = 8;
const E: usize = 2 * B;
const H: usize = 2;

/// The same model with these names for its sizes.
macro_rules! models {
    ($block:ident, $mixed:ident, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $h:expr) => {
        model! {
            pub struct $block {
                fc: Linear($d -> $e),
            }

            pub fn forward(&self, x: [batch, $b, $d]) -> [batch, $c, $e] {
                x + self.fc(x).tanh()
            }
        }

        model! {
            pub struct $mixed {
                fc: Linear($d -> $e),
                wide: Linear($e -> 8),
                norm: LayerNorm($e),
                attn: MultiheadAttention($e, num_heads = $h),
                rnn: GRU($e -> $d),
                blocks: [$block; $h],
                place: Param([$c, $d]),
            }

            /// Sums, products and shapes.
            pub fn sums(
                &self, x: [batch, $a, 8], y: [batch, $b, $d], z: [batch, $c, $e]
            ) -> [batch, $b, 8] {
                let p = (x + self.fc(y)).relu() * z + self.place;
                let q = self.norm(self.wide(p) - y).reshape([batch, $b * 8]).reshape([batch, $c, $e]);
                let r = cat([p, q], 2).narrow(2, 4, 8);
                where_(x.gt(y), r, q) + p.amax(dim = 1, keepdim = true)
            }

            /// Products and attention.
            pub fn attended(
                &self, x: [batch, $a, 8], y: [batch, $b, $d], z: [batch, $c, $e]
            ) -> [batch, $c, $d] {
                let p = self.attn(self.fc(x), y, z) + y;
                let q = scaled_dot_product_attention(p, x + y, z);
                let r = q.matmul(self.attn(z).transpose(1, 2)).softmax(dim = 2);
                let (s, _) = self.rnn(r.matmul(x) * y);
                self.blocks(s + z)
            }

            /// Losses.
            pub fn loss(
                &self, x: [batch, $a, 8], y: [batch, $b, $d], z: [batch, $c, $e],
                label: Classes[batch, $b],
            ) -> [] {
                let p = self.sums(x, y, z);
                let q = self.attended(p, z, y);
                mse_loss(q, x) + l1_loss(p, y)
                    + cross_entropy(q.transpose(1, 2), label)
                    + kl_div(p.log_softmax(dim = 2), z.softmax(dim = 2))
            }
        }
    };
}

mod plain {
    use gradiron::prelude::*;
    models!(Block, Mixed, 4, 4, 4, 8, 8, 2);
}

mod named {
    use super::{A, B, C, D, E, H};
    use gradiron::prelude::*;
    models!(Block, Mixed, A, B, C, D, E, H);
}

#[test]
fn equal_sizes_compute_the_same() {
    let (x, y) = (batch::<[[f32; 8]; 4]>(1, 3), batch::<[[f32; 8]; 4]>(2, 3));
    let (z, seed) = (batch::<[[f32; 8]; 4]>(3, 3), batch::<[[f32; 8]; 4]>(4, 3));
    let label = [[0_u32, 3, 7, 1], [2, 2, 6, 5], [7, 0, 4, 4]];
    let of = (plain::Mixed::init(Seed(5)), named::Mixed::init(Seed(5)));
    let ws = (plain::Mixed::workspace(3), named::Mixed::workspace(3));
    let mut ws = (ws.0.expect("memory"), ws.1.expect("memory"));
    assert_eq!(bits(of.0.params()), bits(of.1.params()));
    macro_rules! same {
        ($grad:ident, $($x:expr),+) => {
            let made = of.0.$grad(&mut ws.0, $(&$x),+).expect("inputs fit").to_vec();
            let also = of.1.$grad(&mut ws.1, $(&$x),+).expect("inputs fit").to_vec();
            assert_eq!(bits(made.as_flattened().as_flattened()), bits(also.as_flattened().as_flattened()));
            assert_eq!(bits(ws.0.grads().as_slice()), bits(ws.1.grads().as_slice()));
        };
    }
    same!(sums_grad, x, y, z, seed);
    same!(attended_grad, x, y, z, seed);
    let losses = (
        of.0.loss_grad(&mut ws.0, &x, &y, &z, &label).expect("inputs fit"),
        of.1.loss_grad(&mut ws.1, &x, &y, &z, &label).expect("inputs fit"),
    );
    assert_eq!(losses.0.to_bits(), losses.1.to_bits());
    assert_eq!(bits(ws.0.grads().as_slice()), bits(ws.1.grads().as_slice()));
}

#[test]
fn gradients_of_equal_sizes() {
    let (x, y) = (batch::<[[f32; 8]; 4]>(1, 2), batch::<[[f32; 8]; 4]>(2, 2));
    let (z, label) = (batch::<[[f32; 8]; 4]>(3, 2), Labels(vec![[0, 3, 7, 1], [2, 2, 6, 5]]));
    gradients!(
        named::Mixed::init(Seed(5)), named::Mixed::workspace(2),
        [loss, loss_grad, loss_grad_inputs], (x, y, z, label) -> number);
}

const CONTEXT: usize = 6;
const T: usize = 6;
const ROWS: usize = CONTEXT;

model! {
    struct Stepped {
        place: Param([CONTEXT, D]),
        attn: MultiheadAttention(8, num_heads = H),
        fc: Linear(E -> D),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, T, 8]) -> [batch, ROWS, D] {
        self.fc(x + self.attn(x + self.place, is_causal = true)).tanh()
    }
}

#[test]
fn a_step_knows_its_length_under_other_names() {
    let net = Stepped::init(Seed(6));
    let mut ws = Stepped::workspace(2).expect("memory");
    let check = net.forward_step_check(&mut ws, Seed(7)).expect("memory");
    assert!(check.difference < 1e-5, "{check:?}");
}
