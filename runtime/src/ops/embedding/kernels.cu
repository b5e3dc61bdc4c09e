// Rows of a table of `DIM` columns. A thread moves `WIDTH` neighbours.

#ifdef IS_embedding
KERNEL embedding(y_t* y, const unsigned* index, const w_t* w, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i >= count) return;
    float v[WIDTH];
    load(v, w, (size_t)index[i / DIM] * DIM + i % DIM);
    store(y, i, v);
}
#endif

#ifdef IS_embedding_grad
#define TILE 1024

// Whether one of the `count` first indices is `row`; the last ones are looked at first.
DEVICE bool is_before(const unsigned* index, unsigned count, unsigned row) {
    for (unsigned end = count; end > 0; end -= min(end, (unsigned)THREADS)) {
        const bool equal = threadIdx.x < end && index[end - 1 - threadIdx.x] == row;
        if (__syncthreads_or(equal)) return true;
    }
    return false;
}

// The places of `row` among TILE indices from `start` on, in their order, and their number. `found`
// is memory for a bit for each.
DEVICE unsigned find(unsigned (&at)[TILE], unsigned (&found)[TILE / 32], const unsigned* index,
                     unsigned start, unsigned count, unsigned row) {
    const unsigned lane = threadIdx.x % 32;
    for (unsigned i = threadIdx.x; i < TILE; i += THREADS) {
        const unsigned equal = __ballot_sync(~0u, start + i < count && index[start + i] == row);
        if (lane == 0) found[i / 32] = equal;
    }
    __syncthreads();
    unsigned before = 0;
    for (unsigned word = 0; word < TILE / 32; ++word) {
        const unsigned equal = found[word];
        if (word % (THREADS / 32) == threadIdx.x / 32 && (equal >> lane & 1)) {
            at[before + __popc(equal & ((1u << lane) - 1))] = start + 32 * word + lane;
        }
        before += __popc(equal);
    }
    __syncthreads();
    return before;
}

// A block for each position; blocks behind each other take neighbouring columns of the same one.
// The table was cleared.
KERNEL embedding_grad(d_w_t* d_w, const d_y_t* d_y, const unsigned* index, unsigned count,
                      unsigned padding) {
    __shared__ unsigned at[TILE], found[TILE / 32];
    const unsigned blocks = (DIM + THREADS * WIDTH - 1) / (THREADS * WIDTH);
    const unsigned position = blockIdx.x / blocks, row = index[position];
    if (row == padding || is_before(index, position, row)) return;
    const unsigned col = (blockIdx.x % blocks * THREADS + threadIdx.x) * WIDTH;
    Total sums[WIDTH];
    for (unsigned start = position; start < count; start += TILE) {
        const unsigned places = find(at, found, index, start, count, row);
        const unsigned mine = col < DIM ? places : 0;
#pragma unroll 8
        for (unsigned n = 0; n < mine; ++n) {
            float v[WIDTH];
            load(v, d_y, (size_t)at[n] * DIM + col);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) sums[e].add(v[e]);
        }
        __syncthreads();
    }
    if (col >= DIM) return;
    float v[WIDTH];
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) v[e] = sums[e].value();
    store(d_w, (size_t)row * DIM + col, v);
}
#endif
