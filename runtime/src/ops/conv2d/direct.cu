// Convolution of groups of few channels: each element of the result is a sum of its own.
// Neighbouring threads make neighbours of a row.

#define WINDOW (KERNEL_HEIGHT * KERNEL_WIDTH)
#define POSITIONS (OUT_HEIGHT * OUT_WIDTH)
#define PIXELS (HEIGHT * WIDTH)

#ifdef IS_forward_direct
KERNEL forward_direct(y_t* y, const x_t* x, const w_t* w, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const int top = (int)(n % POSITIONS / OUT_WIDTH * STRIDE_ROWS) - PADDING_ROWS;
    const int left = (int)(n % OUT_WIDTH * STRIDE_COLS) - PADDING_COLS;
    const unsigned plane = n / POSITIONS, o = plane % (GROUPS * GROUP_OUT);
    const unsigned first = plane / GROUP_OUT * GROUP_IN;
    float sum = 0.0f;
    for (int c = 0; c < GROUP_IN; ++c) {
#pragma unroll
        for (int u = 0; u < KERNEL_HEIGHT; ++u) {
            const int row = top + u * DILATION_ROWS;
            if (row < 0 || row >= HEIGHT) continue;
#pragma unroll
            for (int v = 0; v < KERNEL_WIDTH; ++v) {
                const int col = left + v * DILATION_COLS;
                if (col < 0 || col >= WIDTH) continue;
                const float weight = get(w, (o * GROUP_IN + c) * WINDOW + u * KERNEL_WIDTH + v);
                sum += weight * get(x, (size_t)(first + c) * PIXELS + row * WIDTH + col);
            }
        }
    }
    put(y, n, sum);
}
#endif

#ifdef IS_input_direct
// `x` is the gradient of the output.
KERNEL input_direct(y_t* y, const x_t* x, const w_t* w, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const int bottom = n % PIXELS / WIDTH + PADDING_ROWS, right = n % WIDTH + PADDING_COLS;
    const unsigned plane = n / PIXELS, c = plane % GROUP_IN;
    const unsigned first = plane / GROUP_IN * GROUP_OUT, g = plane / GROUP_IN % GROUPS;
    float sum = 0.0f;
    for (int o = 0; o < GROUP_OUT; ++o) {
#pragma unroll
        for (int u = 0; u < KERNEL_HEIGHT; ++u) {
            const int i = bottom - u * DILATION_ROWS;
            if (i < 0 || i % STRIDE_ROWS || i / STRIDE_ROWS >= OUT_HEIGHT) continue;
#pragma unroll
            for (int v = 0; v < KERNEL_WIDTH; ++v) {
                const int j = right - v * DILATION_COLS;
                if (j < 0 || j % STRIDE_COLS || j / STRIDE_COLS >= OUT_WIDTH) continue;
                const unsigned of_w = ((g * GROUP_OUT + o) * GROUP_IN + c) * WINDOW;
                const size_t of_x = (size_t)(first + o) * POSITIONS + i / STRIDE_ROWS * OUT_WIDTH;
                sum += get(w, of_w + u * KERNEL_WIDTH + v) * get(x, of_x + j / STRIDE_COLS);
            }
        }
    }
    put(y, n, sum);
}
#endif

#ifdef IS_weight_direct
// A block sums `chunk` positions of images for LINES rows of a window, for part number `split` of
// the result. `w` is the gradient of the output.
KERNEL weight_direct(y_t* y, const x_t* x, const w_t* w, unsigned inner, unsigned chunk) {
    constexpr unsigned STRIPS = KERNEL_HEIGHT / LINES;
    const unsigned strip = blockIdx.x % STRIPS * LINES, c = blockIdx.x / STRIPS % GROUP_IN;
    const unsigned o = blockIdx.x / STRIPS / GROUP_IN % (GROUPS * GROUP_OUT);
    const unsigned split = blockIdx.x / STRIPS / GROUP_IN / (GROUPS * GROUP_OUT);
    const unsigned from = split * chunk, end = min(from + chunk, inner);
    const unsigned channel = o / GROUP_OUT * GROUP_IN + c;
    float sums[LINES][KERNEL_WIDTH] = {};
    for (unsigned k = from + threadIdx.x; k < end; k += THREADS) {
        const unsigned image = k / POSITIONS, position = k % POSITIONS;
        const int top = (int)(position / OUT_WIDTH * STRIDE_ROWS + strip * DILATION_ROWS) - PADDING_ROWS;
        const int left = (int)(position % OUT_WIDTH * STRIDE_COLS) - PADDING_COLS;
        const float d_y = get(w, (size_t)(image * (GROUPS * GROUP_OUT) + o) * POSITIONS + position);
        const size_t plane = (size_t)(image * (GROUPS * GROUP_IN) + channel) * PIXELS;
#pragma unroll
        for (int u = 0; u < LINES; ++u) {
            const int row = top + u * DILATION_ROWS;
            if (row < 0 || row >= HEIGHT) continue;
#pragma unroll
            for (int v = 0; v < KERNEL_WIDTH; ++v) {
                const int col = left + v * DILATION_COLS;
                if (col < 0 || col >= WIDTH) continue;
                sums[u][v] += d_y * get(x, plane + row * WIDTH + col);
            }
        }
    }
    const size_t of_y = ((size_t)(split * (GROUPS * GROUP_OUT) + o) * GROUP_IN + c) * WINDOW;
#pragma unroll
    for (int u = 0; u < LINES; ++u) {
#pragma unroll
        for (int v = 0; v < KERNEL_WIDTH; ++v) {
            const float sum = block_sum(sums[u][v]);
            if (threadIdx.x == 0) put(y, of_y + (strip + u) * KERNEL_WIDTH + v, sum);
        }
    }
}
#endif
