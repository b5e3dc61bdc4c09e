// Softmax of rows (rows.cuh).

// The maximum of a row.
template <typename T>
DEVICE float max_of_row(const Lane& lane, const Part<T>& of_x) {
    float max = -INFINITY;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) max = larger(max, v[e]);
    });
    return team_max<LANES>(max);
}

#ifdef IS_softmax
ROW_KERNEL softmax(y_t* y, const x_t* x, unsigned rows) {
    const Lane lane(rows);
    Part<x_t> of_x(x, lane);
    const float max = max_of_row(lane, of_x);
    RowSum sums;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            v[e] = power_of_e(v[e] - max);
            sums.add(v[e]);
            // Where the row is kept, its exponentials are.
            if (KEPT) of_x.kept[KEPT ? k : 0][e] = v[e];
        }
    });
    const float share = 1.0f / sums.of_team();
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = (KEPT ? v[e] : power_of_e(v[e] - max)) * share;
        store(y, lane.at(c), v);
    });
}
#endif

#ifdef IS_log_softmax
ROW_KERNEL log_softmax(y_t* y, const x_t* x, unsigned rows) {
    const Lane lane(rows);
    const Part<x_t> of_x(x, lane);
    const float max = max_of_row(lane, of_x);
    RowSum sums;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sums.add(power_of_e(v[e] - max));
    });
    const float log_sum = logf(sums.of_team());
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = v[e] - max - log_sum;
        store(y, lane.at(c), v);
    });
}
#endif

#ifdef IS_softmax_grad
ROW_KERNEL softmax_grad(d_x_t* d_x, const d_y_t* d_y, const y_t* y, unsigned rows) {
    const Lane lane(rows);
    const Part<d_y_t> of_d_y(d_y, lane);
    const Part<y_t> of_y(y, lane);
    RowSum sums;
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], v[WIDTH];
        of_d_y.read(g, k, c);
        of_y.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sums.add(g[e] * v[e]);
    });
    const float sum = sums.of_team();
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], v[WIDTH];
        of_d_y.read(g, k, c);
        of_y.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) g[e] = v[e] * (g[e] - sum);
        store(d_x, lane.at(c), g);
    });
}
#endif

#ifdef IS_log_softmax_grad
ROW_KERNEL log_softmax_grad(d_x_t* d_x, const d_y_t* d_y, const y_t* y, unsigned rows) {
    const Lane lane(rows);
    const Part<d_y_t> of_d_y(d_y, lane);
    const Part<y_t> of_y(y, lane);
    RowSum sums;
    lane.each([&](int k, unsigned c) {
        float g[WIDTH];
        of_d_y.read(g, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sums.add(g[e]);
    });
    const float sum = sums.of_team();
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], v[WIDTH];
        of_d_y.read(g, k, c);
        of_y.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) g[e] -= power_of_e(v[e]) * sum;
        store(d_x, lane.at(c), g);
    });
}
#endif
