//! The plan of memory: nothing that lives at once overlaps, and what a run leaves behind does not
//! reach the next.

use gradiron::__private::arena::{ALIGN, Layout, Life, Part, padded, plan};
use gradiron::prelude::*;
use proptest::prelude::*;

const BUFFERS: usize = 12;

/// A forward pass of `boundary` nodes and a backward pass behind it; a buffer belongs to the part
/// that its life says, and the buffers are in the order of their first nodes.
fn buffers() -> impl Strategy<Value = ([usize; BUFFERS], [(u32, u32, Part); BUFFERS])> {
    let size = prop_oneof![Just(0), 1..40_usize, 1..5000_usize];
    let sizes = prop::array::uniform12(size);
    let lives = prop::array::uniform12((0..20_u32, 0..20_u32));
    (sizes, lives, 0..=20_u32).prop_map(|(sizes, lives, boundary)| {
        let mut lives = lives.map(|(a, b)| (a.min(b), a.max(b)));
        lives.sort_unstable();
        let lives = lives.map(|(first, last)| {
            let part = match (first < boundary, last < boundary) {
                (true, true) => Part::Forward,
                (true, false) => Part::Saved,
                (false, _) => Part::Backward,
            };
            (first, last, part)
        });
        (sizes, lives)
    })
}

fn meet(a: (u32, u32, Part), b: (u32, u32, Part)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// The most floats, in whole cache lines, that any node needs at once.
fn peak(sizes: &[usize], lives: &[(u32, u32, Part)], of: impl Fn(Part) -> bool) -> usize {
    let at = |node: u32| {
        let alive = sizes.iter().zip(lives);
        let alive = alive.filter(|(_, life)| of(life.2) && (life.0..=life.1).contains(&node));
        alive.map(|(size, _)| padded(*size)).sum()
    };
    (0..20).map(at).max().unwrap_or(0)
}

fn sum(sizes: &[usize], lives: &[(u32, u32, Part)], of: impl Fn(Part) -> bool) -> usize {
    sizes.iter().zip(lives).filter(|(_, life)| of(life.2)).map(|(size, _)| padded(*size)).sum()
}

fn planned(
    sizes: [usize; BUFFERS],
    lives: &[(u32, u32, Part); BUFFERS],
    whole: bool,
) -> Layout<BUFFERS> {
    plan(sizes, lives.map(|(first, last, part)| Life::new(first, last, part)), whole)
}

fn apart(layout: &Layout<BUFFERS>, sizes: &[usize], i: usize, j: usize) -> bool {
    let (a, b) = (layout.offsets[i], layout.offsets[j]);
    sizes[i] == 0 || sizes[j] == 0 || a + sizes[i] <= b || b + sizes[j] <= a
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn one_block_holds_what_lives_at_once((sizes, lives) in buffers()) {
        let layout = planned(sizes, &lives, true);
        prop_assert_eq!(layout.scratch, 0);
        for i in 0..BUFFERS {
            prop_assert_eq!(layout.offsets[i] % ALIGN, 0);
            prop_assert!(layout.offsets[i] + padded(sizes[i]) <= layout.saved);
            for j in 0..i {
                prop_assert!(!meet(lives[i], lives[j]) || apart(&layout, &sizes, i, j), "{i} {j}");
            }
        }
        prop_assert!(layout.saved >= layout.least);
        prop_assert_eq!(layout.least, peak(&sizes, &lives, |_| true));
        prop_assert!(layout.saved <= sum(&sizes, &lives, |_| true));
    }

    #[test]
    fn saved_memory_is_apart_from_scratch((sizes, lives) in buffers()) {
        let layout = planned(sizes, &lives, false);
        for i in 0..BUFFERS {
            let saved = lives[i].2 == Part::Saved;
            let total = if saved { layout.saved } else { layout.scratch };
            prop_assert_eq!(layout.offsets[i] % ALIGN, 0);
            prop_assert!(layout.offsets[i] + padded(sizes[i]) <= total);
            for j in 0..i {
                // Other functions run between the passes: what is saved shares no memory at all.
                let both_saved = saved && lives[j].2 == Part::Saved;
                let same_block = saved == (lives[j].2 == Part::Saved);
                let conflict = both_saved || same_block && meet(lives[i], lives[j]);
                prop_assert!(!conflict || apart(&layout, &sizes, i, j), "{i} {j}");
            }
        }
        let (is_saved, is_scratch) = (|p| p == Part::Saved, |p| p != Part::Saved);
        prop_assert_eq!(layout.saved, sum(&sizes, &lives, is_saved));
        prop_assert!(layout.saved + layout.scratch >= layout.least);
        prop_assert_eq!(layout.least, layout.saved + peak(&sizes, &lives, is_scratch));
        prop_assert!(layout.scratch <= sum(&sizes, &lives, is_scratch));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..<_>::default() })]

    /// Sizes of which some are so large that they, or their sum, are beyond the largest number:
    /// whether what lives at once fits is seen, and nothing wraps around.
    #[test]
    fn what_no_memory_holds_is_the_largest_number(
        (sizes, lives) in buffers(), shifts in prop::array::uniform12(0..128_u32),
    ) {
        let mut large = sizes;
        for (size, shift) in large.iter_mut().zip(shifts) {
            *size = if shift < 52 { size.saturating_mul(1 << shift) } else { *size };
        }
        for whole in [true, false] {
            let layout = planned(large, &lives, whole);
            let total = |is_saved: bool| {
                let of = |i: &usize| (!whole && lives[*i].2 == Part::Saved) == is_saved;
                let floats = |i: usize| (large[i] as u128).next_multiple_of(ALIGN as u128);
                (0..BUFFERS).filter(of).map(floats).sum::<u128>()
            };
            let blocks = if whole { [(layout.saved, false), (0, true)] } else {
                [(layout.scratch, false), (layout.saved, true)]
            };
            for (block, is_saved) in blocks {
                let of = |i: &usize| (!whole && lives[*i].2 == Part::Saved) == is_saved;
                prop_assert!(block as u128 <= total(is_saved));
                for i in (0..BUFFERS).filter(of) {
                    let end = layout.offsets[i].saturating_add(padded(large[i]));
                    prop_assert!(end <= block, "{end} is beyond {block}");
                }
            }
            if !whole && total(true) > usize::MAX as u128 {
                prop_assert_eq!(layout.saved, usize::MAX);
            }
        }
    }
}

