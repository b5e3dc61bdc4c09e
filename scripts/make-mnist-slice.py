#!/usr/bin/env python3
"""Cuts the slice of MNIST that lies in examples/data/mnist-slice.

    scripts/fetch-data.sh mnist
    scripts/make-mnist-slice.py [SOURCE [TARGET]]

SOURCE is a folder with the four plain IDX files (default: data/mnist), TARGET the folder to
write (default: examples/data/mnist-slice). The slice is the first 6,000 training images and
the first 1,000 test images with their labels, in file order and unchanged, as gzip'd IDX
files under the published names. The headers carry the new counts, and the compressed files
carry neither a name nor a time, so the same source gives the same bytes wherever the same
zlib compresses; what they decompress to is the same everywhere. SHA256SUMS gets the sums of
the compressed files; the sums of what they decompress to are printed. Needs only Python 3.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

COUNTS = {"train": 6000, "t10k": 1000}
KINDS = {"images-idx3-ubyte": (0x803, (28, 28)), "labels-idx1-ubyte": (0x801, ())}
MD5 = {  # of the published files, decompressed
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def cut(source, name, magic, shape, count):
    """The first `count` items of the IDX file `name` in the folder `source`."""
    try:
        data = (source / name).read_bytes()
    except FileNotFoundError:
        sys.exit(f"{source / name} is missing: run `scripts/fetch-data.sh mnist` first")
    if hashlib.md5(data).hexdigest() != MD5[name]:
        sys.exit(f"{source / name} is not the published file: its MD5 sum differs")
    item = 1
    for side in shape:
        item *= side
    start = 8 + 4 * len(shape)
    header = struct.pack(f">{2 + len(shape)}I", magic, count, *shape)
    return header + data[start : start + count * item]


def main():
    root = Path(__file__).resolve().parent.parent
    arguments = [Path(argument) for argument in sys.argv[1:]]
    if len(arguments) > 2 or any(str(argument).startswith("-") for argument in arguments):
        sys.exit(__doc__)
    source = arguments[0] if arguments else root / "data" / "mnist"
    target = arguments[1] if len(arguments) > 1 else root / "examples" / "data" / "mnist-slice"
    target.mkdir(parents=True, exist_ok=True)
    sums = []
    for part, count in COUNTS.items():
        for kind, (magic, shape) in KINDS.items():
            name = f"{part}-{kind}"
            plain = cut(source, name, magic, shape, count)
            packed = gzip.compress(plain, compresslevel=9, mtime=0)
            (target / f"{name}.gz").write_bytes(packed)
            sums.append(f"{hashlib.sha256(packed).hexdigest()}  {name}.gz")
            print(f"{name}.gz: {count} items, {len(packed)} bytes; decompressed:")
            print(f"    sha256 {hashlib.sha256(plain).hexdigest()}")
    (target / "SHA256SUMS").write_text("\n".join(sums) + "\n")


if __name__ == "__main__":
    main()
