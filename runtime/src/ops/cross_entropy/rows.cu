// Cross entropy of rows of logits (rows.cuh).

// The maximum of some numbers and the sum of e^(x − max).
struct Sum {
    float max, sum;

    // Around a larger maximum. Where all are −∞, the sum stays 0.
    DEVICE void raise(float to) {
        sum *= power_of_e(max - (to == -INFINITY ? 0.0f : to));
        max = to;
    }
    DEVICE void add(const float (&v)[WIDTH]) {
        float to = max;
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) to = larger(to, v[e]);
        if (to != max) raise(to);
        const float base = to == -INFINITY ? 0.0f : to;
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sum += power_of_e(v[e] - base);
    }
};

#ifdef IS_cross_entropy
// The loss of each row, and where WITH_GRAD the gradient of its logits, which may take their memory;
// scaled where losses are. A row that registers do not hold is read once for its sum.
ROW_KERNEL cross_entropy(float* losses, d_logits_t* d_logits, const logits_t* logits,
                         const unsigned* label, const float* loss_scale, float smoothing,
                         unsigned rows) {
    const Lane lane(rows);
    const Part<logits_t> of_x(logits, lane);
    float max = -INFINITY, total = 0.0f;
    Sum of{-INFINITY, 0.0f};
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            total += v[e];
            if (KEPT) max = larger(max, v[e]);
        }
        if (!KEPT) of.add(v);
    });
    max = team_max<LANES>(KEPT ? max : of.max);
    if (smoothing != 0.0f) total = team_sum<LANES>(total);
    if (KEPT) {
        lane.each([&](int k, unsigned c) {
            float v[WIDTH];
            of_x.read(v, k, c);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) of.sum += power_of_e(v[e] - max);
        });
    } else {
        of.raise(max);
    }
    const float sum = team_sum<LANES>(of.sum), log_sum = logf(sum), even = smoothing / SIZE;
    const unsigned right = lane.there ? label[lane.row] : 0;
    if (lane.there && lane.lane == 0) {
        const float of_label = (1.0f - smoothing) * get(logits, lane.at(right));
        losses[lane.row] = (max - of_label - (smoothing != 0.0f ? even * total : 0.0f)) + log_sum;
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
