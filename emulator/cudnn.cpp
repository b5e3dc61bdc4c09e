// libcudnn.so without CUDA: convolutions of planes, one term after another. Descriptions that the real
// library refuses are refused, and algorithms that a program should not choose are offered first.
#include <dlfcn.h>
#include <stdio.h>

#include <initializer_list>
#include <vector>

#include "failures.h"
#include "numbers.h"

#define API extern "C" __attribute__((visibility("default")))

enum { SUCCESS = 0, FAILED = 5000, BAD_PARAM = 2000, NOT_SUPPORTED = 3000 };
enum { NCHW = 0, CROSS_CORRELATION = 1 };
enum Math { DEFAULT_MATH, TENSOR_OP_MATH, TENSOR_OP_MATH_ALLOW_CONVERSION, FMA_MATH };

// Of planes, or of windows: then outputs, inputs of a group, rows, columns.
struct Tensor {
    int type = -1;
    int sizes[4];
};
struct Convolution {
    int padding[2], stride[2], dilation[2];
    int groups = 1, math = DEFAULT_MATH;
};
struct Handle {
    void* stream = nullptr;
};
enum Pass { FORWARD, INPUT, WEIGHT };

// What the library tells of an algorithm.
struct Performance {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};

static int refuse(const char* what) {
    fprintf(stderr, "emulator: cudnn: %s\n", what);
    return BAD_PARAM;
}

API size_t cudnnGetVersion() { return 91000; }
API int cudnnCreate(void** handle) {
    MAY_FAIL;
    *handle = new Handle;
    return SUCCESS;
}
API int cudnnDestroy(void* handle) {
    MAY_FAIL;
    delete (Handle*)handle;
    return SUCCESS;
}
API int cudnnSetStream(void* handle, void* stream) {
    MAY_FAIL;
    ((Handle*)handle)->stream = stream;
    return SUCCESS;
}

static int describe(void* handle, int type, int format, const int (&sizes)[4]) {
    auto* tensor = (Tensor*)handle;
    switch (type) {
        case 0: tensor->type = F32; break;
        case 2: tensor->type = F16; break;
        case 9: tensor->type = BF16; break;
        default: return refuse("the type of a tensor");
    }
    if (format != NCHW) return refuse("the format of a tensor");
    for (int i = 0; i < 4; ++i) {
        if (sizes[i] <= 0) return refuse("a tensor without elements");
        tensor->sizes[i] = sizes[i];
    }
    return SUCCESS;
}
API int cudnnCreateTensorDescriptor(void** tensor) {
    MAY_FAIL;
    *tensor = new Tensor;
    return SUCCESS;
}
API int cudnnDestroyTensorDescriptor(void* tensor) {
    MAY_FAIL;
    delete (Tensor*)tensor;
    return SUCCESS;
}
API int cudnnSetTensor4dDescriptor(void* tensor, int format, int type, int n, int c, int h, int w) {
    MAY_FAIL;
    return describe(tensor, type, format, {n, c, h, w});
}
API int cudnnCreateFilterDescriptor(void** filter) { MAY_FAIL; return cudnnCreateTensorDescriptor(filter); }
API int cudnnDestroyFilterDescriptor(void* filter) { MAY_FAIL; return cudnnDestroyTensorDescriptor(filter); }
API int cudnnSetFilter4dDescriptor(void* filter, int type, int format, int k, int c, int h, int w) {
    MAY_FAIL;
    return describe(filter, type, format, {k, c, h, w});
}

API int cudnnCreateConvolutionDescriptor(void** convolution) {
    MAY_FAIL;
    *convolution = new Convolution;
    return SUCCESS;
}
API int cudnnDestroyConvolutionDescriptor(void* convolution) {
    MAY_FAIL;
    delete (Convolution*)convolution;
    return SUCCESS;
}
API int cudnnSetConvolution2dDescriptor(void* handle, int pad_h, int pad_w, int stride_h, int stride_w,
                                        int dilation_h, int dilation_w, int mode, int sums) {
    MAY_FAIL;
    if (pad_h < 0 || pad_w < 0) return refuse("negative padding");
    for (int step : {stride_h, stride_w, dilation_h, dilation_w})
        if (step <= 0) return refuse("a stride or a dilation that is not positive");
    if (mode != CROSS_CORRELATION) return refuse("windows that are turned around");
    if (sums != 0) return refuse("sums that are no floats");
    auto* of = (Convolution*)handle;
    *of = {{pad_h, pad_w}, {stride_h, stride_w}, {dilation_h, dilation_w}, of->groups, of->math};
    return SUCCESS;
}
API int cudnnSetConvolutionGroupCount(void* convolution, int groups) {
    MAY_FAIL;
    if (groups <= 0) return refuse("no groups");
    ((Convolution*)convolution)->groups = groups;
    return SUCCESS;
}
API int cudnnSetConvolutionMathType(void* convolution, int math) {
    MAY_FAIL;
    if (math < DEFAULT_MATH || math > FMA_MATH) return refuse("the math of a convolution");
    ((Convolution*)convolution)->math = math;
    return SUCCESS;
}

