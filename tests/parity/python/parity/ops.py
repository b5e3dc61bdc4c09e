"""Losses and activations, with gradients. The file holds, for each case, a few of these tensors,
all float32 (class numbers too):

<case>.input     the first operand; probabilities or log-probabilities where the loss says so
<case>.other     the second operand of `maximum` and `minimum`
<case>.target    the target of a loss: class numbers [4], or values shaped like the input
<case>.output    the value: one number [] for losses, shaped like the input for activations
<case>.d_output  the gradient of the output, for activations; for losses it is 1
<case>.d_input   the gradient of the input
<case>.d_other   the gradient of the other operand

Operands are [4, 6]; softmax and the losses over classes work along the last dimension. The
name of a case ends in its parameters: `elu_0.5` is elu with alpha 0.5. CASES below says what
each computes. Losses take the mean over all elements (cross-entropy and nll over the 4 rows),
except `kl_div_batchmean`, which divides the sum by the 4 rows.

Operands are float32, but PyTorch computes in float64 and only results are rounded to float32,
so the recorded values are right to the last digit. `make` checks that PyTorch's float32
results are close to them, and prints the case that is farthest off.
"""

import sys

import torch
import torch.nn.functional as F

from .files import VERSION, Tensors, parity

FILES = [parity("ops")]
SHAPE = (4, 6)
CLASSES = torch.tensor([2, 0, 5, 2])

# Zero, tiny, moderate, large, and the places where definitions change.
SIGNED = torch.tensor(
    [0.0, 1e-30, -1e-30, 1e-6, -1e-6, 1e-3, -1e-3, 0.1, -0.1, 0.5, -0.5, 1.0]
    + [-1.0, 1.7, -1.7, 3.3, -3.3, 10.0, -10.0, 20.0, -20.0, 21.0, 100.0, -100.0]
).reshape(SHAPE)
POSITIVE = torch.logspace(-6, 2, 24).reshape(SHAPE)
# Ordinary rows, a row of ties, a row with large differences.
LOGITS = torch.tensor(
    [[0.3, -1.2, 2.1, 0.0, -0.4, 0.9], [1.5, 1.5, 1.5, 1.5, 1.5, 1.5]]
    + [[100.0, -100.0, 0.0, 1e-6, 50.0, 99.0], [-3.0, 1e-30, -1e-6, 20.0, 19.5, -20.0]]
)
# Differences from SIGNED of zero, within and beyond the thresholds, and on them.
NEAR = SIGNED + torch.tensor(
    [0.0, 0.0, 0.0, 0.25, -0.25, 0.5, -0.5, 0.7, -0.7, 1.0, -1.0, 2.0]
    + [-2.0, 0.1, -0.1, 5.0, -5.0, 0.0, 1.0, -1.0, 0.5, -0.5, 30.0, -30.0]
).reshape(SHAPE)
TIES = torch.where(torch.arange(24).reshape(SHAPE) % 3 == 0, SIGNED, SIGNED.flip(0, 1))
PROBABILITIES = torch.linspace(0.01, 0.99, 24).reshape(SHAPE)
EXTREMES = torch.tensor([0.0, 1.0, 1e-6, 0.999999, 0.5, 1e-30]).repeat(4, 1)
BINARY = (torch.arange(24) % 2).float().reshape(SHAPE)
SOFT = torch.linspace(1.0, 0.0, 24).reshape(SHAPE)
EXTREME_TARGETS = torch.tensor([[0.0], [1.0], [0.3], [1.0]]).repeat(1, 6)
LOG_PROBABILITIES = F.log_softmax(LOGITS.double(), 1).float()
# Every row sums to 1; one has zeros.
DISTRIBUTIONS = torch.tensor(
    [[0.1, 0.2, 0.3, 0.2, 0.1, 0.1], [0.0, 0.0, 0.5, 0.25, 0.25, 0.0]]
    + [[0.9, 0.02, 0.02, 0.02, 0.02, 0.02], [1 / 6] * 6]
)

