// One step of recurrent cells, a thread for each float of the state. Products with the weights are made
// between the steps. `CELL`: 0 tanh, 1 ReLU, 2 LSTM, 3 GRU.

#define GATES (CELL == 2 ? 4 : CELL == 3 ? 3 : 1)
#define WIDTH (GATES * HIDDEN)

DEVICE float sigmoid(float x) {
    const float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// The place of step `s` of a sample of `length` elements. Behind its end are places that nothing
// happens at.
DEVICE unsigned place(unsigned s, unsigned length) {
    return REVERSE && s < length ? length - 1 - s : s;
}

#ifdef IS_forward
// `h` and `c` are the states, `p` the products of `h`, null where it is 0.
KERNEL forward(y_t* y, float* h, float* c, gates_t* gates, before_t* before, inner_t* inner,
               const x_t* x, const float* p, const bias_t* bias, const unsigned* lengths, unsigned s,
               unsigned steps, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned b = n / HIDDEN, u = n % HIDDEN, length = lengths ? lengths[b] : steps;
    const size_t at = (size_t)b * steps + place(s, length), of_state = at * HIDDEN + u;
    const size_t of_gates = at * WIDTH + u;
    if (s >= length) {
        put(y, of_state, 0.0f);
        if (before) put(before, of_state, 0.0f);
        if (inner) put(inner, of_state, 0.0f);
        for (int k = 0; gates && k < GATES; ++k) put(gates, of_gates + k * HIDDEN, 0.0f);
        return;
    }
    float g[GATES], products[GATES];
#pragma unroll
    for (int k = 0; k < GATES; ++k) {
        products[k] = (bias ? get(bias, k * HIDDEN + u) : 0.0f) + (p ? p[b * WIDTH + k * HIDDEN + u] : 0.0f);
        g[k] = get(x, of_gates + k * HIDDEN) + (CELL == 3 && k == 2 ? 0.0f : products[k]);
    }
    const float old = h[n];
#if CELL == 0
    g[0] = tanhf(g[0]);
    const float state = g[0];
#elif CELL == 1
    g[0] = g[0] <= 0.0f ? 0.0f : g[0];
    const float state = g[0];
#elif CELL == 2
    g[0] = sigmoid(g[0]);
    g[1] = sigmoid(g[1]);
    g[2] = tanhf(g[2]);
    g[3] = sigmoid(g[3]);
    if (inner) put(inner, of_state, c[n]);
    c[n] = g[1] * c[n] + g[0] * g[2];
    const float state = g[3] * tanhf(c[n]);
#else
    g[0] = sigmoid(g[0]);
    g[1] = sigmoid(g[1]);
    g[2] = tanhf(g[2] + g[0] * products[2]);
    if (inner) put(inner, of_state, products[2]);
    const float state = (1.0f - g[1]) * g[2] + g[1] * old;
#endif
    if (before) put(before, of_state, old);
    h[n] = state;
    put(y, of_state, state);
    for (int k = 0; gates && k < GATES; ++k) put(gates, of_gates + k * HIDDEN, g[k]);
}
#endif

#ifdef IS_backward
// From the gradients `h_in` and `c_in` of the states behind the step, which have `through [batch,
// HIDDEN]` added, to those before it, but for what comes through the products of `d_p`.
KERNEL backward(d_x_t* d_x, d_products_t* d_products, float* d_p, float* h_out, float* c_out,
                const h_in_t* h_in, const c_in_t* c_in, const float* through, const d_y_t* d_y,
                const gates_t* gates, const before_t* before, const inner_t* inner,
                const unsigned* lengths, unsigned s, unsigned steps, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned b = n / HIDDEN, u = n % HIDDEN, length = lengths ? lengths[b] : steps;
    const size_t at = (size_t)b * steps + place(s, length), of_state = at * HIDDEN + u;
    const size_t of_gates = at * WIDTH + u;
    float d_h = (h_in ? get(h_in, n) : 0.0f) + (through ? through[n] : 0.0f);
    const float d_c = c_in ? get(c_in, n) : 0.0f;
    float d[GATES], of_products = 0.0f;
    if (s >= length) {
        h_out[n] = d_h;
        if (CELL == 2) c_out[n] = d_c;
#pragma unroll
        for (int k = 0; k < GATES; ++k) d[k] = 0.0f;
    } else {
        if (d_y) d_h += get(d_y, of_state);
        float g[GATES];
#pragma unroll
        for (int k = 0; k < GATES; ++k) g[k] = get(gates, of_gates + k * HIDDEN);
#if CELL == 0
        d[0] = d_h * (1.0f - g[0] * g[0]);
        h_out[n] = 0.0f;
#elif CELL == 1
        d[0] = g[0] > 0.0f ? d_h : 0.0f;
        h_out[n] = 0.0f;
#elif CELL == 2
        const float old = get(inner, of_state), tanh = tanhf(g[1] * old + g[0] * g[2]);
        const float all = d_c + d_h * g[3] * (1.0f - tanh * tanh);
        d[0] = all * g[2] * g[0] * (1.0f - g[0]);
        d[1] = all * old * g[1] * (1.0f - g[1]);
        d[2] = all * g[0] * (1.0f - g[2] * g[2]);
        d[3] = d_h * tanh * g[3] * (1.0f - g[3]);
        h_out[n] = 0.0f;
        c_out[n] = all * g[1];
#else
        const float d_n = d_h * (1.0f - g[1]) * (1.0f - g[2] * g[2]);
        d[0] = d_n * get(inner, of_state) * g[0] * (1.0f - g[0]);
        d[1] = d_h * (get(before, of_state) - g[2]) * g[1] * (1.0f - g[1]);
        d[2] = d_n;
        of_products = d_n * g[0];
        h_out[n] = d_h * g[1];
#endif
    }
#pragma unroll
    for (int k = 0; k < GATES; ++k) {
        const float of_p = CELL == 3 && k == 2 ? of_products : d[k];
        put(d_x, of_gates + k * HIDDEN, d[k]);
        d_p[b * WIDTH + k * HIDDEN + u] = of_p;
        if (d_products) put(d_products, of_gates + k * HIDDEN, of_p);
    }
}
#endif

#ifdef IS_sum
// The gradients of the first states.
KERNEL sum(y_t* y, const float* a, const float* b, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n < count) put(y, n, a[n] + b[n]);
}
#endif
