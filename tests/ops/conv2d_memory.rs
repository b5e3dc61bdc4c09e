//! The scratch memory of convolutions of which only a run knows the size of the planes: enough for
//! all smaller planes and batches, and no less for larger ones, so that memory which is planned for
//! the largest serves every run.

use gradiron::ops::conv2d::{Algorithm, Conv2dSpec, Pass};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::InputGrad, Pass::WeightGrad];
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows];

/// Few and many channels, with what each algorithm cuts its work by.
fn specs() -> Vec<Conv2dSpec> {
    let new = |channels, kernel| Conv2dSpec::new(1, channels, [1, 1], kernel);
    let padded = |padding, spec| Conv2dSpec { padding: [padding; 2], ..spec };
    vec![
        padded(1, new([1, 4], [3, 3])),
        padded(1, new([3, 9], [3, 3])),
        padded(1, new([16, 16], [3, 3])),
        padded(2, new([17, 40], [3, 3])),
        new([64, 33], [3, 3]),
        padded(1, new([130, 64], [3, 3])),
        new([24, 48], [1, 1]),
        padded(2, new([6, 16], [5, 5])),
        Conv2dSpec { stride: [2, 2], ..padded(3, new([3, 32], [7, 7])) },
        Conv2dSpec { stride: [2, 3], dilation: [2, 1], ..padded(1, new([5, 20], [3, 3])) },
        Conv2dSpec { groups: 8, ..padded(1, new([8, 16], [3, 3])) },
        Conv2dSpec { groups: 2, ..new([32, 64], [3, 1]) },
    ]
}

/// Sizes around which the cuts change, and some between.
const SIDES: [usize; 11] = [1, 3, 4, 5, 8, 9, 17, 33, 64, 100, 161];
const BATCHES: [usize; 3] = [1, 3, 40];

/// All planes and batches of these sizes into which the window fits.
fn sized(spec: Conv2dSpec) -> Vec<Conv2dSpec> {
    let sides = SIDES.into_iter().flat_map(|height| SIDES.map(|width| (height, width)));
    let all = sides.flat_map(|(height, width)| {
        BATCHES.map(|batch| Conv2dSpec { batch, height, width, ..spec })
    });
    all.filter(|spec| spec.output_len() > 0).collect()
}

/// What a pass needs, and what is planned where only a run knows the size.
fn scratch(spec: Conv2dSpec, pass: Pass, algorithm: Option<Algorithm>) -> [usize; 2] {
    [spec, spec.any_size()].map(|spec| match algorithm {
        Some(algorithm) => spec.scratch_of(pass, algorithm),
        None => spec.scratch(pass),
    })
}

/// Whether the planes and the batch are no larger than others.
fn is_within(small: &Conv2dSpec, large: &Conv2dSpec) -> bool {
    small.batch <= large.batch && small.height <= large.height && small.width <= large.width
}

#[test]
fn memory_for_the_largest_planes_serves_all() {
    for spec in specs() {
        let sizes = sized(spec);
        for pass in PASSES {
            let fits = |algorithm: &Algorithm| spec.fits(pass, *algorithm);
            let forms = ALGORITHMS.into_iter().filter(fits).map(Some).chain([None]);
            for algorithm in forms {
                let needed: Vec<_> =
                    sizes.iter().map(|spec| scratch(*spec, pass, algorithm)).collect();
                for (large, [_, planned]) in sizes.iter().zip(&needed) {
                    for (small, [own, as_planned]) in sizes.iter().zip(&needed) {
                        if is_within(small, large) {
                            let text = format!("{pass:?} {algorithm:?} {small:?} in {large:?}");
                            assert!(own <= planned && as_planned <= planned, "{text}");
                        }
                    }
                }
            }
        }
    }
}

/// Where sizes are known, runs of fewer samples take the same memory.
#[test]
fn memory_for_the_largest_batch_serves_fewer_samples() {
    for spec in specs() {
        for side in [2, 3, 4, 6, 8, 12, 16, 28, 33] {
            let of = |batch| Conv2dSpec { batch, height: side, width: side, ..spec };
            for pass in PASSES {
                let mut most = 0;
                for spec in (1..140).map(of).filter(|spec| spec.output_len() > 0) {
                    let own = spec.scratch(pass).max(spec.prepared_scratch());
                    assert!(own >= most, "{pass:?} {spec:?}: {own}, and {most} of fewer samples");
                    most = own;
                }
            }
        }
    }
}

#[test]
fn prepared_weights_serve_planes_of_any_size() {
    for spec in specs() {
        let sizes = sized(spec);
        let lens: Vec<_> = sizes.iter().map(|spec| spec.any_size().prepared_len()).collect();
        assert!(lens.iter().all(|len| *len == lens[0]), "{spec:?}");
        let own = sizes.iter().map(Conv2dSpec::prepared_len).max();
        assert!(own <= Some(lens[0]), "{spec:?}");
        for large in &sizes {
            let planned = large.any_size().prepared_scratch();
            for small in sizes.iter().filter(|small| is_within(small, large)) {
                assert!(small.prepared_scratch() <= planned, "{small:?} in {large:?}");
                assert!(small.any_size().prepared_scratch() <= planned, "{small:?} in {large:?}");
            }
        }
    }
}

/// What the bounds cost where planes are not small.
#[test]
fn the_memory_is_at_most_four_times_what_is_needed() {
    for spec in specs() {
        for pass in PASSES {
            let large = Conv2dSpec { batch: 8, height: 161, width: 161, ..spec };
            let [own, planned] = scratch(large, pass, None);
            assert!(planned <= 4 * own, "{pass:?} {spec:?}: {planned} for {own}");
        }
    }
}
