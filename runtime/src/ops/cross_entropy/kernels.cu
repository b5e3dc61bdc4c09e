// Cross entropy of rows of `CLASSES` logits, `INNER` apart; `LANES` threads share a row.

#ifdef IS_cross_entropy
// The loss of each row, and where WITH_GRAD the gradient of its logits, which may take their memory;
// scaled where losses are.
KERNEL cross_entropy(float* losses, d_logits_t* d_logits, const logits_t* logits,
                     const unsigned* label, const float* loss_scale, float smoothing, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row / INNER * (CLASSES * INNER) + row % INNER;
    float max = -INFINITY, total = 0.0f;
    for (unsigned c = lane; c < CLASSES; c += LANES) {
        const float x = get(logits, start + c * INNER);
        max = larger(max, x);
        total += x;
    }
    max = team_max<LANES>(max);
    if (smoothing != 0.0f) total = team_sum<LANES>(total);
    float sum = 0.0f;
    for (unsigned c = lane; c < CLASSES; c += LANES) sum += expf(get(logits, start + c * INNER) - max);
    sum = team_sum<LANES>(sum);
    const float log_sum = logf(sum), even = smoothing / CLASSES;
    const unsigned right = label[row];
    if (lane == 0) {
        const float of_label = (1.0f - smoothing) * get(logits, start + right * INNER);
        losses[row] = (max - of_label - (smoothing != 0.0f ? even * total : 0.0f)) + log_sum;
    }
#ifdef WITH_GRAD
    // The logit of the label was read by one thread, and may be overwritten by another.
    team_sync<LANES>();
    const float scale = (loss_scale ? loss_scale[0] : 1.0f) / rows;
    for (unsigned c = lane; c < CLASSES; c += LANES) {
        const unsigned i = start + c * INNER;
        const float p = expf(get(logits, i) - max) / sum;
        put(d_logits, i, scale * (p - (c == right ? 1.0f - smoothing : 0.0f) - even));
    }
#endif
}
#endif

#ifdef IS_mean
// The mean, by one block.
KERNEL mean(float* loss, const float* losses, unsigned rows) {
    __shared__ double sums[THREADS];
    double sum = 0.0;
    for (unsigned i = threadIdx.x; i < rows; i += THREADS) sum += losses[i];
    sums[threadIdx.x] = sum;
    for (unsigned half = THREADS / 2; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) loss[0] = (float)(sums[0] / rows);
}
#endif

#ifdef IS_scale
// By a factor that is 1 more often than not; then nothing is left to do in place.
KERNEL scale(d_logits_t* d_logits, const float* d_loss, const of_one_t* of_one,
             const float* loss_scale, unsigned count) {
    const float factor = d_loss[0] / (loss_scale ? loss_scale[0] : 1.0f);
    if (factor == 1.0f && (const void*)d_logits == (const void*)of_one) return;
    const unsigned i = thread_of_grid();
    if (i < count) put(d_logits, i, factor * get(of_one, i));
}
#endif
