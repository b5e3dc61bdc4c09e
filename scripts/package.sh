#!/usr/bin/env bash
# Packs the crates that will be published, and builds each from its package alone.
#
#     scripts/package.sh
#
# Looks first whether texts of licences and a README are in each; needs the network for the index of
# crates.io. The packages lie in `target/package`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

packages=(gradiron-compiler gradiron-macros gradiron)
cargo package --locked --allow-dirty "${packages[@]/#/--package=}"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
for package in "${packages[@]}"; do
    crate=target/package/$package-$version.crate
    for text in LICENSE-MIT LICENSE-APACHE; do
        tar -xzOf "$crate" "$package-$version/$text" | cmp - "$text" ||
            { printf 'package: %s of %s is not that of the repository\n' "$text" "$package" >&2; exit 1; }
    done
    tar -xzOf "$crate" "$package-$version/README.md" | grep "^# " >/dev/null ||
        { printf 'package: %s has no README\n' "$package" >&2; exit 1; }
    for key in description license readme rust-version keywords categories; do
        tar -xzOf "$crate" "$package-$version/Cargo.toml" | grep "^$key = " >/dev/null ||
            { printf 'package: the manifest of %s has no %s\n' "$package" "$key" >&2; exit 1; }
    done
done
printf 'package: %s are whole, and build\n' "${packages[*]}"
