#!/usr/bin/env bash
# Takes the terms of the code into i18n/: the template, and every language. See README.md.
set -euo pipefail
REPO=$(cd "$(dirname "$0")/.." && pwd -P)
. "$REPO/setup/lib.sh"
prepare
exec "$PYTHON" "$REPO/setup/translations.py" --state "$STATE" "$@"
