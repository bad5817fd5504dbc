#!/usr/bin/env bash
# Runs everything that CI runs; --all adds core's suites; names run only those. See README.md.
set -euo pipefail
REPO=$(cd "$(dirname "$0")/.." && pwd -P)
. "$REPO/setup/lib.sh"
prepare
exec "$PYTHON" "$REPO/setup/test.py" --state "$STATE" "$@"
