// One step of recurrent cells, a thread for each float of the state. Products with the weights are
// made between the steps.

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
    float g[GATES] = {}, products[GATES], state = 0.0f, old = 0.0f, kept = 0.0f;
    if (s < length) {
        old = state = h[n];
        float cell = CELL == 2 ? c[n] : 0.0f;
#pragma unroll
        for (int k = 0; k < GATES; ++k) {
            g[k] = get(x, of_gates + k * HIDDEN);
            products[k] = bias ? get(bias, k * HIDDEN + u) : 0.0f;
            if (p) products[k] += p[b * WIDTH + k * HIDDEN + u];
        }
        kept = to_keep(products, cell);
        advance(g, products, state, cell);
        h[n] = state;
        if (CELL == 2) c[n] = cell;
    }
    put(y, of_state, state);
    if (before) put(before, of_state, old);
    if (inner) put(inner, of_state, kept);
    for (int k = 0; gates && k < GATES; ++k) put(gates, of_gates + k * HIDDEN, g[k]);
}
#endif

#ifdef IS_backward
// From the gradients `h_in` and `c_in` of the states behind the step, which have `through [batch,
// HIDDEN]` added, to those before it, but for what comes through the products of `d_p`.
KERNEL backward(d_x_t* d_x, d_products_t* d_products, float* d_p, float* h_out, c_out_t* c_out,
                const h_in_t* h_in, const c_in_t* c_in, const float* through, const d_y_t* d_y,
                const gates_t* gates, const before_t* before, const inner_t* inner,
                const unsigned* lengths, unsigned s, unsigned steps, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned b = n / HIDDEN, u = n % HIDDEN, length = lengths ? lengths[b] : steps;
    const size_t at = (size_t)b * steps + place(s, length), of_state = at * HIDDEN + u;
    const size_t of_gates = at * WIDTH + u;
    float d_h = (h_in ? get(h_in, n) : 0.0f) + (through ? through[n] : 0.0f);
    float d_c = c_in ? get(c_in, n) : 0.0f, d[GATES] = {}, of_products[GATES] = {};
    if (s < length) {
        if (d_y) d_h += get(d_y, of_state);
        Past past;
#pragma unroll
        for (int k = 0; k < GATES; ++k) past.gates[k] = get(gates, of_gates + k * HIDDEN);
        if (CELL == 3) past.before = get(before, of_state);
        if (CELL >= 2) past.inner = get(inner, of_state);
        retreat(d, of_products, d_h, d_c, past);
    }
    h_out[n] = d_h;
    if (CELL == 2) put(c_out, n, d_c);
#pragma unroll
    for (int k = 0; k < GATES; ++k) {
        put(d_x, of_gates + k * HIDDEN, d[k]);
        d_p[b * WIDTH + k * HIDDEN + u] = of_products[k];
        if (d_products) put(d_products, of_gates + k * HIDDEN, of_products[k]);
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
