"""Reading, writing and comparing the files of goldens: safetensors, and lines of text."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[4]
VERSION = torch.__version__.split("+")[0]


class Tensors:
    """The tensors of a safetensors file, by their names, and what its header says besides."""

    def __init__(self, tensors, metadata=None):
        self.tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        self.metadata = metadata


def parity(name):
    return f"tests/parity/{name}.safetensors"


def state(net):
    """A network's `state_dict` as it is now."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def trained(net, learning_rate):
    """The parameters after a step of plain SGD along the gradients that are there."""
    torch.optim.SGD(net.parameters(), lr=learning_rate).step()
    return {f"after.{name}": p.detach() for name, p in net.named_parameters()}


def write(path, content):
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        target.write_text(content)
    else:
        save_file(content.tensors, target, content.metadata)


def read(path):
    path = Path(path)
    return Tensors(load_file(path)) if path.suffix == ".safetensors" else path.read_text()


def numbers(text):
    """The numbers of each line: behind a colon the bits of floats, else words that are numbers."""
    lines = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        label, colon, bits = line.partition(": ")
        if colon:
            words = np.array([int(word, 16) for word in bits.split()], dtype=np.uint32)
            lines[label] = torch.from_numpy(words.view(np.float32).copy())
        else:
            words = line.split()
            count = next(i for i, word in enumerate(words) if word[0] in "-0123456789")
            lines[" ".join(words[:count])] = torch.tensor([float(x) for x in words[count:]])
    return lines


def difference(made, found):
    """The largest difference, as a part of the largest number of its tensor, and that tensor."""
    if isinstance(made, str):
        made, found = numbers(made), numbers(found)
    else:
        made, found = made.tensors, found.tensors
    if made.keys() != found.keys():
        return float("inf"), f"names that only one has: {sorted(made.keys() ^ found.keys())}"
    worst = 0.0, ""
    for name, a in made.items():
        b = found[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("inf"), name
        if torch.equal(bits(a), bits(b)):
            continue
        a, b = a.double(), b.double()
        apart = ((a - b).abs().max() / a.abs().max()).item()
        # A NaN on one side alone is a difference without bound.
        worst = max(worst, (apart if apart == apart else float("inf"), name))
    return worst


def bits(tensor):
    """Floats as their bits, so that NaN is equal to itself and 0 is not -0."""
    return tensor.view(torch.int32) if tensor.dtype == torch.float32 else tensor
