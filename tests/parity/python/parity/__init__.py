"""The numbers of PyTorch that tests compare the library with.

Each module here is one golden: `make()` computes it and returns what belongs into its files, by
their paths from the root of the repository. `GOLDENS` is the index.
"""

# Name, and the tests that read its files.
GOLDENS = {
    "bert": "tests/parity/bert.rs",
    "images": "tests/parity/images.rs",
    "indexing": "tests/parity/indexing.rs",
    "io": "tests/io/main.rs",
    "minilm": "examples/minilm/tests/minilm.rs",
    "norm": "tests/parity/norm.rs",
    "ops": "tests/parity/ops.rs",
    "optim": "tests/optim/main.rs",
    "positions": "tests/parity/sequence.rs",
    "recurrent": "tests/parity/recurrent.rs",
    "scan": "tests/parity/scan.rs",
    "sequence": "tests/parity/sequence.rs",
    "training": "tests/parity/training.rs",
    "transformer": "tests/parity/transformer.rs",
    "zoo": "tests/zoo/main.rs",
}
