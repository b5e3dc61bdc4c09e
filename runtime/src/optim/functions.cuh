// What the functions of optimizers use (sgd.cu, adam.cu, …). Products and sums are rounded one by one, in the
// order of operations of the processor's, so that they have the same bits.

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
