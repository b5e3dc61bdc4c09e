// A unit of a recurrent cell: one float of a state with its gates. `CELL`: 0 tanh, 1 ReLU, 2 LSTM,
// 3 GRU.

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

// What the backward pass needs of a step: an LSTM's cell before it, a GRU's pₙ.
DEVICE float to_keep(const float (&p)[GATES], float c) { return CELL == 3 ? p[GATES - 1] : c; }

// The next state from the products `p` and from `g`, which is `x` and becomes the gates.
DEVICE void advance(float (&g)[GATES], const float (&p)[GATES], float& h, float& c) {
#pragma unroll
    for (int k = 0; k < (CELL == 3 ? 2 : GATES); ++k) g[k] += p[k];
#if CELL == 0
    h = g[0] = tanhf(g[0]);
#elif CELL == 1
    h = g[0] = g[0] <= 0.0f ? 0.0f : g[0];
#elif CELL == 2
    g[0] = sigmoid(g[0]);
    g[1] = sigmoid(g[1]);
    g[2] = tanhf(g[2]);
    g[3] = sigmoid(g[3]);
    c = g[1] * c + g[0] * g[2];
    h = g[3] * tanhf(c);
#else
    g[0] = sigmoid(g[0]);
    g[1] = sigmoid(g[1]);
    g[2] = tanhf(g[2] + g[0] * p[2]);
    h = (1.0f - g[1]) * g[2] + g[1] * h;
#endif
}

// A step as it was: the gates, the state before, and what else was kept.
struct Past {
    float gates[GATES], before, inner;
};

// The gradients `d_h` and `d_c` of the state behind a step become those of the state before it, but
// for what comes through the products. `d` becomes the gradient of `x`, `d_p` that of the products.
DEVICE void retreat(float (&d)[GATES], float (&d_p)[GATES], float& d_h, float& d_c, const Past& past) {
    const float (&g)[GATES] = past.gates;
#if CELL == 0
    d[0] = d_h * (1.0f - g[0] * g[0]);
    d_h = 0.0f;
#elif CELL == 1
    d[0] = g[0] <= 0.0f ? 0.0f : d_h;
    d_h = 0.0f;
#elif CELL == 2
    const float old = past.inner, tanh = tanhf(g[1] * old + g[0] * g[2]);
    const float all = d_c + d_h * g[3] * (1.0f - tanh * tanh);
    d[0] = all * g[2] * g[0] * (1.0f - g[0]);
    d[1] = all * old * g[1] * (1.0f - g[1]);
    d[2] = all * g[0] * (1.0f - g[2] * g[2]);
    d[3] = d_h * tanh * g[3] * (1.0f - g[3]);
    d_h = 0.0f;
    d_c = all * g[1];
#else
    const float d_n = d_h * (1.0f - g[1]) * (1.0f - g[2] * g[2]);
    d[0] = d_n * past.inner * g[0] * (1.0f - g[0]);
    d[1] = d_h * (past.before - g[2]) * g[1] * (1.0f - g[1]);
    d[2] = d_n;
    d_h *= g[1];
#endif
#pragma unroll
    for (int k = 0; k < GATES; ++k) d_p[k] = d[k];
    if (CELL == 3) d_p[GATES - 1] *= g[0];
}
