"""A small BERT: embeddings of sentences of several lengths, and the gradients of all parameters."""

import torch
from torch.nn.functional import embedding, gelu, layer_norm, linear, normalize, softmax

from .files import Tensors, parity

FILES = [parity("bert"), parity("bert-run")]
EPS = 1e-12


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
        y = dense(y, f"{layer}.attention.output.dense")
        x = norm(x + y, f"{layer}.attention.output.LayerNorm")
        y = dense(gelu(dense(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(x + y, f"{layer}.output.LayerNorm")
    mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return normalize(mean)


def make():
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
    initial = {name: p.clone() for name, p in params.items()}
    token = torch.randint(0, vocab, (4, 7))
    length = torch.tensor([7, 2, 5, 1])
    mask = (torch.arange(7) < length[:, None]).float()
    d_y = torch.randn(4, width)
    for p in params.values():
        p.requires_grad_()
    y = bert(params, token, mask, heads, layers)
    y.backward(d_y)
    run = {"token": token.to(torch.uint8), "mask": mask, "d_y": d_y, "y": y}
    run |= {f"grad.{name}": p.grad for name, p in params.items()}
    return dict(zip(FILES, [Tensors(initial), Tensors(run)]))
