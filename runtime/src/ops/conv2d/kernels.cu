// Convolution as a product of matrices that are not in memory:
// `y [ROWS, cols] = a [ROWS, inner] · b [inner, cols]` for each group of channels. A block of 16 ×
// 16 threads makes a tile of 16 TM rows and 16 TN columns; a thread makes every 16th of both.
//
// pass          rows           columns             inner
// FORWARD       outputs o      batch, position     input channel, window
// INPUT         inputs c       batch, pixel        output channel, window
// WEIGHT        outputs o      input c, window     batch, position

#ifdef IS_sum_parts
// Parts may have the taps of a weight before its channels.
KERNEL sum_parts(y_t* y, const float* parts, unsigned splits, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned channel = n / TAPS % CHANNELS, tap = n % TAPS;
    const unsigned at = n / (TAPS * CHANNELS) * (TAPS * CHANNELS) + tap * CHANNELS + channel;
    float sum = 0.0f;
    for (unsigned s = 0; s < splits; ++s) sum += parts[(size_t)s * count + at];
    put(y, n, sum);
}
#else

#define WINDOW (KERNEL_HEIGHT * KERNEL_WIDTH)
#define POSITIONS (OUT_HEIGHT * OUT_WIDTH)
#define PIXELS (HEIGHT * WIDTH)
#define BM (16 * TM)
#define BN (16 * TN)
#define BK 16

// What a window reads at tap (u, v) of position (i, j) in plane `plane`, zero outside.
DEVICE float tap(const x_t* x, unsigned plane, int i, int j, int u, int v) {
    const int row = i * STRIDE_ROWS + u * DILATION_ROWS - PADDING_ROWS;
    const int col = j * STRIDE_COLS + v * DILATION_COLS - PADDING_COLS;
    if (row < 0 || row >= HEIGHT || col < 0 || col >= WIDTH) return 0.0f;
    return get(x, plane * PIXELS + row * WIDTH + col);
}

// The output in plane `plane` that reads pixel (row, col) by its tap (u, v), zero where there is
// none.
DEVICE float reader(const x_t* d_y, unsigned plane, int row, int col, int u, int v) {
    const int i = row + PADDING_ROWS - u * DILATION_ROWS, j = col + PADDING_COLS - v * DILATION_COLS;
    if (i < 0 || j < 0 || i % STRIDE_ROWS || j % STRIDE_COLS) return 0.0f;
    if (i / STRIDE_ROWS >= OUT_HEIGHT || j / STRIDE_COLS >= OUT_WIDTH) return 0.0f;
    return get(d_y, plane * POSITIONS + i / STRIDE_ROWS * OUT_WIDTH + j / STRIDE_COLS);
}

