// Adam and AdamW: adam.rs.

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
