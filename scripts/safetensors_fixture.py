"""The Python side of tests/io.

    python scripts/safetensors_fixture.py write          # tests/io/torch.safetensors
    python scripts/safetensors_fixture.py check FILE     # is FILE the same state_dict?

`write` saves the state_dict of a small torch module. The Rust tests load that file and save it
again; with `GRADIRON_KEEP=FILE` they leave a copy of what they saved for `check`.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "io" / "torch.safetensors"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 2, 3)
        self.fc = torch.nn.Linear(8, 3)
        self.scale = torch.nn.Parameter(torch.tensor(1.5))


def main():
    match sys.argv[1:]:
        case ["write"]:
            torch.manual_seed(7)
            state = Net().state_dict()
            # Bits that a detour over decimal numbers or other arithmetic would lose.
            state["fc.bias"] = torch.tensor([-0.0, float("nan"), 1e-45])
            # As the writers of published models do, some of whose readers ask for it.
            save_file(state, FIXTURE, metadata={"format": "pt"})
        case ["check", path]:
            expected, found = load_file(FIXTURE), load_file(path)
            net = Net()
            net.load_state_dict(found)
            assert expected.keys() == found.keys(), found.keys()
            for name, tensor in expected.items():
                same = torch.equal(tensor.view(torch.int32), found[name].view(torch.int32))
                assert same and tensor.shape == found[name].shape, name
            print(f"{path}: the same {len(found)} tensors")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
