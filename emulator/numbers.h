// The numbers that libraries read and write: floats, and those of 16 bits.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum Type { F32 = 0, F16 = 2, BF16 = 14 };

static float load(const void* numbers, int type, size_t i) {
    if (type == F32) return ((const float*)numbers)[i];
    if (type == F16) return (float)((const _Float16*)numbers)[i];
    const uint32_t bits = (uint32_t)((const uint16_t*)numbers)[i] << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static void store(void* numbers, int type, size_t i, float value) {
    if (type == F32) {
        ((float*)numbers)[i] = value;
    } else if (type == F16) {
        ((_Float16*)numbers)[i] = (_Float16)value;
    } else {
        uint32_t bits;
        memcpy(&bits, &value, 4);
        ((uint16_t*)numbers)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}

// To the nearest value whose last 32 − BITS bits are zero, ties to even.
template <int BITS>
static float rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint32_t half = 1u << (31 - BITS);
    bits = (bits + half - 1 + (bits >> (32 - BITS) & 1)) & ~(2 * half - 1);
    memcpy(&value, &bits, 4);
    return value;
}
