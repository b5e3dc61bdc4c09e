// Stochastic gradient descent: sgd.rs.

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
