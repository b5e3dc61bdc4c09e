"""What `torch.optim` makes of fixed gradients. A case is a row of `CASES`.

`tests/optim/inputs.txt` holds the first parameters and the gradients of ten steps, and
`tests/optim/goldens.txt` the parameters after 1, 2 and 10 steps of every case. A line is a label
and the bits of one tensor of f32 in hexadecimal. The cases are named as in tests/optim/main.rs,
which builds the same optimizers.

The optimizers run as `torch.optim` documents its for-loop implementation (`foreach=False`,
`fused=False`), on the CPU.
"""

import numpy as np
import torch

from .files import VERSION

FILES = ["tests/optim/inputs.txt", "tests/optim/goldens.txt"]
WEIGHTS = (4, 5)  # in the first group; the other parameters are in the second
COUNT = 37  # no multiple of a vector register, so the ends of loops are seen too
STEPS = 10
SHOWN = (1, 2, 10)

SGD, ADAM, ADAMW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
RMSPROP = torch.optim.RMSprop
CASES = {
    "sgd": (SGD, dict(lr=0.1)),
    "sgd_decay": (SGD, dict(lr=0.1, weight_decay=1e-2)),
    "sgd_maximize": (SGD, dict(lr=0.1, weight_decay=1e-2, maximize=True)),
    "sgd_momentum": (SGD, dict(lr=0.05, momentum=0.9)),
    "sgd_dampening": (SGD, dict(lr=0.05, momentum=0.9, dampening=0.3)),
    "sgd_nesterov": (SGD, dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)),
    "adam": (ADAM, dict(lr=1e-3)),
    "adam_large_lr": (ADAM, dict(lr=0.3)),
    "adam_betas": (ADAM, dict(lr=1e-2, betas=(0.4, 0.9), eps=1e-3)),
    "adam_decay": (ADAM, dict(lr=1e-2, weight_decay=0.1)),
    "adam_amsgrad": (ADAM, dict(lr=1e-2, betas=(0.9, 0.5), amsgrad=True)),
    "adam_maximize": (ADAM, dict(lr=1e-2, maximize=True)),
    "adamw": (ADAMW, dict(lr=1e-3)),
    "adamw_decay": (ADAMW, dict(lr=1e-2, weight_decay=0.3)),
    "adamw_amsgrad": (ADAMW, dict(lr=1e-2, betas=(0.9, 0.5), amsgrad=True)),
    "rmsprop": (RMSPROP, dict(lr=1e-2)),
    "rmsprop_alpha": (RMSPROP, dict(lr=1e-2, alpha=0.9, eps=1e-4, weight_decay=0.1)),
    "rmsprop_momentum": (RMSPROP, dict(lr=1e-3, momentum=0.9)),
    "rmsprop_centered": (RMSPROP, dict(lr=1e-3, alpha=0.9, centered=True)),
    "rmsprop_centered_momentum": (
        RMSPROP,
        dict(lr=1e-3, alpha=0.4, eps=1e-2, centered=True, momentum=0.5, maximize=True),
    ),
    "sgd_groups": (SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.3)),
    "adam_groups": (ADAM, dict(lr=1e-2, weight_decay=0.3)),
    "adamw_groups": (ADAMW, dict(lr=1e-2, weight_decay=0.3)),
    "rmsprop_groups": (RMSPROP, dict(lr=1e-2, weight_decay=0.3)),
    "sgd_clip": (SGD, dict(lr=0.1, momentum=0.9)),
    "adamw_clip": (ADAMW, dict(lr=1e-2)),
    "schedule_sgd": (SGD, dict(lr=0.1, momentum=0.9)),
    "schedule_adam": (ADAM, dict(lr=0.1)),
}


def line(label, values):
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return f"{label}: " + " ".join(f"{word:08x}" for word in bits) + "\n"


def stepper(name, params):
    """The optimizer of a case."""
    optimizer, options = CASES[name]
    groups = params
    if name.endswith("groups"):
        groups = [dict(params=params[:1]), dict(params=params[1:], weight_decay=0.0)]
    # The learning rates of the Rust library are f32.
    options = options | dict(lr=float(np.float32(options["lr"])))
    fused = dict(fused=False) if optimizer in (SGD, ADAM, ADAMW) else {}
    return optimizer(groups, foreach=False, **fused, **options)


def run(name, start, grads):
    """The lines of a case: the parameters after the steps that are shown."""
    count = WEIGHTS[0] * WEIGHTS[1]
    parts = [start[:count].reshape(WEIGHTS), start[count:]]
    params = [torch.nn.Parameter(torch.from_numpy(part.copy())) for part in parts]
    optimizer = stepper(name, params)
    for step, grad in enumerate(grads, 1):
        if name.startswith("schedule"):
            optimizer.param_groups[0]["lr"] = float(np.float32(0.1) / np.float32(step))
        params[0].grad = torch.from_numpy(grad[:count].reshape(WEIGHTS).copy())
        params[1].grad = torch.from_numpy(grad[count:].copy())
        if name.endswith("clip"):
            torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        if step in SHOWN:
            values = np.concatenate([p.detach().numpy().ravel() for p in params])
            yield line(f"{name} {step}", values)


def make():
    generator = np.random.default_rng(20)
    start = generator.standard_normal(COUNT).astype(np.float32)
    # Gradients of many sizes; the first is always 0, the second sometimes.
    sizes = 10.0 ** generator.uniform(-6, 2, COUNT)
    grads = (generator.standard_normal((STEPS, COUNT)) * sizes).astype(np.float32)
    grads[:, 0] = 0
    grads[::2, 1] = 0
    inputs = [line("start", start)]
    inputs += [line(f"grad {step}", grad) for step, grad in enumerate(grads, 1)]
    goldens = [f"# parity optim, PyTorch {VERSION}\n"]
    for name in CASES:
        goldens += run(name, start, grads)
    return dict(zip(FILES, ["".join(inputs), "".join(goldens)]))
