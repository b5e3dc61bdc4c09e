// The steps of optimizers. `UPDATE` is the function of one, which changes a parameter along its gradient `g`,
// and up to three numbers of state with it: `float UPDATE(const float* c, float p, float g, float* s)`.
// `c` has the scalars of the update (`Update::scalars`), of which the first two are the sign of gradients and
// the weight decay.

// The group of a parameter, by the ends of runs: its scalars are those behind the largest norm and the groups
// before. The last number is that of parameters that are left alone.
#define FROZEN 255u
#if defined(RUNS) && RUNS
DEVICE unsigned group_of(unsigned i) {
    const unsigned ends[RUNS] = {ENDS};
    const unsigned char groups[RUNS] = {GROUPS};
    unsigned low = 0, high = RUNS;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (ends[middle] <= i) low = middle + 1;
        else high = middle;
    }
    return low < RUNS ? groups[low] : 0u;
}
#else
DEVICE unsigned group_of(unsigned i) { return 0u; }
#endif

#ifdef IS_update
// All parameters, and the state with them; gradients are multiplied by a factor first. The parameters in
// 16 bits, where there are any, follow.
KERNEL update(params_t* params, halves_t* halves, const grads_t* grads, float* s0, float* s1, float* s2,
              const float* scalars, const float* factor, const float* loss_scale, unsigned count) {
    const unsigned i = thread_of_grid();
    // Gradients that are not finite.
    if (i >= count || (loss_scale && loss_scale[2] != 0.0f)) return;
    const unsigned group = group_of(i);
    if (group == FROZEN) return;
    float s[3] = {s0 ? s0[i] : 0.0f, s1 ? s1[i] : 0.0f, s2 ? s2[i] : 0.0f};
    const float g = mul(factor ? factor[0] : 1.0f, get(grads, i));
    const float* c = scalars + 1 + group * SCALARS;
    const float p = UPDATE(c, get(params, i), g, s);
    put(params, i, p);
    if (halves) put(halves, i, p);
    if (s0) s0[i] = s[0];
    if (s1) s1[i] = s[1];
    if (s2) s2[i] = s[2];
}
#endif

#ifdef IS_squares
// Sums of squares of parts of the gradients, in doubles, whose order the number of gradients decides.
KERNEL squares(double* parts, const grads_t* grads, unsigned count) {
    __shared__ double sums[THREADS];
    double sum = 0.0;
    for (unsigned i = thread_of_grid(); i < count; i += PARTS * THREADS) {
        const double g = group_of(i) == FROZEN ? 0.0 : get(grads, i);
        sum += g * g;
    }
    sums[threadIdx.x] = sum;
    for (unsigned half = THREADS / 2; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) parts[blockIdx.x] = sums[0];
}
#endif

#ifdef IS_gradient_norm
// The norm, or the factor of a step whose gradients are no longer than the largest norm.
KERNEL gradient_norm(float* norm, const double* parts, const float* scalars) {
    __shared__ double sums[THREADS];
    double sum = 0.0;
    for (unsigned i = threadIdx.x; i < PARTS; i += THREADS) sum += parts[i];
    sums[threadIdx.x] = sum;
    for (unsigned half = THREADS / 2; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    const double length = sqrt(sums[0]);
    const float factor = (float)(scalars[0] / (length + 1e-6));
    norm[0] = AS_FACTOR ? (factor >= 1.0f ? 1.0f : factor) : (float)length;
}
#endif
