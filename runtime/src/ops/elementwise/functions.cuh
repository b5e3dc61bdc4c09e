// The elementwise functions and their derivatives (functions.rs) for GPUs, under the same names.
// As chains write these constants.
#define inf INFINITY
#define NaN NAN

namespace f {

DEVICE float indicator(bool condition) { return condition ? 1.0f : 0.0f; }

DEVICE float constant(float value) { return value; }
DEVICE float copy(float x) { return x; }
DEVICE float add(float a, float b) { return a + b; }
DEVICE float sub(float a, float b) { return a - b; }
DEVICE float mul(float a, float b) { return a * b; }
DEVICE float mul_add(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE float div(float a, float b) { return a / b; }
DEVICE float div_grad(float d, float y, float b) { return -d * y / b; }
DEVICE float neg(float x) { return -x; }
DEVICE float eq(float a, float b) { return indicator(a == b); }
DEVICE float ne(float a, float b) { return indicator(a != b); }
DEVICE float gt(float a, float b) { return indicator(a > b); }
DEVICE float ge(float a, float b) { return indicator(a >= b); }
DEVICE float lt(float a, float b) { return indicator(a < b); }
DEVICE float le(float a, float b) { return indicator(a <= b); }
DEVICE float where_(float c, float a, float b) { return c != 0.0f ? a : b; }
DEVICE float where_grad(float c, float d) { return c != 0.0f ? d : 0.0f; }
DEVICE float where_grad_other(float c, float d) { return c != 0.0f ? 0.0f : d; }

DEVICE float maximum(float a, float b) { return larger(a, b); }
DEVICE float maximum_grad(float d, float a, float b) {
    return a < b ? 0.0f : a == b ? 0.5f * d : d;
}
DEVICE float minimum(float a, float b) { return smaller(a, b); }
DEVICE float minimum_grad(float d, float a, float b) {
    return a > b ? 0.0f : a == b ? 0.5f * d : d;
}

DEVICE float abs(float x) { return fabsf(x); }
DEVICE float abs_grad(float d, float x) { return d * (indicator(x > 0.0f) - indicator(x < 0.0f)); }
DEVICE float exp(float x) { return expf(x); }
DEVICE float log(float x) { return logf(x); }
DEVICE float sqrt(float x) { return sqrtf(x); }
DEVICE float sqrt_grad(float d, float y) { return d / (2.0f * y); }
DEVICE float square(float x) { return x * x; }
DEVICE float square_grad(float d, float x) { return 2.0f * (d * x); }
DEVICE float sin(float x) { return sinf(x); }
DEVICE float sin_grad(float d, float x) { return d * cosf(x); }
DEVICE float cos(float x) { return cosf(x); }
DEVICE float cos_grad(float d, float x) { return -d * sinf(x); }

DEVICE float powf(float x, float p) { return ::powf(x, p); }
DEVICE float powf_grad(float d, float x, float p) {
    return p == 0.0f ? 0.0f : d * p * ::powf(x, p - 1.0f);
}
// By squaring in doubles: products of floats would be off by `n` roundings.
DEVICE float whole_power(float x, int n) {
    double power = 1.0, factor = x;
    for (unsigned left = n < 0 ? -n : n; left; left >>= 1) {
        if (left & 1) power *= factor;
        factor *= factor;
    }
    return (float)(n < 0 ? 1.0 / power : power);
}
DEVICE float powi(float x, float n) { return whole_power(x, (int)n); }
DEVICE float powi_grad(float d, float x, float n) {
    return n == 0.0f ? 0.0f : d * n * whole_power(x, (int)fmaxf(n, -2147483520.0f) - 1);
}

DEVICE float relu(float x) { return x <= 0.0f ? 0.0f : x; }
DEVICE float relu_grad(float d, float y) { return y <= 0.0f ? 0.0f : d; }
DEVICE float leaky_relu(float x, float slope) { return x > 0.0f ? x : slope * x; }
DEVICE float leaky_relu_grad(float d, float x, float slope) { return x > 0.0f ? d : slope * d; }
DEVICE float elu(float x, float alpha) { return x > 0.0f ? x : alpha * expm1f(x); }
DEVICE float elu_grad(float d, float x, float alpha) {
    return x > 0.0f ? d : d * alpha * expf(x);
}
// The distribution function of the normal distribution.
DEVICE float normal(float x) { return 0.5f * erfcf(-0.70710678f * x); }
DEVICE float gelu(float x) { return x * normal(x); }
DEVICE float gelu_grad(float d, float x) {
    return d * (normal(x) + x * 0.3989422804f * expf(-0.5f * x * x));
}
DEVICE float gelu_tanh(float x) {
    return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}
DEVICE float gelu_tanh_grad(float d, float x) {
    // The slope is 0 or 1 from 9 on, where the square of a large number would be infinite.
    x = x > 16.0f ? 16.0f : x < -16.0f ? -16.0f : x;
    const float t = tanhf(0.7978845608f * (x + 0.044715f * x * x * x));
    const float inner = 0.7978845608f * (1.0f + 3.0f * 0.044715f * x * x);
    return d * (0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner);
}
// By e^−|x|, which does not overflow.
DEVICE float sigmoid(float x) {
    const float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
DEVICE float sigmoid_grad(float d, float y) { return d * y * (1.0f - y); }
DEVICE float silu(float x) { return x * sigmoid(x); }
DEVICE float silu_grad(float d, float x) {
    const float s = sigmoid(x);
    return d * s * (1.0f + x * (1.0f - s));
}
DEVICE float tanh(float x) { return tanhf(x); }
DEVICE float tanh_grad(float d, float y) { return d * (1.0f - y * y); }
DEVICE float softplus(float x, float beta, float threshold) {
    const float z = x * beta;
    return z > threshold ? x : (fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z)))) / beta;
}
DEVICE float softplus_grad(float d, float x, float beta, float threshold) {
    return x * beta > threshold ? d : d * sigmoid(x * beta);
}
DEVICE float clamp(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}
DEVICE float clamp_grad(float d, float x, float low, float high) {
    return x > low && x < high ? d : 0.0f;
}

