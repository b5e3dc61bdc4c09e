// Softmax of rows of `SIZE` elements, `INNER` apart; `LANES` threads share a row.

// The row of this thread and the place of its first element.
DEVICE unsigned row_start(unsigned row) { return row / INNER * (SIZE * INNER) + row % INNER; }

// The maximum of a row and the sum of e^(x − max).
template <typename T>
DEVICE float2 max_and_sum(const T* x, unsigned start, unsigned lane) {
    float max = -INFINITY;
    for (unsigned c = lane; c < SIZE; c += LANES) max = larger(max, get(x, start + c * INNER));
    max = team_max<LANES>(max);
    float sum = 0.0f;
    for (unsigned c = lane; c < SIZE; c += LANES) sum += expf(get(x, start + c * INNER) - max);
    return make_float2(max, team_sum<LANES>(sum));
}

#ifdef IS_softmax
KERNEL softmax(y_t* y, const x_t* x, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row_start(row);
    const float2 of = max_and_sum(x, start, lane);
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const unsigned i = start + c * INNER;
        put(y, i, expf(get(x, i) - of.x) / of.y);
    }
}
#endif

#ifdef IS_log_softmax
KERNEL log_softmax(y_t* y, const x_t* x, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row_start(row);
    const float2 of = max_and_sum(x, start, lane);
    const float log_sum = logf(of.y);
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const unsigned i = start + c * INNER;
        put(y, i, get(x, i) - of.x - log_sum);
    }
}
#endif

#ifdef IS_softmax_grad
KERNEL softmax_grad(d_x_t* d_x, const d_y_t* d_y, const y_t* y, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row_start(row);
    float sum = 0.0f;
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const unsigned i = start + c * INNER;
        sum += get(d_y, i) * get(y, i);
    }
    sum = team_sum<LANES>(sum);
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const unsigned i = start + c * INNER;
        put(d_x, i, get(y, i) * (get(d_y, i) - sum));
    }
}
#endif

#ifdef IS_log_softmax_grad
KERNEL log_softmax_grad(d_x_t* d_x, const d_y_t* d_y, const y_t* y, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row_start(row);
    float sum = 0.0f;
    for (unsigned c = lane; c < SIZE; c += LANES) sum += get(d_y, start + c * INNER);
    sum = team_sum<LANES>(sum);
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const unsigned i = start + c * INNER;
        put(d_x, i, get(d_y, i) - expf(get(y, i)) * sum);
    }
}
#endif
