// Lion: lion.rs.

// c: sign, decay, keep, down, beta1, fresh1, beta2, fresh2
DEVICE float lion(const float* c, float p, float g, float* s) {
    g = regularized(c, p, g);
    const float along = add(mul(c[4], s[0]), mul(c[5], g));
    const float sign = along > 0.0f ? 1.0f : along < 0.0f ? -1.0f : along;
    s[0] = add(mul(c[6], s[0]), mul(c[7], g));
    return add(mul(p, c[2]), mul(c[3], sign));
}
