// Reductions of `x` to its kept axes. Element `r` behind result `o` is at `KEPT(o) + REDUCED(r)`.
// The elements are cut into parts, whose results are `y [parts, results]`. `WIDTH` neighbours lie
// in one axis and are loaded at once.

#define IS_SUM (KIND == 0)
#define START (IS_SUM ? 0.0f : KIND == 1 ? -INFINITY : INFINITY)

DEVICE float fold(float a, float b) {
    return IS_SUM ? a + b : KIND == 1 ? larger(a, b) : smaller(a, b);
}

// The elements `from`, `from + step`, … below `end` behind result `o`, each the first of
// neighbours. Sums of at most 64 elements are carried with what that loses, so that errors do not
// grow with their number.
DEVICE void fold_part(float (&whole)[WIDTH], const x_t* x, unsigned o, unsigned from, unsigned end,
                      unsigned step) {
    const unsigned start = KEPT(o);
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) whole[e] = START;
    Total sums[WIDTH];
    while (from < end) {
        float part[WIDTH];
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) part[e] = START;
        int i = 0;
        // Eight loads wait together.
        for (; i < 64 && from + 7 * step < end; i += 8, from += 8 * step) {
            float v[8][WIDTH];
#pragma unroll
            for (int j = 0; j < 8; ++j) load(v[j], x, start + REDUCED(from + j * step));
#pragma unroll
            for (int j = 0; j < 8; ++j) {
#pragma unroll
                for (int e = 0; e < WIDTH; ++e) part[e] = fold(part[e], v[j][e]);
            }
        }
        for (; i < 64 && from < end; ++i, from += step) {
            float v[WIDTH];
            load(v, x, start + REDUCED(from));
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) part[e] = fold(part[e], v[e]);
        }
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            if (IS_SUM) sums[e].add(part[e]);
            else whole[e] = fold(whole[e], part[e]);
        }
    }
#pragma unroll
    for (int e = 0; e < WIDTH && IS_SUM; ++e) whole[e] = sums[e].value();
}

#ifdef IS_rows
// Neighbours are reduced: `LANES` threads share a result.
KERNEL rows(y_t* y, const x_t* x, float scale, unsigned results, unsigned reduced, unsigned chunk,
            unsigned count) {
    const unsigned team = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (team >= count) return;
    const unsigned o = team % results, from = team / results * chunk;
    const unsigned end = min(from + chunk, reduced);
    float parts[WIDTH], value = START;
    fold_part(parts, x, o, from + lane * WIDTH, end, LANES * WIDTH);
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) value = fold(value, parts[e]);
    value = IS_SUM ? team_sum<LANES>(value)
                   : KIND == 1 ? team_max<LANES>(value) : -team_max<LANES>(-value);
    if (lane == 0) put(y, team, scale * value);
}
#endif

#ifdef IS_columns
// Neighbours are kept: a block takes 32 vectors of results, and 8 threads share each.
KERNEL columns(y_t* y, const x_t* x, float scale, unsigned results, unsigned reduced, unsigned chunk,
               unsigned blocks) {
    __shared__ float parts[8][32 * WIDTH];
    const unsigned col = threadIdx.x % 32 * WIDTH, row = threadIdx.x / 32;
    const unsigned split = blockIdx.x / blocks, first = blockIdx.x % blocks * 32 * WIDTH;
    const unsigned from = split * chunk, end = min(from + chunk, reduced);
    if (first + col < results) {
        float value[WIDTH];
        fold_part(value, x, first + col, from + row, end, 8);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) parts[row][col + e] = value[e];
    }
    __syncthreads();
    const unsigned d = threadIdx.x;
    if (d >= 32 * WIDTH || first + d >= results) return;
    float value = parts[0][d];
#pragma unroll
    for (int i = 1; i < 8; ++i) value = fold(value, parts[i][d]);
    put(y, split * results + first + d, scale * value);
}
#endif