// `x` is the input, or the gradient of the output where the pass has no input.
KERNEL __launch_bounds__(THREADS)
#if defined(IS_forward)
forward(y_t* y, const x_t* x, const w_t* w, unsigned cols, unsigned inner, unsigned chunk,
        unsigned blocks) {
#elif defined(IS_input)
input(y_t* y, const x_t* x, const w_t* w, unsigned cols, unsigned inner, unsigned chunk,
      unsigned blocks) {
#else
weight(y_t* y, const x_t* x, const w_t* w, unsigned cols, unsigned inner, unsigned chunk,
       unsigned blocks) {
#endif
    __shared__ float a_tile[BK][BM + 1], b_tile[BK][BN + 1];
    const unsigned row_blocks = (ROWS + BM - 1) / BM;
    const unsigned col0 = blockIdx.x % blocks * BN, row0 = blockIdx.x / blocks % row_blocks * BM;
    const unsigned g = blockIdx.x / blocks / row_blocks % GROUPS;
    const unsigned split = blockIdx.x / blocks / row_blocks / GROUPS;
    const unsigned from = split * chunk, end = min(from + chunk, inner);
    const unsigned tx = threadIdx.x % 16, ty = threadIdx.x / 16;

#ifdef IS_weight
    // A thread loads one place along the inner axis, of every 16th column: a tap of a channel.
    unsigned plane[TN];
    int u[TN], v[TN];
#pragma unroll
    for (int t = 0; t < TN; ++t) {
        const unsigned col = min(col0 + ty + 16 * t, cols - 1);
        plane[t] = g * GROUP_IN + col / WINDOW;
        u[t] = col % WINDOW / KERNEL_WIDTH;
        v[t] = col % KERNEL_WIDTH;
    }
#else
    // A thread loads one column, of every (THREADS / BN)-th place along the inner axis.
    const unsigned own = threadIdx.x % BN, col = min(col0 + own, cols - 1);
#ifdef IS_forward
    const unsigned image = col / POSITIONS * (GROUPS * GROUP_IN) + g * GROUP_IN;
    const int i = col % POSITIONS / OUT_WIDTH, j = col % OUT_WIDTH;
#else
    const unsigned image = col / PIXELS * (GROUPS * GROUP_OUT) + g * GROUP_OUT;
    const int i = col % PIXELS / WIDTH, j = col % WIDTH;
#endif
#endif

    float sums[TM][TN];
#pragma unroll
    for (int m = 0; m < TM; ++m)
#pragma unroll
        for (int n = 0; n < TN; ++n) sums[m][n] = 0.0f;

    for (unsigned k0 = from; k0 < end; k0 += BK) {
        {
            const unsigned k = k0 + tx;
#ifdef IS_weight
            const unsigned b = k / POSITIONS, position = k % POSITIONS;
            const int i = position / OUT_WIDTH, j = position % OUT_WIDTH;
#pragma unroll
            for (int t = 0; t < TN; ++t) {
                const unsigned image = b * (GROUPS * GROUP_IN) + plane[t];
                b_tile[tx][ty + 16 * t] = k < end ? tap(x, image, i, j, u[t], v[t]) : 0.0f;
            }
#endif
#pragma unroll
            for (int t = 0; t < TM; ++t) {
                const unsigned row = row0 + ty + 16 * t;
                float value = 0.0f;
                if (row < ROWS && k < end) {
#if defined(IS_forward)
                    value = get(w, (g * GROUP_OUT + row) * (GROUP_IN * WINDOW) + k);
#elif defined(IS_input)
                    const unsigned o = g * GROUP_OUT + k / WINDOW;
                    value = get(w, (o * GROUP_IN + row) * WINDOW + k % WINDOW);
#else
                    const unsigned o = b * (GROUPS * GROUP_OUT) + g * GROUP_OUT + row;
                    value = get(w, o * POSITIONS + position);
#endif
                }
                a_tile[tx][ty + 16 * t] = value;
            }
        }
#ifndef IS_weight
#pragma unroll
        for (int t = 0; t < BK * BN / THREADS; ++t) {
            const unsigned row = threadIdx.x / BN + t * (THREADS / BN), k = k0 + row;
            const int u = k % WINDOW / KERNEL_WIDTH, v = k % KERNEL_WIDTH;
            float value = 0.0f;
            if (k < end) {
#ifdef IS_forward
                value = tap(x, image + k / WINDOW, i, j, u, v);
#else
                value = reader(x, image + k / WINDOW, i, j, u, v);
#endif
            }
            b_tile[row][own] = value;
        }
#endif
        __syncthreads();
#pragma unroll
        for (int k = 0; k < BK; ++k) {
            float a[TM], b[TN];
#pragma unroll
            for (int m = 0; m < TM; ++m) a[m] = a_tile[k][ty + 16 * m];
#pragma unroll
            for (int n = 0; n < TN; ++n) b[n] = b_tile[k][tx + 16 * n];
#pragma unroll
            for (int m = 0; m < TM; ++m)
#pragma unroll
                for (int n = 0; n < TN; ++n) sums[m][n] += a[m] * b[n];
        }
        __syncthreads();
    }

#pragma unroll
    for (int n = 0; n < TN; ++n) {
#pragma unroll
        for (int m = 0; m < TM; ++m) {
            const unsigned row = row0 + ty + 16 * m, col = col0 + tx + 16 * n;
            const float sum = sums[m][n];
            if (row >= ROWS || col >= cols) continue;
            const unsigned channel = g * ROWS + row;
#if defined(IS_forward)
            const unsigned plane = col / POSITIONS * (GROUPS * ROWS) + channel;
            put(y, plane * POSITIONS + col % POSITIONS, sum);
#elif defined(IS_input)
            const unsigned plane = col / PIXELS * (GROUPS * ROWS) + channel;
            put(y, plane * PIXELS + col % PIXELS, sum);
#else
            put(y, ((size_t)split * (GROUPS * ROWS) + channel) * cols + col, sum);
#endif
        }
    }
}
#endif
