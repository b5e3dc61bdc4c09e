"""Inference latency at batch 1 in PyTorch and ONNX Runtime: python3 infer_torch.py WORKLOAD VARIANT THREADS

Variants:
  eager    inference_mode, plain modules
  compile  torch.compile, default mode
  jit      torch.jit.trace, frozen and optimised for inference
  aoti     torch.export, compiled ahead of time by AOTInductor, run through its Python loader
  ort      torch.onnx.export, run by ONNX Runtime from numpy arrays
With '+tuned' the process runs with MKL's AVX-512 kernels and a keeping allocator (see compare.py).
"""

import os
import sys
import tempfile
import warnings

from harness import emit, emit_failure, measure, set_threads

WORKLOAD, VARIANT, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
KIND = VARIANT.split("+")[0]
set_threads(THREADS)
warnings.filterwarnings("ignore")

import torch

import models_torch as m

torch.set_num_threads(THREADS)
torch.manual_seed(0)


def build(name):
    match name:
        case "control_mlp":
            return m.mlp([4, 32, 32, 2], torch.nn.Tanh), (torch.randn(1, 4),)
        case "mlp":
            return m.mlp([784, 128, 10]), (torch.randn(1, 784),)
        case "lenet":
            return m.lenet(), (torch.randn(1, 1, 28, 28),)
        case "gpt":
            return m.GPT(**m.GPT_SMALL), (torch.randint(65, (1, 64)),)
        case "gpt_step":
            return m.GPT(**m.GPT_SMALL), (torch.randint(65, (1, 64)),)
        case "resnet18":
            return m.ResNet18Cifar(), (torch.randn(1, 3, 32, 32),)
    sys.exit(f"unknown workload {name}")


def onnx_session(model, args):
    import onnxruntime as ort

    path = os.path.join(tempfile.mkdtemp(), "model.onnx")
    names = [f"in{i}" for i in range(len(args))]
    torch.onnx.export(model, args, path, input_names=names, dynamo=True, verbose=False)
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = [i.name for i in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(inputs, arrays)))


def prepare(model, args):
    """Returns a function of the model's arguments, in the variant's own array type."""
    if KIND == "eager":
        return model
    if KIND == "compile":
        return torch.compile(model)
    if KIND == "jit":
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, args)))
        return traced
    if KIND == "aoti":
        exported = torch.export.export(model, args)
        path = os.path.join(tempfile.mkdtemp(), "model.pt2")
        return torch._inductor.aoti_load_package(
            torch._inductor.aoti_compile_and_package(exported, package_path=path))
    if KIND == "ort":
        return onnx_session(model, args)
    sys.exit(f"unknown variant {VARIANT}")


def main():
    model, args = build(WORKLOAD)
    model.eval()
    with torch.inference_mode():
        expected = model(*args)
    # export and trace want plain tensors, so only the timing runs in inference_mode
    with torch.no_grad():
        run = prepare(model, args)
    with torch.inference_mode():
        inputs = [a.numpy() for a in args] if KIND == "ort" else args

        def step():
            step.out = run(*inputs)

        if WORKLOAD == "gpt_step":
            # One token after another against a cache of 64 places, through the whole context.
            caches, turn = model.empty_cache(), 0
            rows = [model.decode_eager(args[0][:, t : t + 1], t, *caches) for t in range(64)]
            expected = torch.cat(rows, 1)[:, 63:]
            token = args[0][:, 63:]

            def step():
                nonlocal turn
                step.out = model.decode_eager(token, turn, *caches)
                turn = (turn - 1) % 64

            turn = 63

        step()
        out = step.out
        while isinstance(out, (list, tuple)):
            out = out[0]
        error = float((torch.as_tensor(out) - expected).abs().max())
        stats = measure(step, target_s=1.0)
    emit("infer_" + WORKLOAD, "ort" if KIND == "ort" else "torch_" + VARIANT, THREADS, stats, max_error=error)


try:
    main()
except Exception as error:
    emit_failure("infer_" + WORKLOAD, "ort" if KIND == "ort" else "torch_" + VARIANT, THREADS, error)
