#!/usr/bin/env bash
# Random models behind every pass of the compiler and through rustc, for some hours.
#
#     scripts/agree.sh HOURS [FROM]
#
# FROM is the first seed. What does not agree is printed as a program that stands alone, with its
# seed; the exit status says whether there was any.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
[[ $# -ge 1 ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
exec cargo run --locked --quiet --release --package gradiron-agree -- hours "$@"
