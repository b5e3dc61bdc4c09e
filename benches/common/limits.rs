//! What this machine can do at most, measured on the spot: multiply-adds and copies.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

const REPEATS: usize = 9;

/// The most GFLOP/s of fused multiply-adds in `f32` that `threads` threads do together.
pub fn multiply_adds(threads: usize) -> f64 {
    const ROUNDS: usize = 1 << 20;
    let (flops, kernel) = multiply_add_kernel();
    rate(threads, (ROUNDS * flops) as f64, |_| kernel(ROUNDS))
}

/// The most GFLOP/s of dot products in bf16 with sums in `f32`, where the processor has them.
pub fn bf16_dots(threads: usize) -> Option<f64> {
    const ROUNDS: usize = 1 << 20;
    let (flops, kernel) = bf16_dot_kernel()?;
    Some(rate(threads, (ROUNDS * flops) as f64, |_| kernel(ROUNDS)))
}

/// The GB/s, read and written, of copies between two arrays of `floats` floats together.
pub fn copies(threads: usize, floats: usize) -> f64 {
    let len = floats / 2;
    let rounds = ((256 << 20) / floats).max(1);
    let arrays: Vec<_> = (0..threads).map(|_| (vec![1.0_f32; len], vec![0.0_f32; len])).collect();
    let arrays: Vec<_> = arrays.into_iter().map(std::sync::Mutex::new).collect();
    rate(threads, (rounds * floats * 4) as f64, |thread| {
        let mut arrays = arrays[thread].lock().expect("one thread has it");
        let (from, to) = &mut *arrays;
        for _ in 0..rounds {
            to.copy_from_slice(black_box(from));
            black_box(&mut *to);
        }
    })
}

/// The best of some runs of `work` on each thread at once: `amount` a thread, in billions a second.
fn rate(threads: usize, amount: f64, work: impl Fn(usize) + Sync) -> f64 {
    let (start, end) = (Barrier::new(threads), Barrier::new(threads));
    let best = std::thread::scope(|scope| {
        let run = |thread: usize| {
            let (work, start, end) = (&work, &start, &end);
            move || {
                work(thread);
                let mut best = f64::INFINITY;
                for _ in 0..REPEATS {
                    start.wait();
                    let before = Instant::now();
                    work(thread);
                    end.wait();
                    best = best.min(before.elapsed().as_secs_f64());
                }
                best
            }
        };
        let others: Vec<_> = (1..threads).map(|t| scope.spawn(run(t))).collect();
        let best = run(0)();
        others.into_iter().for_each(|other| drop(other.join()));
        best
    });
    amount * threads as f64 / best * 1e-9
}

/// A loop of independent multiply-adds in registers, and the floating-point operations of a round.
fn multiply_add_kernel() -> (usize, fn(usize)) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;

        macro_rules! kernel {
            ($name:ident, $feature:literal, $splat:ident, $fma:ident) => {
                #[target_feature(enable = $feature)]
                fn $name(rounds: usize) {
                    let (x, y) = ($splat(black_box(0.999)), $splat(black_box(1e-3)));
                    let mut sums = [$splat(1.0); 12];
                    for _ in 0..rounds {
                        for sum in &mut sums {
                            *sum = $fma(*sum, x, y);
                        }
                    }
                    black_box(sums);
                }
            };
        }
        kernel!(avx512, "avx512f", _mm512_set1_ps, _mm512_fmadd_ps);
        kernel!(avx2, "avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps);
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature.
            return (12 * 16 * 2, |rounds| unsafe { avx512(rounds) });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features.
            return (12 * 8 * 2, |rounds| unsafe { avx2(rounds) });
        }
    }
    fn portable(rounds: usize) {
        let (x, y, mut sums) = (black_box(0.999_f32), black_box(1e-3), [1.0_f32; 64]);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = *sum * x + y;
            }
        }
        black_box(sums);
    }
    (128, portable)
}

/// A loop of independent dot products of pairs, and the floating-point operations of a round.
fn bf16_dot_kernel() -> Option<(usize, fn(usize))> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;

        #[target_feature(enable = "avx512f,avx512bf16")]
        fn dots(rounds: usize) {
            let ones = _mm512_set1_ps(black_box(1e-3));
            let (x, y) = (_mm512_cvtne2ps_pbh(ones, ones), _mm512_cvtne2ps_pbh(ones, ones));
            let mut sums = [_mm512_set1_ps(1.0); 12];
            for _ in 0..rounds {
                for sum in &mut sums {
                    *sum = _mm512_dpbf16_ps(*sum, x, y);
                }
            }
            black_box(sums);
        }
        if is_x86_feature_detected!("avx512bf16") {
            // SAFETY: the processor has the feature, and with it AVX-512.
            return Some((12 * 32 * 2, |rounds| unsafe { dots(rounds) }));
        }
    }
    None
}
