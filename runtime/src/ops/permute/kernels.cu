// Permuted axes.

#ifdef IS_permute
// Element `i` of `y` is at `PLACE` in `x`, and so are its neighbours.
KERNEL permute(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i >= count) return;
    float v[WIDTH];
    load(v, x, PLACE);
    store(y, i, v);
}
#endif

#ifdef IS_transpose
// Matrices with ROWS and COLS: matrix `i` starts at IN_X in `x` and at IN_Y in `y`. In `x` columns
// are neighbours and rows ROW_IN_X apart, in `y` rows are neighbours and columns COL_IN_Y apart. By
// tiles of 32 × 32 in shared memory.
KERNEL transpose(y_t* y, const x_t* x) {
    __shared__ float tile[32][33];
    const unsigned across = (COLS + 31) / 32, down = (ROWS + 31) / 32;
    const unsigned col0 = blockIdx.x % across * 32, row0 = blockIdx.x / across % down * 32;
    const unsigned i = blockIdx.x / (across * down), lane = threadIdx.x % 32;
    for (unsigned r = threadIdx.x / 32; r < 32; r += THREADS / 32) {
        const unsigned row = row0 + r, col = col0 + lane;
        if (row < ROWS && col < COLS) tile[r][lane] = get(x, (IN_X) + row * ROW_IN_X + col);
    }
    __syncthreads();
    for (unsigned c = threadIdx.x / 32; c < 32; c += THREADS / 32) {
        const unsigned col = col0 + c, row = row0 + lane;
        if (row < ROWS && col < COLS) put(y, (IN_Y) + col * COL_IN_Y + row, tile[lane][c]);
    }
}
#endif