static int check(const Tensor& x, const Tensor& w, const Convolution& of, const Tensor& y) {
    if (x.type < 0 || x.type != w.type || x.type != y.type) return refuse("types of a convolution");
    const int channels = w.sizes[1] * of.groups;
    if (x.sizes[1] != channels || w.sizes[0] % of.groups != 0)
        return refuse("groups of a convolution that do not agree with its channels");
    bool agree = y.sizes[0] == x.sizes[0] && y.sizes[1] == w.sizes[0];
    for (int i = 0; i < 2; ++i) {
        const int window = (w.sizes[2 + i] - 1) * of.dilation[i] + 1;
        const int room = x.sizes[2 + i] + 2 * of.padding[i] - window;
        agree &= room >= 0 && y.sizes[2 + i] == room / of.stride[i] + 1;
    }
    return agree ? SUCCESS : refuse("the sizes of a convolution do not agree");
}

// The algorithms of each pass: one whose sums have no order, one that needs much memory, and one to choose.
enum Algorithm { UNORDERED = 0, LARGE = 2, ORDERED = 1 };

// What is dilated and has strides has no algorithm to choose.
static bool has_ordered(const Convolution& of) {
    return of.dilation[0] * of.dilation[1] == 1 || of.stride[0] * of.stride[1] == 1;
}
// For an algorithm to write over: a number for each element of a window.
static size_t workspace_of(const Tensor& w, int algorithm) {
    const size_t window = 4ull * w.sizes[1] * w.sizes[2] * w.sizes[3];
    return algorithm == LARGE ? 1ull << 40 : window;
}

static int offer(void* x, void* w, void* convolution, void* y, int room, int* count, Performance* to) {
    const auto& of = *(Convolution*)convolution;
    *count = 0;
    if (int error = check(*(Tensor*)x, *(Tensor*)w, of, *(Tensor*)y)) return error;
    for (int algorithm : {UNORDERED, LARGE, ORDERED}) {
        if (*count == room || (algorithm == ORDERED && !has_ordered(of))) break;
        const size_t memory = workspace_of(*(Tensor*)w, algorithm);
        to[(*count)++] = {algorithm, SUCCESS, 1.0f, memory, algorithm != UNORDERED, of.math, {}};
    }
    return SUCCESS;
}
API int cudnnGetConvolutionForwardAlgorithm_v7(void*, void* x, void* w, void* convolution, void* y,
                                               int room, int* count, Performance* to) {
    MAY_FAIL;
    return offer(x, w, convolution, y, room, count, to);
}
API int cudnnGetConvolutionBackwardDataAlgorithm_v7(void*, void* w, void* y, void* convolution, void* x,
                                                    int room, int* count, Performance* to) {
    MAY_FAIL;
    return offer(x, w, convolution, y, room, count, to);
}
API int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void*, void* x, void* y, void* convolution, void* w,
                                                      int room, int* count, Performance* to) {
    MAY_FAIL;
    return offer(x, w, convolution, y, room, count, to);
}

static int tell_workspace(void* x, void* w, void* convolution, void* y, int algorithm, size_t* bytes) {
    const auto& of = *(Convolution*)convolution;
    if (int error = check(*(Tensor*)x, *(Tensor*)w, of, *(Tensor*)y)) return error;
    if (algorithm == ORDERED && !has_ordered(of)) return NOT_SUPPORTED;
    *bytes = workspace_of(*(Tensor*)w, algorithm);
    return SUCCESS;
}
API int cudnnGetConvolutionForwardWorkspaceSize(void*, void* x, void* w, void* convolution, void* y,
                                                int algorithm, size_t* bytes) {
    MAY_FAIL;
    return tell_workspace(x, w, convolution, y, algorithm, bytes);
}
API int cudnnGetConvolutionBackwardDataWorkspaceSize(void*, void* w, void* y, void* convolution, void* x,
                                                     int algorithm, size_t* bytes) {
    MAY_FAIL;
    return tell_workspace(x, w, convolution, y, algorithm, bytes);
}
API int cudnnGetConvolutionBackwardFilterWorkspaceSize(void*, void* x, void* y, void* convolution, void* w,
                                                       int algorithm, size_t* bytes) {
    MAY_FAIL;
    return tell_workspace(x, w, convolution, y, algorithm, bytes);
}

// A convolution that waits for its turn on a stream.
struct Call {
    Pass pass;
    Convolution of;
    Tensor x, w, y;
    void *at_x, *at_w, *at_y, *workspace;
};

// A tensor as floats: zeros where it is the result.
static std::vector<float> numbers(const Tensor& of, const void* at, bool is_result, bool tf32) {
    size_t count = 1;
    for (int size : of.sizes) count *= size;
    std::vector<float> all(count);
    for (size_t i = 0; i < count && !is_result; ++i) {
        const float value = load(at, of.type, i);
        all[i] = tf32 ? rounded<19>(value) : value;
    }
    return all;
}

