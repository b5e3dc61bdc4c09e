// Reductions of `x` to its kept axes. Element `r` behind result `o` is at `KEPT(o) + REDUCED(r)`. The
// elements are cut into `splits` parts, whose results are `y [splits, results]`.

#define IS_SUM (KIND == 0)
#define START (IS_SUM ? 0.0f : KIND == 1 ? -INFINITY : INFINITY)

DEVICE float fold(float a, float b) {
    return IS_SUM ? a + b : KIND == 1 ? larger(a, b) : smaller(a, b);
}

// The elements `from`, `from + step`, … below `end` behind result `o`. Sums of at most 64 elements
// are carried to a second sum, so that errors grow slowly.
DEVICE float fold_part(const x_t* x, unsigned o, unsigned from, unsigned end, unsigned step) {
    const unsigned start = KEPT(o);
    float whole = START;
    while (from < end) {
        float part = START;
        for (int i = 0; i < 64 && from < end; ++i, from += step) {
            part = fold(part, get(x, start + REDUCED(from)));
        }
        whole = fold(whole, part);
    }
    return whole;
}

#ifdef IS_rows
// Neighbours are reduced: `LANES` threads share a result.
KERNEL rows(y_t* y, const x_t* x, float scale, unsigned results, unsigned reduced, unsigned chunk,
            unsigned count) {
    const unsigned team = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (team >= count) return;
    const unsigned o = team % results, from = team / results * chunk;
    const unsigned end = min(from + chunk, reduced);
    float value = fold_part(x, o, from + lane, end, LANES);
    if (LANES == 32 || LANES == THREADS) {
        value = IS_SUM ? team_sum<LANES>(value)
                       : KIND == 1 ? team_max<LANES>(value) : -team_max<LANES>(-value);
    }
    if (lane == 0) put(y, team, scale * value);
}
#endif

#ifdef IS_columns
// Neighbours are kept: a block takes 32 results, and 8 threads share each.
KERNEL columns(y_t* y, const x_t* x, float scale, unsigned results, unsigned reduced, unsigned chunk,
               unsigned blocks) {
    __shared__ float parts[8][33];
    const unsigned col = threadIdx.x % 32, row = threadIdx.x / 32;
    const unsigned split = blockIdx.x / blocks, o = blockIdx.x % blocks * 32 + col;
    const unsigned from = split * chunk, end = min(from + chunk, reduced);
    parts[row][col] = o < results ? fold_part(x, o, from + row, end, 8) : START;
    __syncthreads();
    if (row != 0 || o >= results) return;
    float value = parts[0][col];
    for (int i = 1; i < 8; ++i) value = fold(value, parts[i][col]);
    put(y, split * results + o, scale * value);
}
#endif