# Name: (function, input, target or other operand or None).
LOSSES = {
    "cross_entropy": (F.cross_entropy, LOGITS, CLASSES),
    "cross_entropy_smoothing_0.1": (
        lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1),
        LOGITS,
        CLASSES,
    ),
    "nll_loss": (F.nll_loss, LOG_PROBABILITIES, CLASSES),
    "mse_loss": (F.mse_loss, SIGNED, NEAR),
    "l1_loss": (F.l1_loss, SIGNED, NEAR),
    "smooth_l1_loss_1": (lambda x, y: F.smooth_l1_loss(x, y, beta=1.0), SIGNED, NEAR),
    "smooth_l1_loss_0.5": (lambda x, y: F.smooth_l1_loss(x, y, beta=0.5), SIGNED, NEAR),
    "huber_loss_1": (lambda x, y: F.huber_loss(x, y, delta=1.0), SIGNED, NEAR),
    "huber_loss_0.7": (lambda x, y: F.huber_loss(x, y, delta=0.7), SIGNED, NEAR),
    "binary_cross_entropy": (F.binary_cross_entropy, PROBABILITIES, BINARY),
    "binary_cross_entropy_soft": (F.binary_cross_entropy, PROBABILITIES, SOFT),
    # Probabilities of 0 and 1: PyTorch bounds the logarithms by -100, and the denominator of
    # the gradient, p (1 - p), by 1e-12.
    "binary_cross_entropy_extreme": (F.binary_cross_entropy, EXTREMES, EXTREME_TARGETS),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, SIGNED, BINARY),
    "binary_cross_entropy_with_logits_soft": (F.binary_cross_entropy_with_logits, SIGNED, SOFT),
    "kl_div_mean": (
        # What reduction="mean" computes, less the warning that it is not the usual definition.
        lambda x, y: F.kl_div(x, y, reduction="none").mean(),
        LOG_PROBABILITIES,
        DISTRIBUTIONS,
    ),
    "kl_div_batchmean": (
        lambda x, y: F.kl_div(x, y, reduction="batchmean"),
        LOG_PROBABILITIES,
        DISTRIBUTIONS,
    ),
}
ACTIVATIONS = {
    "relu": (F.relu, SIGNED, None),
    "leaky_relu_0.01": (lambda x: F.leaky_relu(x, 0.01), SIGNED, None),
    "leaky_relu_0.2": (lambda x: F.leaky_relu(x, 0.2), SIGNED, None),
    "elu_1": (lambda x: F.elu(x, 1.0), SIGNED, None),
    "elu_0.5": (lambda x: F.elu(x, 0.5), SIGNED, None),
    "gelu": (F.gelu, SIGNED, None),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), SIGNED, None),
    "silu": (F.silu, SIGNED, None),
    "sigmoid": (torch.sigmoid, SIGNED, None),
    "tanh": (torch.tanh, SIGNED, None),
    "softplus_1_20": (lambda x: F.softplus(x, beta=1.0, threshold=20.0), SIGNED, None),
    "softplus_2_20": (lambda x: F.softplus(x, beta=2.0, threshold=20.0), SIGNED, None),
    "clamp_-1_1": (lambda x: x.clamp(-1.0, 1.0), SIGNED, None),
    "abs": (torch.abs, SIGNED, None),
    "maximum": (torch.maximum, SIGNED, TIES),
    "minimum": (torch.minimum, SIGNED, TIES),
    "pow_2": (lambda x: x.pow(2.0), SIGNED, None),
    "pow_3": (lambda x: x.pow(3.0), SIGNED, None),
    "pow_0.5": (lambda x: x.pow(0.5), POSITIVE, None),
    "pow_-1": (lambda x: x.pow(-1.0), POSITIVE, None),
    "softmax": (lambda x: F.softmax(x, 1), LOGITS, None),
    "log_softmax": (lambda x: F.log_softmax(x, 1), LOGITS, None),
}
CASES = LOSSES | ACTIVATIONS


def compute(name, dtype, d_output):
    """The output and the gradients of the operands, computed in `dtype`."""
    function, *operands = CASES[name]
    operands = [x for x in operands if x is not None]
    operands = [x.clone() if x.dtype == torch.int64 else x.to(dtype, copy=True) for x in operands]
    wanted = operands[:1] if name in LOSSES else operands
    for x in wanted:
        x.requires_grad_()
    output = function(*operands)
    gradients = torch.autograd.grad(output, wanted, d_output.to(dtype))
    return [x.detach().contiguous() for x in (output, *gradients)]


def make():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    tensors, worst = {}, (0.0, "")
    for name, (_, first, second) in CASES.items():
        loss = name in LOSSES
        d_output = torch.tensor(1.0) if loss else torch.randn(SHAPE)
        truth = compute(name, torch.float64, d_output)
        for exact, rounded in zip(truth, compute(name, torch.float32, d_output)):
            error = ((rounded - exact).abs() / (exact.abs() + 0.1)).max().item()
            worst = max(worst, (error, name))
        if not all(x.isfinite().all() for x in truth):
            sys.exit(f"{name}: a result is not finite")
        results = [x.float() for x in truth]
        case = {"input": first, "output": results[0], "d_input": results[1]}
        if not loss:
            case["d_output"] = d_output
        if second is not None:
            case["target" if loss else "other"] = second.float()
        if len(results) == 3:
            case["d_other"] = results[2]
        tensors |= {f"{name}.{role}": x.clone() for role, x in case.items()}
    print(f"{len(CASES)} cases; float32 is off by at most {worst[0]:.1e} ({worst[1]})")
    if worst[0] > 1e-4:
        sys.exit("that is too much: the operands are badly conditioned")
    return {FILES[0]: Tensors(tensors, {"about": f"parity ops, PyTorch {VERSION}"})}
