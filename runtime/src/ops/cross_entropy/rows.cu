// Cross entropy of rows of logits (rows.cuh).

// The maximum of some numbers and the sum of e^(x − max).
struct Sum {
    float max = -INFINITY;
    RowSum sum;

    // Around a larger maximum. Where all are −∞, the sum stays 0.
    DEVICE void raise(float to) {
        sum.scale(power_of_e(max - (to == -INFINITY ? 0.0f : to)));
        max = to;
    }
    DEVICE void add(const float (&v)[WIDTH]) {
        float to = max;
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) to = larger(to, v[e]);
        if (to != max) raise(to);
        const float base = to == -INFINITY ? 0.0f : to;
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sum.add(power_of_e(v[e] - base));
    }
};

#ifdef IS_cross_entropy
// The loss of each row, and where WITH_GRAD the gradient of its logits, which may take their
// memory; scaled where losses are. A row that registers do not hold is read once for its sum.
ROW_KERNEL cross_entropy(float* losses, d_logits_t* d_logits, const logits_t* logits,
                         const unsigned* label, const float* loss_scale, float smoothing,
                         unsigned rows) {
    const Lane lane(rows);
    const Part<logits_t> of_x(logits, lane);
    float max = -INFINITY;
    Sum of;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
        if (!KEPT) return of.add(v);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) max = larger(max, v[e]);
    });
    max = team_max<LANES>(KEPT ? max : of.max);
    if (KEPT) {
        lane.each([&](int k, unsigned c) {
            float v[WIDTH];
            of_x.read(v, k, c);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) of.sum.add(power_of_e(v[e] - max));
        });
    } else {
        of.raise(max);
    }
    // How far all logits are below the maximum: far from zero they themselves would cancel.
    float below = 0.0f;
    if (smoothing != 0.0f) {
        RowSum distances;
        lane.each([&](int k, unsigned c) {
            float v[WIDTH];
            of_x.read(v, k, c);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) distances.add(max - v[e]);
        });
        below = distances.of_team();
    }
    const float sum = of.sum.of_team(), log_sum = logf(sum), even = smoothing / SIZE;
    const unsigned right = lane.there ? label[lane.row] : 0;
    if (lane.there && lane.lane == 0) {
        const float of_label = (1.0f - smoothing) * (max - get(logits, lane.at(right)));
        losses[lane.row] = of_label + (smoothing != 0.0f ? even * below : 0.0f) + log_sum;
    }
#ifdef WITH_GRAD
    // The logit of the label was read by one thread, and may be overwritten by another.
    team_sync<LANES>();
    const float scale = (loss_scale ? loss_scale[0] : 1.0f) / rows, share = scale / sum;
    const float of_right = scale * (1.0f - smoothing), of_each = scale * even;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            v[e] = power_of_e(v[e] - max) * share - of_each;
            if (right - c == e) v[e] -= of_right;
        }
        store(d_logits, lane.at(c), v);
    });
#endif
}
#endif
