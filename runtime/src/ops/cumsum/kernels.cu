// Running sums along `SIZE` elements, `INNER` apart; `LANES` threads share a row, and take as many
// neighbours of it at once. REVERSE starts from the last element.

// What the lanes up to this one have together; `all` becomes what all have.
DEVICE float scan_of_warp(float x, float& all) {
    const unsigned lane = threadIdx.x % 32;
#pragma unroll
    for (unsigned away = 1; away < 32; away *= 2) {
        const float before = __shfl_up_sync(~0u, x, away);
        if (lane >= away) x += before;
    }
    all = __shfl_sync(~0u, x, 31);
    return x;
}

DEVICE float scan_of_block(float x, float& all) {
    __shared__ float of_warps[THREADS / 32];
    float of_warp;
    x = scan_of_warp(x, of_warp);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = of_warp;
    __syncthreads();
    float before = 0.0f;
    all = 0.0f;
#pragma unroll
    for (unsigned warp = 0; warp < THREADS / 32; ++warp) {
        if (warp == threadIdx.x / 32) before = all;
        all += of_warps[warp];
    }
    __syncthreads();
    return before + x;
}

KERNEL cumsum(y_t* y, const x_t* x, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row / INNER * (SIZE * INNER) + row % INNER;
    Total sum;
    for (unsigned first = 0; first < SIZE; first += LANES) {
        const unsigned c = first + lane, i = start + (REVERSE ? SIZE - 1 - c : c) * INNER;
        float here = c < SIZE ? get(x, i) : 0.0f, all = here;
        if (LANES == 32) here = scan_of_warp(here, all);
        if (LANES > 32) here = scan_of_block(here, all);
        if (c < SIZE) {
            Total to_here = sum;
            to_here.add(here);
            put(y, i, to_here.value());
        }
        sum.add(all);
    }
}
