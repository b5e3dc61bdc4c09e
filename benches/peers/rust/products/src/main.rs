//! Products of f32 matrices, row-major, by the crates that offer them.

use faer::{Accum, MatMut, MatRef, Par};
use gemm::Parallelism;
use peer_common::{Lcg, Report};

fn main() {
    let report = Report::new("products");
    let rayon = report.threads > 1;
    let parallelism = if rayon { Parallelism::Rayon(report.threads) } else { Parallelism::None };
    let par = if rayon { Par::rayon(report.threads) } else { Par::Seq };
    let squares = [32, 64, 128, 256, 512, 1024].map(|n| (n, n, n));
    for (m, n, k) in squares.into_iter().chain([(64, 128, 784), (256, 2048, 784), (768, 128, 512)]) {
        let name = format!("gemm_NN_{m}x{n}x{k}");
        let mut rng = Lcg::new(7);
        let (a, b, mut y) = (rng.floats(m * k), rng.floats(k * n), vec![0.0; m * n]);
        let (k_i, n_i) = (k as isize, n as isize);
        // SAFETY: the pointers and strides describe `a [m, k]`, `b [k, n]` and `y [m, n]`.
        report.run_as("gemm", &name, || unsafe {
            let (y, a, b) = (y.as_mut_ptr(), a.as_ptr(), b.as_ptr());
            gemm::gemm(
                m, n, k, y, 1, n_i, false, a, 1, k_i, b, 1, n_i, 0.0, 1.0, false, false, false, parallelism,
            );
        });
        // SAFETY: the same matrices, and `y` is the only one that is written.
        report.run_as("matrixmultiply", &name, || unsafe {
            let (y, a, b) = (y.as_mut_ptr(), a.as_ptr(), b.as_ptr());
            matrixmultiply::sgemm(m, k, n, 1.0, a, k_i, 1, b, n_i, 1, 0.0, y, n_i, 1);
        });
        report.run_as("faer", &name, || {
            let y = MatMut::from_row_major_slice_mut(&mut y, m, n);
            let (a, b) = (MatRef::from_row_major_slice(&a, m, k), MatRef::from_row_major_slice(&b, k, n));
            faer::linalg::matmul::matmul(y, Accum::Replace, a, b, 1.0, par);
        });
        std::hint::black_box(&y);
    }
}
