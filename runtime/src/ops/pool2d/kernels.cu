// Pooling over windows of a plane. Gradients are collected by the elements of the input, from the
// windows that hold them, in their order.

#define POSITIONS (OUT_HEIGHT * OUT_WIDTH)
#define PIXELS (HEIGHT * WIDTH)

// The first and the end of the windows along an axis of `outputs` that hold place `i`.
DEVICE int first_window(int i, int padding, int reach, int stride) {
    const int from = i + padding - reach + 1;
    return from <= 0 ? 0 : (from + stride - 1) / stride;
}
DEVICE int end_of_windows(int i, int padding, int stride, int outputs) {
    return min((i + padding) / stride + 1, outputs);
}

#ifdef IS_max_pool2d
KERNEL max_pool2d(y_t* y, unsigned* index, const x_t* x, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned plane = n / POSITIONS * PIXELS;
    const int i = n % POSITIONS / OUT_WIDTH, j = n % OUT_WIDTH;
    float best = -INFINITY;
    unsigned place = ~0u;
    for (int u = 0; u < KERNEL_ROWS; ++u) {
        const int row = i * STRIDE_ROWS + u * DILATION_ROWS - PADDING_ROWS;
        if (row < 0 || row >= HEIGHT) continue;
        for (int v = 0; v < KERNEL_COLS; ++v) {
            const int col = j * STRIDE_COLS + v * DILATION_COLS - PADDING_COLS;
            if (col < 0 || col >= WIDTH) continue;
            const unsigned at = row * WIDTH + col;
            const float value = get(x, plane + at);
            if (place == ~0u || value > best || value != value) {
                best = value;
                place = at;
            }
        }
    }
    put(y, n, best);
    if (index) index[n] = place;
}
#endif

#ifdef IS_max_pool2d_grad
KERNEL max_pool2d_grad(d_x_t* d_x, const d_y_t* d_y, const unsigned* index, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned at = n % PIXELS, plane = n / PIXELS * POSITIONS;
    const int row = at / WIDTH, col = at % WIDTH;
    const int reach_rows = DILATION_ROWS * (KERNEL_ROWS - 1) + 1;
    const int reach_cols = DILATION_COLS * (KERNEL_COLS - 1) + 1;
    const int i_end = end_of_windows(row, PADDING_ROWS, STRIDE_ROWS, OUT_HEIGHT);
    const int j_end = end_of_windows(col, PADDING_COLS, STRIDE_COLS, OUT_WIDTH);
    float sum = 0.0f;
    for (int i = first_window(row, PADDING_ROWS, reach_rows, STRIDE_ROWS); i < i_end; ++i) {
        for (int j = first_window(col, PADDING_COLS, reach_cols, STRIDE_COLS); j < j_end; ++j) {
            const unsigned output = plane + i * OUT_WIDTH + j;
            if (index[output] == at) sum += get(d_y, output);
        }
    }
    put(d_x, n, sum);
}
#endif

#ifdef IS_avg_pool2d
KERNEL avg_pool2d(y_t* y, const x_t* x, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned plane = n / POSITIONS * PIXELS;
    const int top = n % POSITIONS / OUT_WIDTH * STRIDE_ROWS - PADDING_ROWS;
    const int left = n % OUT_WIDTH * STRIDE_COLS - PADDING_COLS;
    float sum = 0.0f;
    for (int row = max(top, 0); row < min(top + KERNEL_ROWS, HEIGHT); ++row) {
        for (int col = max(left, 0); col < min(left + KERNEL_COLS, WIDTH); ++col) {
            sum += get(x, plane + row * WIDTH + col);
        }
    }
    put(y, n, sum * (1.0f / (KERNEL_ROWS * KERNEL_COLS)));
}
#endif

#ifdef IS_avg_pool2d_grad
KERNEL avg_pool2d_grad(d_x_t* d_x, const d_y_t* d_y, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned plane = n / PIXELS * POSITIONS;
    const int row = n % PIXELS / WIDTH, col = n % WIDTH;
    const int i_end = end_of_windows(row, PADDING_ROWS, STRIDE_ROWS, OUT_HEIGHT);
    const int j_end = end_of_windows(col, PADDING_COLS, STRIDE_COLS, OUT_WIDTH);
    float sum = 0.0f;
    for (int i = first_window(row, PADDING_ROWS, KERNEL_ROWS, STRIDE_ROWS); i < i_end; ++i) {
        for (int j = first_window(col, PADDING_COLS, KERNEL_COLS, STRIDE_COLS); j < j_end; ++j) {
            sum += get(d_y, plane + i * OUT_WIDTH + j);
        }
    }
    put(d_x, n, sum * (1.0f / (KERNEL_ROWS * KERNEL_COLS)));
}
#endif
