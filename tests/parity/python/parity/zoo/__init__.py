"""Known architectures in small sizes, each a file with its class and what is recorded of it.

What counts as the text of an architecture in `docs/zoo.md` stands between the imports and `make`.
"""

import importlib

from ..files import Tensors

ARCHITECTURES = [
    "bert",
    "char_rnn",
    "densenet",
    "fpn",
    "gan",
    "gpt2",
    "llama",
    "lora",
    "mobilenet_v2",
    "realnvp",
    "resnet18",
    "resnet50",
    "seq2seq",
    "siamese",
    "style_transfer",
    "t5",
    "text_cnn",
    "unet",
    "vae",
    "vit",
    "wavenet",
]
FILES = [f"tests/zoo/{name}.safetensors" for name in ARCHITECTURES]


def make():
    modules = [importlib.import_module(f"{__package__}.{name}") for name in ARCHITECTURES]
    return {file: Tensors(module.make()) for file, module in zip(FILES, modules)}
