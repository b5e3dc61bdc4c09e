"""Writes the golden files of tests/optim: what torch.optim makes of fixed gradients.

    python scripts/optimizer_goldens.py

`tests/optim/inputs.txt` holds the first parameters and the gradients of ten steps, and
`tests/optim/goldens.txt` the parameters after 1, 2 and 10 steps of every case. A line is a label
and the bits of one tensor of f32 in hexadecimal. The cases are named as in tests/optim/main.rs,
which builds the same optimizers.

The optimizers run as `torch.optim` documents its for-loop implementation (`foreach=False`,
`fused=False`), on the CPU.
"""

from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "optim"
WEIGHTS = (4, 5)  # in the first group; the other parameters are in the second
COUNT = 37  # no multiple of a vector register, so the ends of loops are seen too
STEPS = 10
SHOWN = (1, 2, 10)

SGD, ADAM, ADAMW, RMSPROP = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop
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


def main():
    generator = np.random.default_rng(20)
    start = generator.standard_normal(COUNT).astype(np.float32)
    # Gradients of many sizes; the first is always 0, the second sometimes.
    sizes = 10.0 ** generator.uniform(-6, 2, COUNT)
    grads = (generator.standard_normal((STEPS, COUNT)) * sizes).astype(np.float32)
    grads[:, 0] = 0
    grads[::2, 1] = 0

    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "inputs.txt", "w") as file:
        file.write(line("start", start))
        file.writelines(line(f"grad {step}", grad) for step, grad in enumerate(grads, 1))
    with open(FOLDER / "goldens.txt", "w") as file:
        file.write(f"# scripts/optimizer_goldens.py, torch {torch.__version__.split('+')[0]}\n")
        for name, (optimizer, options) in CASES.items():
            count = WEIGHTS[0] * WEIGHTS[1]
            parts = [start[:count].reshape(WEIGHTS), start[count:]]
            params = [torch.nn.Parameter(torch.from_numpy(part.copy())) for part in parts]
            groups = params
            if name.endswith("groups"):
                groups = [dict(params=params[:1]), dict(params=params[1:], weight_decay=0.0)]
            # The learning rates of the Rust library are f32.
            options["lr"] = float(np.float32(options["lr"]))
            extra = {} if optimizer is RMSPROP else dict(fused=False)
            stepper = optimizer(groups, foreach=False, **extra, **options)
            for step, grad in enumerate(grads, 1):
                if name.startswith("schedule"):
                    stepper.param_groups[0]["lr"] = float(np.float32(0.1) / np.float32(step))
                params[0].grad = torch.from_numpy(grad[:count].reshape(WEIGHTS).copy())
                params[1].grad = torch.from_numpy(grad[count:].copy())
                if name.endswith("clip"):
                    torch.nn.utils.clip_grad_norm_(params, 1.0)
                stepper.step()
                if step in SHOWN:
                    file.write(line(f"{name} {step}", np.concatenate([p.detach().numpy().ravel() for p in params])))


if __name__ == "__main__":
    main()
