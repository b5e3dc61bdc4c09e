"""Two small models in training, on the CPU in one thread, which takes a few seconds.

lenet.safetensors, mlp.safetensors
    The initial parameters, in float32, under the names of PyTorch's state_dict (such as
    `conv1.weight`). LeNet's layers are conv1, conv2, fc1, fc2, fc3; the MLP's fc1, fc2.

losses.txt
    The loss of each of 20 training steps, one run per line: model, optimizer, precision, and
    20 numbers of 9 significant digits. Lines that begin with `#` are comments.

Step n takes the n-th 64 training images of examples/data/mnist-slice, in file order, scaled
to 0..1 and then normalised with mean 0.1307 and standard deviation 0.3081 in float32. The
loss is the mean cross-entropy, recorded before the step's update. The optimizers are SGD
(lr 0.05, momentum 0.9) and Adam (lr 0.001). Every run starts from the same float32
parameters. The float64 runs are the truth; how far the float32 runs are from them is the
drift that rounding causes, and the scale of what to ask of another implementation.

LeNet's seed is chosen for a small drift. With most seeds the losses of all runs agree to
about 1e-7, in whatever order sums are taken. With a few, rounding decides which of two nearly
equal values a max-pooling takes, gradients jump, and Adam, which also magnifies gradients
near zero, carries the losses apart by 1e-3 within 20 steps. Such a run tells little about an
implementation.
"""

import gzip

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .files import ROOT, VERSION, Tensors, parity, state

FILES = [parity("lenet"), parity("mlp"), "tests/parity/losses.txt"]
SLICE = ROOT / "examples" / "data" / "mnist-slice"
STEPS, BATCH = 20, 64


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


MODELS = {"lenet": (LeNet, 2), "mlp": (Mlp, 1)}  # with their seeds
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
}


def load_batches():
    """The batches, as float32 images [64, 1, 28, 28] and digits [64]."""
    count = STEPS * BATCH
    with gzip.open(SLICE / "train-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read()[16 : 16 + count * 784], np.uint8)
    with gzip.open(SLICE / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read()[8 : 8 + count], np.uint8)
    scaled = pixels.astype(np.float32) / np.float32(255)
    images = (scaled - np.float32(0.1307)) / np.float32(0.3081)
    images = torch.from_numpy(images.reshape(STEPS, BATCH, 1, 28, 28))
    return list(zip(images, torch.from_numpy(labels.astype(np.int64)).reshape(STEPS, BATCH)))


def train(model, make_optimizer, batches, dtype):
    """The loss of each step."""
    model = model.to(dtype)
    optimizer = make_optimizer(model.parameters())
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images.to(dtype)), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def make():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batches = load_batches()
    lines = [
        f"# parity training, PyTorch {VERSION}",
        f"# model optimizer precision, then the losses of {STEPS} steps",
    ]
    made = {}
    for name, (build, seed) in MODELS.items():
        torch.manual_seed(seed)
        initial = state(build())
        made[parity(name)] = Tensors(initial)
        for optimizer, make_optimizer in OPTIMIZERS.items():
            runs = {}
            for precision in ("float64", "float32"):
                model = build()
                model.load_state_dict(initial)
                losses = train(model, make_optimizer, batches, getattr(torch, precision))
                lines.append(" ".join([name, optimizer, precision, *(f"{x:.8e}" for x in losses)]))
                runs[precision] = np.array(losses)
            drift = np.abs(runs["float32"] / runs["float64"] - 1).max()
            first, last = runs["float64"][[0, -1]]
            print(f"{name} {optimizer}: {first:.4f} -> {last:.4f}, float32 drifts by {drift:.1e}")
    return made | {FILES[2]: "\n".join(lines) + "\n"}
