//! Concatenation.

use gradiron::ops::cat::{Cat, CatSpec, reference};
use gradiron::ops::fill::Fill as _;

use crate::harness::*;

#[test]
fn operands_and_their_gradients() {
    // Rows, and the columns of each operand.
    let cases: [(usize, &[usize]); 11] = [
        (3, &[8, 4, 12]),
        (3, &[2, 6]),
        (1, &[3]),
        (1, &[40_000, 7, 1]),
        (2, &[1, 1]),
        (7, &[3, 2, 1]),
        (65, &[64, 17]),
        (1000, &[1, 64]),
        (3, &[20_000, 1, 17_000]),
        (0, &[3, 4]),
        (5, &[0, 4]),
    ];
    for (outer, lens) in cases {
        let total = lens.iter().sum();
        let spec = |i: usize| CatSpec { outer, start: lens[..i].iter().sum(), len: lens[i], total };
        let mut rng = Rng(31);
        let xs: Vec<_> = lens.iter().map(|len| rng.floats(outer * len)).collect();
        let d_y = rng.floats(outer * total);
        let (mut y, mut d_xs) = (vec![0.0; outer * total], Vec::new());
        for (i, x) in xs.iter().enumerate() {
            reference::cat(&mut y, &wide(x), spec(i));
            let mut d_x = vec![0.0; x.len()];
            reference::cat_grad(&mut d_x, &wide(&d_y), spec(i));
            d_xs.push(d_x);
        }
        let mut outputs = vec![outer * total];
        outputs.extend(xs.iter().map(Vec::len));
        // Where many elements are moved at once.
        outputs.push(outer * total);
        let mut inputs: Vec<&[f32]> = vec![&d_y];
        inputs.extend(xs.iter().map(Vec::as_slice));
        let call = Call { outputs: &outputs, inputs: &inputs, indices: &[], scratch: y.len() + 7 };
        call.run(
            |step, got, x, scratch| {
                let whole = aligned(scratch, got[0].len);
                for i in 0..lens.len() {
                    step.cat(got[0], x[i + 1], spec(i));
                    step.cat(whole, x[i + 1], spec(i));
                }
                step.copy(got[lens.len() + 1], whole);
                for i in 0..lens.len() {
                    let part = aligned(scratch, x[i + 1].len);
                    step.cat_grad(part, x[0], spec(i));
                    step.copy(got[i + 1], part);
                }
            },
            |level, got| {
                assert_close(&format!("{outer} {lens:?} {level}"), &got[0], &y, |_| 0.0);
                assert_eq!(got[lens.len() + 1], got[0]);
                for (got, want) in got[1..].iter().zip(&d_xs) {
                    assert_close(&format!("{outer} {lens:?} {level}"), got, want, |_| 0.0);
                }
            },
        );
        // The gradient is the transposed map: it picks what the operand was written to.
        let Some(x) = xs.first().filter(|x| !x.is_empty()) else { continue };
        assert_gradient("cat", &wide(x), &d_xs[0], |x| {
            let mut y = vec![0.0; outer * total];
            reference::cat(&mut y, x, spec(0));
            weighted(&y, &wide(&d_y))
        });
    }
}
