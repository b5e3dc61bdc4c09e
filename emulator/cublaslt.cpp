// libcublasLt.so without CUDA: products of matrices whose columns follow each other, in batches, with
// what may follow them. Descriptions that the real library refuses are refused.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "failures.h"
#include "numbers.h"

#define API extern "C" __attribute__((visibility("default")))

enum { SUCCESS = 0, FAILED = 14, INVALID_VALUE = 7 };
enum Epilogue { DEFAULT = 1, RELU = 2, BIAS = 4 };

struct Layout {
    int type;
    uint64_t rows, cols;
    int64_t leading;
    int batch = 1;
    int64_t stride = 0;
};
enum Compute { COMPUTE_F32 = 68, COMPUTE_TF32 = 77 };
struct Description {
    int compute;
    int transpose_a = 0, transpose_b = 0, epilogue = DEFAULT;
    void* bias = nullptr;
};
struct Preference {};
struct Heuristic {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

static int refuse(const char* what) {
    fprintf(stderr, "emulator: cublasLt: %s\n", what);
    return INVALID_VALUE;
}

API int cublasLtCreate(void** handle) {
    MAY_FAIL;
    *handle = (void*)0x20;
    return SUCCESS;
}
API int cublasLtDestroy(void*) { MAY_FAIL; return SUCCESS; }
API size_t cublasLtGetVersion() { return 130000; }

API int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols,
                                   int64_t leading) {
    MAY_FAIL;
    *layout = new Layout{type, rows, cols, leading};
    return SUCCESS;
}
API int cublasLtMatrixLayoutDestroy(void* layout) {
    MAY_FAIL;
    delete (Layout*)layout;
    return SUCCESS;
}
API int cublasLtMatrixLayoutSetAttribute(void* handle, int attribute, const void* value, size_t size) {
    MAY_FAIL;
    auto* layout = (Layout*)handle;
    if (attribute == 5 && size == 4) {
        memcpy(&layout->batch, value, 4);
    } else if (attribute == 6 && size == 8) {
        memcpy(&layout->stride, value, 8);
    } else {
        return refuse("an attribute of a layout");
    }
    return SUCCESS;
}

API int cublasLtMatmulDescCreate(void** description, int compute, int scale) {
    MAY_FAIL;
    const bool known = compute == COMPUTE_F32 || compute == COMPUTE_TF32;
    if (!known || scale != F32) return refuse("the type of a computation");
    *description = new Description{compute};
    return SUCCESS;
}
API int cublasLtMatmulDescDestroy(void* description) {
    MAY_FAIL;
    delete (Description*)description;
    return SUCCESS;
}
API int cublasLtMatmulDescSetAttribute(void* handle, int attribute, const void* value, size_t) {
    MAY_FAIL;
    auto* description = (Description*)handle;
    switch (attribute) {
        case 3: memcpy(&description->transpose_a, value, 4); break;
        case 4: memcpy(&description->transpose_b, value, 4); break;
        case 7: memcpy(&description->epilogue, value, 4); break;
        case 8: memcpy(&description->bias, value, 8); break;
        default: return refuse("an attribute of a product");
    }
    return SUCCESS;
}

API int cublasLtMatmulPreferenceCreate(void** preference) {
    MAY_FAIL;
    *preference = new Preference;
    return SUCCESS;
}
API int cublasLtMatmulPreferenceDestroy(void* preference) {
    MAY_FAIL;
    delete (Preference*)preference;
    return SUCCESS;
}
API int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t) { MAY_FAIL; return SUCCESS; }

static int check(const Description& of, const Layout& a, const Layout& b, const Layout& c,
                 const Layout& d) {
    const uint64_t rows = of.transpose_a ? a.cols : a.rows, inner = of.transpose_a ? a.rows : a.cols;
    const uint64_t inner_b = of.transpose_b ? b.cols : b.rows, cols = of.transpose_b ? b.rows : b.cols;
    if (inner != inner_b || rows != d.rows || cols != d.cols)
        return refuse("the sizes of a product do not agree");
    for (const Layout* layout : {&a, &b, &c, &d})
        if (layout->leading < (int64_t)layout->rows) return refuse("columns of a matrix overlap");
    // Factors are alike, and halves may make floats, but not the other way round.
    if (a.type != b.type || (d.type != a.type && d.type != F32)) return refuse("types of a product");
    if (of.compute == COMPUTE_TF32 && a.type != F32) return refuse("TF32 of factors that are no floats");
    if (a.batch != d.batch || b.batch != d.batch) return refuse("batches of a product differ");
    if (of.epilogue & ~(DEFAULT | RELU | BIAS)) return refuse("what follows a product");
    if (of.epilogue & BIAS && !of.bias) return refuse("a bias that is nowhere");
    return SUCCESS;
}

