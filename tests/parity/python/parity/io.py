"""The `state_dict` of a small module, which the library loads and saves again.

With `GRADIRON_KEEP=FILE`, `cargo test --test io` leaves a copy of what it saved:
`python -m parity check io --file FILE` says whether PyTorch reads the same bits.
"""

import torch

from .files import Tensors, state

FILES = ["tests/io/torch.safetensors"]
# Nothing is computed, so all bits are the same.
TOLERANCE = 0.0


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 2, 3)
        self.fc = torch.nn.Linear(8, 3)
        self.scale = torch.nn.Parameter(torch.tensor(1.5))


def make():
    torch.manual_seed(7)
    tensors = state(Net())
    # Bits that a detour over decimal numbers or other arithmetic would lose.
    tensors["fc.bias"] = torch.tensor([-0.0, float("nan"), 1e-45])
    # Writers of published models say so, and some of their readers ask for it.
    return {FILES[0]: Tensors(tensors, {"format": "pt"})}
