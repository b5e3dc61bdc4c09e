// Dropout: element `64 g + 16 l + b` takes word `l` of block `16 g + b`. A thread makes one block,
// and so neighbouring threads take neighbouring elements. `random` holds the seed and the number of
// the step, the lower half of each first; `threshold` is 2³² at most.

#ifdef IS_dropout
DEVICE unsigned number_of_call(float* call, unsigned number) {
    if (call && thread_of_grid() == 0) call[0] = __int_as_float(number);
    return number;
}
KERNEL dropout(y_t* y, float* call, const x_t* x, const unsigned* random, unsigned number,
               float scale, unsigned count) {
    const unsigned drawn = number_of_call(call, number);
#else
KERNEL dropout_grad(y_t* y, const float* call, const x_t* x, const unsigned* random, float scale,
                    unsigned count) {
    const unsigned drawn = __float_as_int(call[0]);
#endif
    const unsigned block = thread_of_grid();
    const unsigned first = block / 16 * 64 + block % 16;
    if (first >= count) return;
    // The stream of the call: 2⁶³ + 2¹⁶ step + call.
    const unsigned low = random[2] << 16 | (drawn & 0xffff);
    const unsigned high = 0x80000000u | random[3] << 16 | random[2] >> 16;
    const uint4 words = philox(uint4{block, 0, low, high}, uint2{random[0], random[1]});
    const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int l = 0; l < 4; ++l) {
        const unsigned i = first + 16 * l;
        const bool kept = word[l] >= THRESHOLD;
        if (i < count) put(y, i, kept ? get(x, i) * scale : 0.0f);
    }
}
