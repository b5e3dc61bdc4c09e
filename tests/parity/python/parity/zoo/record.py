"""What is recorded of an architecture, computed in float64 and rounded to float32.

    net.NAME          the `state_dict` before the first step
    in.NAME           an input; classes are bytes
    out.NAME          a result of `forward` in evaluation, before the first step
    LOSS              the value of a loss in training
    LOSS.d.NAME       its gradient of an input
    LOSS.grad.NAME    its gradient of a parameter that trains
    LOSS.after.NAME   that parameter, or a running statistic, after a step of AdamW
    float32           of a deep network: how far PyTorch's gradients in float32 are from those in float64,
                      the largest difference as a part of the largest number of its tensor

A network with several losses takes a step along each, in their order. What PyTorch fills with 0 or
1, as in norms, is drawn: else gradients of what another norm follows are nothing but roundings.
"""

import copy

import torch


def tensors(prefix, named):
    return {
        f"{prefix}{name}": x.detach().float().clone() if x.is_floating_point() else x.clone()
        for name, x in named
    }


def distance(net, inputs):
    """Of the gradients of `net.loss` in float32 from those in float64."""
    gradients = []
    for own in [copy.deepcopy(net), copy.deepcopy(net).double()]:
        dtype = next(own.parameters()).dtype
        of = {n: x.to(dtype) if x.is_floating_point() else x.long() for n, x in inputs.items()}
        own.loss(**of).backward()
        gradients.append([p.grad.double() for p in own.parameters()])
    apart = [((a - b).abs().max() / b.abs().max()) for a, b in zip(*gradients)]
    return max(apart).float()


def record(net, inputs, forward=None, losses=None, deep=False):
    """`forward` is of the network and its inputs and gives results by name.

    Each loss is such a function too, with what trains: a module or `None`, the whole network.
    """
    for x in net.state_dict().values():
        if x.is_floating_point() and torch.all(x == 1):
            torch.nn.init.uniform_(x, 0.5, 1.5)
        elif x.is_floating_point() and torch.all(x == 0):
            torch.nn.init.normal_(x)
    off = {"float32": distance(net, inputs)} if deep else {}
    found = off | tensors("net.", net.state_dict().items()) | tensors("in.", inputs.items())
    net.double()
    inputs = {
        name: x.double().requires_grad_() if x.is_floating_point() else x.long()
        for name, x in inputs.items()
    }
    if forward:
        net.eval()
        with torch.no_grad():
            found |= tensors("out.", forward(net, **inputs).items())
        net.train()
    losses = losses or {"loss": (lambda net, **inputs: net.loss(**inputs), None)}
    for name, (function, trained) in losses.items():
        of = {id(p) for p in (trained or net).parameters() if p.requires_grad}
        params = {n: p for n, p in net.named_parameters() if id(p) in of}
        for x in [*net.parameters(), *inputs.values()]:
            x.grad = None
        loss = function(net, **inputs)
        loss.backward()
        for p in params.values():
            # What plays no part in the loss has a gradient of 0, and weight decay.
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        gradients = {n: p.grad for n, p in params.items()}
        d_inputs = {n: x.grad for n, x in inputs.items() if x.grad is not None}
        found[name] = loss.detach().float()
        found |= tensors(f"{name}.grad.", gradients.items())
        found |= tensors(f"{name}.d.", d_inputs.items())
        torch.optim.AdamW(params.values(), lr=1e-2, eps=1e-2, weight_decay=1e-2).step()
        statistics = {n: x for n, x in net.named_buffers() if x.is_floating_point()}
        found |= tensors(f"{name}.after.", (params | statistics).items())
    return found