/// A chain of equal buffers, each read by the next node only, takes turns in two places.
#[test]
fn a_chain_takes_two_buffers() {
    let lives = std::array::from_fn(|i| (i as u32, i as u32 + 1, Part::Forward));
    assert_eq!(planned([100; BUFFERS], &lives, true).saved, 2 * padded(100));
}

model! {
    struct Block<const D: usize> {
        up: Linear(D -> 3 * D),
        down: Linear(3 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).gelu())
    }
}

model! {
    struct Model {
        conv: Conv2d(1 -> 4, kernel = 3, stride = 2, padding = 1),
        skip: Conv2d(4 -> 4, kernel = 1, bias = false),
        fc: Linear(16 -> 8),
        one: Block<8>,
        blocks: [Block<8>; 3],
        head: Linear(8 -> 5),
    }

    fn forward(&self, x: [batch, 1, 8, 8]) -> [batch, 5] {
        let x = self.conv(x).relu();
        let x = (x + self.skip(x).softmax(dim = 1)).max_pool2d(3, stride = 2, padding = 1);
        let x = x.permute([0, 2, 3, 1]).flatten();
        let x = self.one(self.fc(x).silu());
        let x = self.blocks(x - x.mean(dim = 1, keepdim = true));
        self.head(x)
    }

    fn loss(&self, x: [batch, 1, 8, 8], label: Classes[batch]) -> [] {
        let y = self.forward(x);
        cross_entropy(y, label, label_smoothing = 0.1) + y.square().mean() * 0.01
    }
}

/// Every bit that the three passes of both functions give.
fn outcome(net: &Model, ws: &mut Workspace<Model>, batch: usize, poison: bool) -> Vec<u32> {
    let x: Vec<[[[f32; 8]; 8]; 1]> = (0..batch)
        .map(|b| {
            [std::array::from_fn(|i| {
                std::array::from_fn(|j| ((b * 64 + i * 8 + j) as f32 * 0.7).sin())
            })]
        })
        .collect();
    let label: Vec<u8> = (0..batch).map(|b| (b % 5) as u8).collect();
    let d: Vec<[f32; 5]> = (0..batch).map(|b| [0.5 - b as f32; 5]).collect();
    let mut floats = Vec::new();
    let fresh = |ws: &mut Workspace<Model>| {
        if poison {
            ws.poison();
        }
    };
    fresh(ws);
    floats.extend_from_slice(net.forward(ws, &x).unwrap().as_flattened());
    fresh(ws);
    floats.push(net.loss(ws, &x, &label).unwrap());
    fresh(ws);
    floats.extend_from_slice(net.forward_grad(ws, &x, &d).unwrap().as_flattened());
    floats.extend_from_slice(ws.grads().as_slice());
    fresh(ws);
    let (y, d_x) = net.forward_grad_inputs(ws, &x, &d).unwrap();
    floats.extend_from_slice(y.as_flattened());
    floats.extend(d_x.iter().flatten().flatten().flatten());
    floats.extend_from_slice(ws.grads().as_slice());
    fresh(ws);
    floats.push(net.loss_grad(ws, &x, &label).unwrap());
    floats.extend_from_slice(ws.grads().as_slice());
    fresh(ws);
    let (loss, d_x) = net.loss_grad_inputs(ws, &x, &label).unwrap();
    floats.push(loss);
    floats.extend(d_x.iter().flatten().flatten().flatten());
    floats.extend_from_slice(ws.grads().as_slice());
    assert!(floats.iter().all(|x| x.is_finite()), "memory that nothing wrote was read");
    floats.into_iter().map(f32::to_bits).collect()
}

#[test]
fn what_runs_leave_behind_is_not_read() {
    let net = Model::init(Seed(3));
    for threads in [1, 2] {
        for (batch, capacity) in [(1, 1), (3, 3), (3, 17), (17, 17)] {
            let device = Cpu::with_threads(threads);
            let mut ws = Model::workspace_on(device, capacity).unwrap();
            let fresh = outcome(&net, &mut ws, batch, false);
            assert_eq!(outcome(&net, &mut ws, batch, false), fresh, "a second time");
            assert_eq!(outcome(&net, &mut ws, batch, true), fresh, "poisoned");
            assert_eq!(ws.bytes(), Model::footprint(capacity, Target::Host).train);
        }
    }
}