API int cublasLtMatmulAlgoGetHeuristic(void*, void* of, void* a, void* b, void* c, void* d, void*, int,
                                       Heuristic* heuristic, int* found) {
    MAY_FAIL;
    *found = 0;
    if (int error = check(*(Description*)of, *(Layout*)a, *(Layout*)b, *(Layout*)c, *(Layout*)d))
        return error;
    memset(heuristic, 0, sizeof *heuristic);
    *found = 1;
    return SUCCESS;
}

// A product that waits for its turn on a stream.
struct Product {
    Description of;
    Layout a, b, d;
    const void *matrix_a, *matrix_b;
    void* matrix_d;
    float alpha;
};

// A factor as floats, columns of `rows` behind each other, untransposed.
static std::vector<float> factor(const void* matrix, const Layout& of, bool transposed, int64_t batch,
                                 int compute) {
    const uint64_t rows = transposed ? of.cols : of.rows, cols = transposed ? of.rows : of.cols;
    std::vector<float> all(rows * cols);
    for (uint64_t col = 0; col < cols; ++col)
        for (uint64_t row = 0; row < rows; ++row) {
            const uint64_t at = transposed ? row * of.leading + col : col * of.leading + row;
            const float value = load(matrix, of.type, batch * of.stride + at);
            all[col * rows + row] = compute == COMPUTE_TF32 ? rounded<19>(value) : value;
        }
    return all;
}

static int multiply(void* argument) {
    const Product& of = *(Product*)argument;
    const uint64_t rows = of.d.rows, cols = of.d.cols;
    for (int64_t batch = 0; batch < of.d.batch; ++batch) {
        const std::vector<float> a = factor(of.matrix_a, of.a, of.of.transpose_a, batch,
                                            of.of.compute);
        const std::vector<float> b = factor(of.matrix_b, of.b, of.of.transpose_b, batch,
                                            of.of.compute);
        const uint64_t inner = a.size() / rows;
        std::vector<float> sums(rows);
        for (uint64_t col = 0; col < cols; ++col) {
            std::fill(sums.begin(), sums.end(), 0.0f);
            for (uint64_t k = 0; k < inner; ++k) {
                const float factor = b[col * inner + k];
                for (uint64_t row = 0; row < rows; ++row) sums[row] += a[k * rows + row] * factor;
            }
            for (uint64_t row = 0; row < rows; ++row) {
                float value = of.alpha * sums[row];
                if (of.of.epilogue & BIAS) value += load(of.of.bias, of.d.type, row);
                if (of.of.epilogue & RELU) value = value < 0.0f ? 0.0f : value;
                store(of.matrix_d, of.d.type, batch * of.d.stride + col * of.d.leading + row, value);
            }
        }
    }
    return SUCCESS;
}

API int cublasLtMatmul(void*, void* of, const void* alpha, const void* matrix_a, void* a,
                       const void* matrix_b, void* b, const void* beta, const void*, void* c,
                       void* matrix_d, void* d, const void*, void*, size_t, void* stream) {
    MAY_FAIL;
    if (int error = check(*(Description*)of, *(Layout*)a, *(Layout*)b, *(Layout*)c, *(Layout*)d))
        return error;
    if (*(const float*)beta != 0.0f) return refuse("a product that is added");
    typedef int (*Submit)(void*, int (*)(void*), void (*)(void*), void*);
    static const Submit submit =
        (Submit)dlsym(dlopen("libcuda.so", RTLD_NOW | RTLD_NOLOAD), "emulator_submit");
    auto* product = new Product{*(Description*)of, *(Layout*)a, *(Layout*)b,          *(Layout*)d,
                                matrix_a,          matrix_b,    matrix_d, *(const float*)alpha};
    return submit(stream, multiply, [](void* product) { delete (Product*)product; }, product);
}
