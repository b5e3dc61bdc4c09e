// Rows of a table of `DIM` columns.

#ifdef IS_embedding
KERNEL embedding(y_t* y, const unsigned* index, const w_t* w, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(w, (size_t)index[i / DIM] * DIM + i % DIM));
}
#endif

#ifdef IS_embedding_grad
// A warp for each row of the table looks through all indices, in their order, 1024 at a time; blocks
// behind each other take COLUMNS columns of the same rows.
#define TILE 1024
#define COLUMNS (32 * PER_LANE)
KERNEL embedding_grad(d_w_t* d_w, const d_y_t* d_y, const unsigned* index, unsigned count,
                      unsigned rows, unsigned padding) {
    __shared__ unsigned tile[TILE];
    const unsigned blocks = (DIM + COLUMNS - 1) / COLUMNS, lane = threadIdx.x % 32;
    const unsigned row = blockIdx.x / blocks * (THREADS / 32) + threadIdx.x / 32;
    const unsigned first = blockIdx.x % blocks * COLUMNS;
    float sums[PER_LANE];
#pragma unroll
    for (int c = 0; c < PER_LANE; ++c) sums[c] = 0.0f;
    for (unsigned start = 0; start < count; start += TILE) {
        __syncthreads();
        for (unsigned i = threadIdx.x; i < TILE; i += THREADS) {
            tile[i] = start + i < count ? index[start + i] : ~0u;
        }
        __syncthreads();
        for (unsigned i = 0; i < TILE; i += 32) {
            unsigned found = __ballot_sync(~0u, tile[i + lane] == row);
            while (found) {
                const unsigned at = start + i + __ffs(found) - 1;
                found &= found - 1;
#pragma unroll
                for (int c = 0; c < PER_LANE; ++c) {
                    const unsigned col = first + 32 * c + lane;
                    if (col < DIM) sums[c] += get(d_y, (size_t)at * DIM + col);
                }
            }
        }
    }
    if (row >= rows) return;
#pragma unroll
    for (int c = 0; c < PER_LANE; ++c) {
        const unsigned col = first + 32 * c + lane;
        if (col < DIM) put(d_w, (size_t)row * DIM + col, row == padding ? 0.0f : sums[c]);
    }
}
#endif
