// RMSprop: rmsprop.rs.

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