// Calls `term` with the places of the output, the input and the weight of every term.
template <class Term>
static void each_term(const Call& call, Term term) {
    const Convolution& of = call.of;
    const auto& [images, channels, height, width] = call.x.sizes;
    const auto& [outputs, of_group, rows, cols] = call.w.sizes;
    const int out_height = call.y.sizes[2], out_width = call.y.sizes[3];
    for (int n = 0; n < images; ++n)
        for (int o = 0; o < outputs; ++o)
            for (int c = 0; c < of_group; ++c)
                for (int u = 0; u < rows; ++u)
                    for (int v = 0; v < cols; ++v)
                        for (int i = 0; i < out_height; ++i)
                            for (int j = 0; j < out_width; ++j) {
                                const int row = i * of.stride[0] + u * of.dilation[0] - of.padding[0];
                                const int col = j * of.stride[1] + v * of.dilation[1] - of.padding[1];
                                if (row < 0 || row >= height || col < 0 || col >= width) continue;
                                const int channel = o / (outputs / of.groups) * of_group + c;
                                const size_t plane = (size_t)n * channels + channel;
                                term(((size_t)(n * outputs + o) * out_height + i) * out_width + j,
                                     (plane * height + row) * width + col,
                                     ((size_t)(o * of_group + c) * rows + u) * cols + v);
                            }
}

static int convolve(void* argument) {
    const Call& call = *(Call*)argument;
    // What lies there is of no use to anybody.
    memset(call.workspace, 0xff, workspace_of(call.w, ORDERED));
    const bool tf32 = call.x.type == F32 && call.of.math != FMA_MATH;
    std::vector<float> x = numbers(call.x, call.at_x, call.pass == INPUT, tf32);
    std::vector<float> w = numbers(call.w, call.at_w, call.pass == WEIGHT, tf32);
    std::vector<float> y = numbers(call.y, call.at_y, call.pass == FORWARD, tf32);
    each_term(call, [&](size_t at_y, size_t at_x, size_t at_w) {
        switch (call.pass) {
            case FORWARD: y[at_y] += x[at_x] * w[at_w]; break;
            case INPUT: x[at_x] += y[at_y] * w[at_w]; break;
            case WEIGHT: w[at_w] += x[at_x] * y[at_y]; break;
        }
    });
    const std::vector<float>& result = call.pass == FORWARD ? y : call.pass == INPUT ? x : w;
    void* at = call.pass == FORWARD ? call.at_y : call.pass == INPUT ? call.at_x : call.at_w;
    for (size_t i = 0; i < result.size(); ++i) store(at, call.x.type, i, result[i]);
    return SUCCESS;
}

static int start(void* handle, const Call& call, int algorithm, size_t bytes, const void* alpha,
                 const void* beta) {
    if (int error = check(call.x, call.w, call.of, call.y)) return error;
    if (*(const float*)alpha != 1.0f || *(const float*)beta != 0.0f)
        return refuse("a convolution that is scaled or added");
    if (algorithm != ORDERED || !has_ordered(call.of)) return refuse("an algorithm not to choose");
    if (!call.workspace || bytes < workspace_of(call.w, algorithm)) return refuse("too small a workspace");
    for (void* at : {call.at_x, call.at_w, call.at_y})
        if ((uintptr_t)at % 16 != 0) return refuse("a tensor that is not aligned");
    typedef int (*Submit)(void*, int (*)(void*), void (*)(void*), void*);
    static const Submit submit =
        (Submit)dlsym(dlopen("libcuda.so", RTLD_NOW | RTLD_NOLOAD), "emulator_submit");
    return submit(((Handle*)handle)->stream, convolve, [](void* call) { delete (Call*)call; },
                  new Call(call));
}
API int cudnnConvolutionForward(void* handle, const void* alpha, void* x, void* at_x, void* w, void* at_w,
                                void* convolution, int algorithm, void* workspace, size_t bytes,
                                const void* beta, void* y, void* at_y) {
    MAY_FAIL;
    return start(handle,
                 {FORWARD, *(Convolution*)convolution, *(Tensor*)x, *(Tensor*)w, *(Tensor*)y, at_x, at_w,
                  at_y, workspace},
                 algorithm, bytes, alpha, beta);
}
API int cudnnConvolutionBackwardData(void* handle, const void* alpha, void* w, void* at_w, void* y,
                                     void* at_y, void* convolution, int algorithm, void* workspace,
                                     size_t bytes, const void* beta, void* x, void* at_x) {
    MAY_FAIL;
    return start(handle,
                 {INPUT, *(Convolution*)convolution, *(Tensor*)x, *(Tensor*)w, *(Tensor*)y, at_x, at_w,
                  at_y, workspace},
                 algorithm, bytes, alpha, beta);
}
API int cudnnConvolutionBackwardFilter(void* handle, const void* alpha, void* x, void* at_x, void* y,
                                       void* at_y, void* convolution, int algorithm, void* workspace,
                                       size_t bytes, const void* beta, void* w, void* at_w) {
    MAY_FAIL;
    return start(handle,
                 {WEIGHT, *(Convolution*)convolution, *(Tensor*)x, *(Tensor*)w, *(Tensor*)y, at_x, at_w,
                  at_y, workspace},
                 algorithm, bytes, alpha, beta);
}
