// The steps of optimizers, in the order of operations of the processor's (sgd.rs, adam.rs,
// rmsprop.rs). Products and sums are rounded one by one, so that they have the same bits.

DEVICE float mul(float a, float b) { return __fmul_rn(a, b); }
DEVICE float add(float a, float b) { return __fadd_rn(a, b); }

// `c` has the scalars of the update: first the sign of gradients and the weight decay.
DEVICE float regularized(const float* c, float p, float g) {
    g = mul(c[0], g);
    return c[1] != 0.0f ? add(g, mul(c[1], p)) : g;
}

// `torch.lerp` by a weight that is negative from the far end.
DEVICE float lerp(float weight, float near_start, float from, float to) {
    return add(near_start != 0.0f ? from : to, mul(weight, add(to, -from)));
}

#ifdef IS_update
// c: sign, decay, down
DEVICE float descend(const float* c, float p, float g, float* s) {
    return add(p, mul(c[2], regularized(c, p, g)));
}

// c: sign, decay, down, momentum, fresh, nesterov
DEVICE float momentum(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    s[0] = add(mul(s[0], c[3]), mul(c[4], g));
    g = c[5] != 0.0f ? add(g, mul(c[3], s[0])) : s[0];
    return add(p, mul(c[2], g));
}

// c: sign, decay, keep, down, bias_root, lerp's weight and start, beta2, fresh, eps
DEVICE float adam_mean(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    s[0] = lerp(c[5], c[6], s[0], g);
    s[1] = add(mul(s[1], c[7]), mul(mul(c[8], g), g));
    return mul(p, c[2]);
}
DEVICE float adam_descend(const float* c, float p, float m, float u) {
    return add(p, mul(c[3], m) / add(sqrtf(u) / c[4], c[9]));
}
DEVICE float adam(const float* c, float p, float g, float* s) {
    p = adam_mean(c, p, g, s);
    return adam_descend(c, p, s[0], s[1]);
}
DEVICE float amsgrad(const float* c, float p, float g, float* s) {
    p = adam_mean(c, p, g, s);
    s[2] = s[1] > s[2] ? s[1] : s[2];
    return adam_descend(c, p, s[0], s[2]);
}

// c: sign, decay, down, alpha, fresh, lerp's weight and start, eps, momentum
DEVICE float mean_square(const float* c, float v, float g) {
    return add(mul(v, c[3]), mul(mul(c[4], g), g));
}
DEVICE float rmsprop_descend(const float* c, float p, float g, float variance) {
    return add(p, mul(c[2], g) / add(sqrtf(variance), c[7]));
}
DEVICE float glide(const float* c, float p, float g, float variance, float* b) {
    *b = add(mul(*b, c[8]), g / add(sqrtf(variance), c[7]));
    return add(p, mul(c[2], *b));
}
DEVICE float rmsprop(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    s[0] = mean_square(c, s[0], g);
    return rmsprop_descend(c, p, g, s[0]);
}
DEVICE float rmsprop_momentum(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    s[0] = mean_square(c, s[0], g);
    return glide(c, p, g, s[0], &s[1]);
}
// The running variance around the running mean, and that mean.
DEVICE void center(const float* c, float* s, float g) {
    const float away = add(g, -s[1]);
    s[0] = mul(c[3], add(s[0], mul(mul(c[4], away), away)));
    s[1] = lerp(c[5], c[6], s[1], g);
}
DEVICE float rmsprop_centered(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    center(c, s, g);
    return rmsprop_descend(c, p, g, s[0]);
}
DEVICE float rmsprop_centered_momentum(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    center(c, s, g);
    return glide(c, p, g, s[0], &s[2]);
}

// Whether a parameter decays: by the ends of runs that do or do not.
DEVICE bool decays(unsigned i) {
#if RUNS
    const unsigned ends[RUNS] = {ENDS};
    const bool decay[RUNS] = {DECAY};
    unsigned low = 0, high = RUNS;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (ends[middle] <= i) low = middle + 1;
        else high = middle;
    }
    return low >= RUNS || decay[low];
#else
    return true;
#endif
}

// All parameters, and the state with them; gradients are multiplied by a factor first. The parameters in
// 16 bits, where there are any, follow.
KERNEL update(params_t* params, halves_t* halves, const grads_t* grads, float* s0, float* s1, float* s2,
              const float* scalars, const float* factor, const float* loss_scale, unsigned count) {
    const unsigned i = thread_of_grid();
    // Gradients that are not finite.
    if (i >= count || (loss_scale && loss_scale[2] != 0.0f)) return;
    float s[3] = {s0 ? s0[i] : 0.0f, s1 ? s1[i] : 0.0f, s2 ? s2[i] : 0.0f};
    const float g = mul(factor ? factor[0] : 1.0f, get(grads, i));
    const float* c = decays(i) ? scalars : scalars + SCALARS;
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
        const double g = get(grads, i);
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
    const float factor = (float)(scalars[2 * SCALARS] / (length + 1e-6));
    norm[0] = AS_FACTOR ? (factor >= 1.0f ? 1.0f : factor) : (float)length;
}
#endif