DEVICE float smooth_l1(float x, float beta) {
    return fabsf(x) < beta ? 0.5f * x * (x / beta) : fabsf(x) - 0.5f * beta;
}
DEVICE float smooth_l1_grad(float d, float x, float beta) {
    return fabsf(x) >= beta ? abs_grad(d, x) : d * (x / beta);
}
DEVICE float huber(float x, float delta) {
    return fabsf(x) <= delta ? 0.5f * x * x : delta * (fabsf(x) - 0.5f * delta);
}
DEVICE float huber_grad(float d, float x, float delta) {
    return fabsf(x) > delta ? delta * abs_grad(d, x) : d * x;
}
DEVICE float bce(float x, float t) {
    const float log_x = larger(logf(x), -100.0f), log_1_x = larger(log1pf(-x), -100.0f);
    return (t - 1.0f) * log_1_x - t * log_x;
}
DEVICE float bce_grad(float d, float x, float t) {
    const float variance = x * (1.0f - x);
    return d * (x - t) / (variance < 1e-12f ? 1e-12f : variance);
}
DEVICE float bce_grad_target(float d, float x) { return d * (log1pf(-x) - logf(x)); }
DEVICE float bce_with_logits(float x, float t) {
    // Below 0 it is (1 − t) x − x = −t x.
    return (x < 0.0f ? -t : 1.0f - t) * x + log1pf(expf(-fabsf(x)));
}
DEVICE float bce_with_logits_grad(float d, float x, float t) { return d * (sigmoid(x) - t); }
DEVICE float bce_with_logits_grad_target(float d, float x) { return -d * x; }
DEVICE float kl_div(float x, float t) {
    return t != 0.0f ? t * (logf(t) - x) : x != x ? x : 0.0f;
}
DEVICE float kl_div_grad(float d, float t) { return -d * t; }
DEVICE float kl_div_grad_target(float d, float x, float t) {
    return t == 0.0f ? 0.0f : d * (logf(t) + 1.0f - x);
}

}  // namespace f
