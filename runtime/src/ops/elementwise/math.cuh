// What the elementwise functions are made of (math.rs) for GPUs, under the same names.
// As chains write these constants.
#define inf INFINITY
#define NaN NAN

namespace math {

DEVICE float mul_add(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE bool is_nan(float x) { return x != x; }
DEVICE float larger(float a, float b) { return ::larger(a, b); }
DEVICE float smaller(float a, float b) { return ::smaller(a, b); }
DEVICE float abs(float x) { return fabsf(x); }
DEVICE float sqrt(float x) { return sqrtf(x); }
DEVICE float exp(float x) { return expf(x); }
DEVICE float expm1(float x) { return expm1f(x); }
DEVICE float log(float x) { return logf(x); }
DEVICE float log1p(float x) { return log1pf(x); }
DEVICE float sin(float x) { return sinf(x); }
DEVICE float cos(float x) { return cosf(x); }
DEVICE float tanh(float x) { return tanhf(x); }
// By e^−|x|, which does not overflow.
DEVICE float sigmoid(float x) {
    const float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
DEVICE float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }
// The distribution function of the normal distribution.
DEVICE float normal(float x) { return 0.5f * erfcf(-0.70710678f * x); }

DEVICE float powf(float x, float p) { return ::powf(x, p); }
// By squaring in doubles: products of floats would be off by `n` roundings.
DEVICE float whole_power_of(float x, int n) {
    double power = 1.0, factor = x;
    for (unsigned left = n < 0 ? -n : n; left; left >>= 1) {
        if (left & 1) power *= factor;
        factor *= factor;
    }
    return (float)(n < 0 ? 1.0 / power : power);
}
DEVICE float whole_power(float x, float n) { return whole_power_of(x, (int)n); }
DEVICE float whole_power_before(float x, float n) {
    return whole_power_of(x, (int)fmaxf(n, -2147483520.0f) - 1);
}

}  // namespace math

namespace f {

DEVICE float indicator(bool condition) { return condition ? 1.0f : 0.0f; }

}  // namespace f
