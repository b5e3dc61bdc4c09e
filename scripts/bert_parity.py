"""Results of PyTorch for a small BERT, and for all-MiniLM-L6-v2 where data/minilm was fetched, for
tests/parity and examples/minilm: `python3 scripts/bert_parity.py` (needs torch, safetensors and
tokenizers).
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import embedding, gelu, layer_norm, linear, normalize, softmax

ROOT = pathlib.Path(__file__).parent.parent
EPS = 1e-12
SENTENCES = [
    "This is an example sentence",
    "Each sentence is converted",
    "The naïve café-owner paid 3.50 € — didn't she?",
    "a",
    "One after the other, words go on until the row of tokens is full. " * 8,
]


def bert(p, token, mask, heads, layers):
    """The embeddings [N, D] of tokens [N, T], of which those with a mask of 1 count."""

    def dense(x, name):
        return linear(x, p[f"{name}.weight"], p[f"{name}.bias"])

    def norm(x, name):
        return layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], EPS)

    n, t = token.shape
    x = embedding(token, p["embeddings.word_embeddings.weight"])
    x = x + p["embeddings.token_type_embeddings.weight"][0]
    x = norm(x + p["embeddings.position_embeddings.weight"][:t], "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{i}" for i in range(layers)):
        parts = (dense(x, f"{layer}.attention.self.{part}") for part in ["query", "key", "value"])
        q, k, v = (part.reshape(n, t, heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + (mask[:, None, None] - 1) * 1e9
        y = (softmax(scores, -1) @ v).transpose(1, 2).reshape(n, t, -1)
        x = norm(x + dense(y, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        y = dense(gelu(dense(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(x + y, f"{layer}.output.LayerNorm")
    mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return normalize(mean)


def small():
    torch.manual_seed(5)
    vocab, positions, types, width, heads, layers = 19, 9, 2, 12, 3, 2
    shapes = {
        "embeddings.word_embeddings.weight": [vocab, width],
        "embeddings.position_embeddings.weight": [positions, width],
        "embeddings.token_type_embeddings.weight": [types, width],
    }
    dense = {"intermediate.dense": [4 * width, width], "output.dense": [width, 4 * width]}
    for part in ["self.query", "self.key", "self.value", "output.dense"]:
        dense[f"attention.{part}"] = [width, width]
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        norms += [f"encoder.layer.{i}.{part}.LayerNorm" for part in ["attention.output", "output"]]
        shapes |= {f"encoder.layer.{i}.{name}.weight": shape for name, shape in dense.items()}
        shapes |= {f"encoder.layer.{i}.{name}.bias": shape[:1] for name, shape in dense.items()}
    shapes |= {f"{name}.{part}": [width] for name in norms for part in ["weight", "bias"]}
    params = {name: 0.5 * torch.randn(shape) for name, shape in shapes.items()}
    save_file(params, ROOT / "tests/parity/bert.safetensors")
    token = torch.randint(0, vocab, (4, 7))
    length = torch.tensor([7, 2, 5, 1])
    mask = (torch.arange(7) < length[:, None]).float()
    d_y = torch.randn(4, width)
    for p in params.values():
        p.requires_grad_()
    y = bert(params, token, mask, heads, layers)
    y.backward(d_y)
    run = {"token": token.to(torch.uint8), "mask": mask, "d_y": d_y, "y": y.detach()}
    run |= {f"grad.{name}": p.grad for name, p in params.items()}
    save_file(run, ROOT / "tests/parity/bert-run.safetensors")


def published():
    from tokenizers import Tokenizer

    folder = ROOT / "data/minilm"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(64)
    tokenizer.enable_padding(length=64)
    encoded = tokenizer.encode_batch(SENTENCES)
    token = torch.tensor([sentence.ids for sentence in encoded])
    mask = torch.tensor([sentence.attention_mask for sentence in encoded])
    y = bert(load_file(folder / "model.safetensors"), token, mask.float(), heads=12, layers=6)
    text = torch.tensor(list("\n".join(SENTENCES).encode()), dtype=torch.uint8)
    result = {"text": text, "token": token.to(torch.int32), "y": y}
    save_file(result, ROOT / "examples/minilm/tests/published.safetensors")
    print(y[0, :3])


small()
if (ROOT / "data/minilm").exists():
    published()
