//! Sums of a tile in `f64`, for numbers whose squares leave the range of `f32`: rare, and so plain.

use super::cpu::{Sums, WIDTH};
use super::tile::Tile;

/// The moments of each channel of a tile.
pub(super) struct Wide {
    pub centre: [f32; WIDTH],
    /// `Σ (x − centre)`
    pub away: [f64; WIDTH],
    /// `Σ (x − centre)²`
    pub squares: [f64; WIDTH],
}

/// Calls `f` with the channel and both elements of every place; a channel has `inner` columns.
fn each(tile: Tile<'_>, inner: usize, mut f: impl FnMut(usize, f64, f64)) {
    for row in 0..tile.rows {
        for column in 0..tile.len {
            let at = row * tile.stride + column;
            f(column / inner, f64::from(tile.a[at]), f64::from(tile.b[at]));
        }
    }
}

#[cold]
#[inline(never)]
pub(super) fn moments(tile: Tile<'_>, inner: usize) -> Wide {
    let count = (tile.rows * inner) as f64;
    let (mut sums, mut away, mut squares) = ([0.0; WIDTH], [0.0; WIDTH], [0.0; WIDTH]);
    each(tile, inner, |c, x, _| sums[c] += x);
    let centre = sums.map(|sum: f64| (sum / count) as f32);
    each(tile, inner, |c, x, _| {
        let distance = x - f64::from(centre[c]);
        away[c] += distance;
        squares[c] += distance * distance;
    });
    Wide { centre, away, squares }
}

/// Adds what the tile adds.
#[cold]
#[inline(never)]
pub(super) fn products(sums: &mut Sums, tile: Tile<'_>, mean: &[f32], inner: usize) {
    each(tile, inner, |c, d_y, x| {
        sums.products[c] += d_y * (x - f64::from(mean[c]));
        sums.plain[c] += d_y;
    });
}
