// Permuted axes.

#ifdef IS_permute
// Element `i` of `y` is at `PLACE` in `x`.
KERNEL permute(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(x, PLACE));
}
#endif

#ifdef IS_transpose
// `x [batch, ROWS, COLS]` to `y [batch, COLS, ROWS]`, by tiles of 32 × 32 in shared memory.
KERNEL transpose(y_t* y, const x_t* x) {
    __shared__ float tile[32][33];
    const unsigned across = (COLS + 31) / 32, down = (ROWS + 31) / 32;
    const unsigned col0 = blockIdx.x % across * 32, row0 = blockIdx.x / across % down * 32;
    const size_t start = (size_t)(blockIdx.x / (across * down)) * (ROWS * COLS);
    const unsigned lane = threadIdx.x % 32;
    for (unsigned r = threadIdx.x / 32; r < 32; r += THREADS / 32) {
        const unsigned row = row0 + r, col = col0 + lane;
        if (row < ROWS && col < COLS) tile[r][lane] = get(x, start + row * COLS + col);
    }
    __syncthreads();
    for (unsigned c = threadIdx.x / 32; c < 32; c += THREADS / 32) {
        const unsigned col = col0 + c, row = row0 + lane;
        if (row < ROWS && col < COLS) put(y, start + col * ROWS + row, tile[lane][c]);
    }
}
#endif
