// Planes made larger. `MODE`: 0 nearest, 1 bilinear, 2 bilinear with aligned corners.

#define OUT_HEIGHT (HEIGHT * SCALE_ROWS)
#define OUT_WIDTH (WIDTH * SCALE_COLS)

// The neighbours of output place `i` along an axis: `low · x[at] + high · x[next]`. The place is a
// fraction of whole numbers, so that both weights are rounded once.
struct Taps {
    int at, next;
    float low, high;

    DEVICE Taps(int i, int size, int scale) {
        const int outputs = size * scale;
        int place = i, whole = scale;
        if (MODE == 1) {
            place = max((2 * i + 1) * size - outputs, 0);
            whole = 2 * outputs;
        } else if (MODE == 2) {
            place = i * (size - 1);
            whole = max(outputs - 1, 1);
        }
        at = place / whole;
        const int part = MODE == 0 ? 0 : place % whole;
        // Without a part, two halves of one element: a neighbour without weight may be an infinity.
        next = part == 0 ? at : min(at + 1, size - 1);
        low = part == 0 ? 0.5f : (float)(whole - part) / (float)whole;
        high = part == 0 ? 0.5f : (float)part / (float)whole;
    }

    DEVICE float weight(int i) const { return (at == i ? low : 0.0f) + (next == i ? high : 0.0f); }
};

// Outputs that may have place `i` for a neighbour.
DEVICE int first_output(int i, int size, int scale) {
    if (MODE == 0) return i * scale;
    if (MODE == 1 || size == 1) return max((i - 1) * scale, 0);
    return max((i - 1) * (size * scale - 1) / (size - 1), 0);
}
DEVICE int end_of_outputs(int i, int size, int scale) {
    if (MODE == 0) return (i + 1) * scale;
    if (MODE == 1 || size == 1) return min((i + 2) * scale, size * scale);
    return min((i + 1) * (size * scale - 1) / (size - 1) + 1, size * scale);
}

#ifdef IS_interpolate
KERNEL interpolate(y_t* y, const x_t* x, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const Taps down(n / OUT_WIDTH % OUT_HEIGHT, HEIGHT, SCALE_ROWS), right(n % OUT_WIDTH, WIDTH, SCALE_COLS);
    const unsigned plane = n / (OUT_HEIGHT * OUT_WIDTH) * (HEIGHT * WIDTH);
    const unsigned upper = plane + down.at * WIDTH, lower = plane + down.next * WIDTH;
    if (MODE == 0) {
        put(y, n, get(x, upper + right.at));
        return;
    }
    const float left = down.low * get(x, upper + right.at) + down.high * get(x, lower + right.at);
    const float next = down.low * get(x, upper + right.next) + down.high * get(x, lower + right.next);
    put(y, n, right.low * left + right.high * next);
}
#endif

#ifdef IS_interpolate_grad
KERNEL interpolate_grad(d_x_t* d_x, const d_y_t* d_y, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const int row = n / WIDTH % HEIGHT, col = n % WIDTH;
    const unsigned plane = n / (HEIGHT * WIDTH) * (OUT_HEIGHT * OUT_WIDTH);
    const int i_end = end_of_outputs(row, HEIGHT, SCALE_ROWS);
    const int j_end = end_of_outputs(col, WIDTH, SCALE_COLS);
    float sum = 0.0f;
    for (int i = first_output(row, HEIGHT, SCALE_ROWS); i < i_end; ++i) {
        const float down = Taps(i, HEIGHT, SCALE_ROWS).weight(row);
        float of_row = 0.0f;
        for (int j = first_output(col, WIDTH, SCALE_COLS); j < j_end; ++j) {
            const float right = Taps(j, WIDTH, SCALE_COLS).weight(col);
            if (right != 0.0f) of_row += right * get(d_y, plane + i * OUT_WIDTH + j);
        }
        if (down != 0.0f) sum += down * of_row;
    }
    put(d_x, n, sum);
}
#endif
