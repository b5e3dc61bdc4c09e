//! Places of maxima.

use gradiron::ops::argmax::{Argmax, reference};
use gradiron::ops::softmax::SoftmaxSpec;

use crate::harness::*;

#[test]
fn places_of_maxima() {
    for [outer, size, inner] in AXES {
        let spec = SoftmaxSpec { outer, size, inner };
        let mut x = Rng(7).floats(outer * size * inner);
        // Equal ones, and what is no number.
        let last = x.len() - 1;
        (x[last], x[last / 2]) = (x[0], f32::NAN);
        let mut y = vec![0.0; outer * inner];
        reference::argmax(&mut y, &wide(&x), spec);
        let call = Call { outputs: &[y.len()], inputs: &[&x], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| step.argmax(y[0], x[0], spec),
            |level, got| assert_close(&format!("{spec:?} {level}"), &got[0], &y, |_| 0.0),
        );
    }
}
