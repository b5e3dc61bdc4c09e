"""Writes the golden files of tests with PyTorch, or compares them with what it computes now.

    python -m parity list                  # the names, and the files of each
    python -m parity write NAME…           # `all` is all of them
    python -m parity check NAME… [--file FILE]

`check` computes a golden anew and compares it with its files; with `--file` it compares FILE with
the golden's only file. It exits with 1 if they differ by more than rounding: another version of
PyTorch, or another processor, takes sums in another order.
"""

import argparse
import importlib
import sys

from . import GOLDENS, files


def module(name):
    return importlib.import_module(f"{__package__}.{name}")


def write(name):
    for path, content in module(name).make().items():
        files.write(path, content)
        print(f"{name}: {path}, {(files.ROOT / path).stat().st_size} bytes")


def check(name, other):
    """Whether the golden's files hold what PyTorch computes."""
    golden = module(name)
    made = golden.make()
    if other and len(made) != 1:
        sys.exit(f"{name} has {len(made)} files: `--file` is for goldens of one")
    good = True
    for path, content in made.items():
        found = files.read(other or files.ROOT / path)
        tolerance = getattr(golden, "TOLERANCE", 1e-5)
        difference, where = files.difference(content, found)
        good &= difference <= tolerance
        verdict = "the same bits" if difference == 0 else f"differs by {difference:.1e} ({where})"
        print(f"{name}: {other or path}: {verdict}")
    return good


def main():
    parser = argparse.ArgumentParser(
        "python -m parity", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=["list", "write", "check"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--file", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for name, tests in GOLDENS.items():
            print(f"{name:12} {tests:34} {' '.join(module(name).FILES)}")
        return
    names = arguments.names
    unknown = [name for name in names if name not in GOLDENS and name != "all"]
    if unknown or not names:
        parser.error(f"expected names, found {unknown}: there are {', '.join(GOLDENS)} and all")
    if "all" in names:
        # A golden of a published model needs its weights, which are fetched.
        needs = {name: getattr(module(name), "NEEDS", files.ROOT) for name in GOLDENS}
        for name in [name for name in GOLDENS if not needs[name].exists()]:
            print(f"{name}: left out, as {needs.pop(name)} is not there")
        names = list(needs)
    if arguments.command == "write":
        for name in names:
            write(name)
    elif not all([check(name, arguments.file) for name in names]):
        sys.exit(1)


if __name__ == "__main__":
    main()
