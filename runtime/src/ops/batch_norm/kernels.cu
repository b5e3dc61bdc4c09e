// Reductions of channels of `x [batch, CHANNELS, INNER]`: a block takes a part of a channel, and the
// parts are combined in their order. Element `e` of a channel is element `e % INNER` of sample
// `e / INNER`.

DEVICE size_t element(unsigned channel, unsigned e) {
    return ((size_t)(e / INNER) * CHANNELS + channel) * INNER + e % INNER;
}

#ifdef IS_moments
// Vectors of a thread that are in registers at once.
#define KEPT (16 / WIDTH)
#define TILE (unsigned)(KEPT * WIDTH * THREADS)

// `f(k, e)` for the thread's vectors of a tile: their numbers, and the first element of each.
template <typename F>
DEVICE void each(unsigned count, F f) {
#pragma unroll
    for (int k = 0; k < KEPT; ++k) {
        const unsigned e = (threadIdx.x + k * THREADS) * WIDTH;
        if (e < count) f(k, e);
    }
}

// The mean of each part and the squares around it: `parts [CHANNELS, splits, 2]`. Tile by tile, each of
// which is read once (T. Chan, G. Golub, R. LeVeque, 1979).
KERNEL moments(float* parts, const x_t* x, unsigned count, unsigned chunk, unsigned splits) {
    const unsigned channel = blockIdx.x / splits, from = blockIdx.x % splits * chunk;
    const unsigned end = min(from + chunk, count);
    float mean = 0.0f, squares = 0.0f;
    for (unsigned start = from; start < end; start += TILE) {
        const unsigned here = min(TILE, end - start), before = start - from;
        float kept[KEPT][WIDTH], sum = 0.0f, around = 0.0f;
        each(here, [&](int k, unsigned e) { load(kept[k], x, element(channel, start + e)); });
        each(here, [&](int k, unsigned) {
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) sum += kept[k][i];
        });
        const float of_tile = block_sum(sum) / here, away = of_tile - mean;
        each(here, [&](int k, unsigned) {
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) {
                around += (kept[k][i] - of_tile) * (kept[k][i] - of_tile);
            }
        });
        const float share = (float)here / (before + here);
        squares += block_sum(around) + away * away * before * share;
        mean += away * share;
    }
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = mean;
        parts[2 * blockIdx.x + 1] = squares;
    }
}
#endif

#ifdef IS_statistics
// From the parts to the statistics of a batch, and the running ones where there are some (T. Chan,
// G. Golub, R. LeVeque, 1979). `weight` is that of this batch, negative for an equal weight of all.
KERNEL statistics(float* mean, float* invstd, new_mean_t* new_mean, new_var_t* new_var,
                  new_batches_t* new_batches, const old_mean_t* old_mean, const old_var_t* old_var,
                  const old_batches_t* old_batches, const float* parts, float eps, float momentum,
                  unsigned count, unsigned chunk, unsigned splits) {
    const unsigned channel = thread_of_grid();
    if (channel >= CHANNELS) return;
    double mu = 0.0, squares = 0.0, seen = 0.0;
    for (unsigned part = 0; part < splits; ++part) {
        const double n = min(chunk, count - part * chunk);
        const double away = parts[2 * (channel * splits + part)] - mu;
        seen += n;
        squares += parts[2 * (channel * splits + part) + 1] + away * away * (seen - n) * n / seen;
        mu += away * n / seen;
    }
    mean[channel] = (float)mu;
    invstd[channel] = (float)(1.0 / sqrt(squares / count + (double)eps));
    if (!new_mean) return;
    const float batches = old_batches[0] + 1.0f;
    const double weight = momentum < 0.0f ? 1.0 / batches : momentum;
    const double old = old_var[channel];
    new_mean[channel] = (float)((1.0 - weight) * old_mean[channel] + weight * mu);
    // One element has no unbiased variance.
    const double moved = count > 1 ? (1.0 - weight) * old + weight * squares / (count - 1.0) : old;
    new_var[channel] = (float)moved;
    if (channel == 0) new_batches[0] = batches;
}
#endif

#ifdef IS_sums
// `Σ d_y (x − mean)` and `Σ d_y` of each part.
KERNEL sums(float* parts, const d_y_t* d_y, const x_t* x, const float* mean, unsigned count,
            unsigned chunk, unsigned splits) {
    const unsigned channel = blockIdx.x / splits, from = blockIdx.x % splits * chunk;
    const unsigned end = min(from + chunk, count);
    const float mu = mean[channel];
    float along = 0.0f, plain = 0.0f;
#pragma unroll 4
    for (unsigned e = from + threadIdx.x * WIDTH; e < end; e += THREADS * WIDTH) {
        float g[WIDTH], v[WIDTH];
        load(g, d_y, element(channel, e));
        load(v, x, element(channel, e));
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            along += g[i] * (v[i] - mu);
            plain += g[i];
        }
    }
    along = block_sum(along);
    plain = block_sum(plain);
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = along;
        parts[2 * blockIdx.x + 1] = plain;
    }
}
#endif

#ifdef IS_combine
KERNEL combine(d_w_t* d_w, d_b_t* d_b, const float* parts, const float* invstd, unsigned splits) {
    const unsigned channel = thread_of_grid();
    if (channel >= CHANNELS) return;
    double along = 0.0, plain = 0.0;
    for (unsigned part = 0; part < splits; ++part) {
        along += parts[2 * (channel * splits + part)];
        plain += parts[2 * (channel * splits + part) + 1];
    }
    put(d_w, channel, (float)(along * invstd[channel]));
    put(d_b, channel, (float)plain);
}
#endif
