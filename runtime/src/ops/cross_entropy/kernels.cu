// Means of losses, and gradients for other ones than 1.

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
    const unsigned i = thread_of_grid() * WIDTH;
    if (i >= count) return;
    float v[WIDTH];
    load(v, of_one, i);
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) v[e] *= factor;
    store(d_logits, i, v);
}
#endif
