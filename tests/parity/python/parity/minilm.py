"""Embeddings by the published weights of all-MiniLM-L6-v2, which `scripts/fetch-data.sh minilm` fetches."""

import torch
from safetensors.torch import load_file

from .bert import bert
from .files import ROOT, Tensors

FILES = ["examples/minilm/tests/published.safetensors"]
NEEDS = ROOT / "data" / "minilm"
SENTENCES = [
    "This is an example sentence",
    "Each sentence is converted",
    "The naïve café-owner paid 3.50 € — didn't she?",
    "a",
    "One after the other, words go on until the row of tokens is full. " * 8,
]


def make():
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(NEEDS / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(SENTENCES)
    token = torch.tensor([sentence.ids for sentence in encoded])
    mask = torch.tensor([sentence.attention_mask for sentence in encoded])
    weights = load_file(NEEDS / "model.safetensors")
    y = bert(weights, token, mask.float(), heads=12, layers=6)
    text = torch.tensor(list("\n".join(SENTENCES).encode()), dtype=torch.uint8)
    return {FILES[0]: Tensors({"text": text, "token": token.to(torch.int32), "y": y})}
