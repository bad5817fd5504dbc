#!/usr/bin/env bash
# Opens a demo: private PostgreSQL, Postfix and Dovecot, Odoo with the addon. See README.md.
set -euo pipefail
REPO=$(cd "$(dirname "$0")/.." && pwd -P)
. "$REPO/setup/lib.sh"
prepare
exec "$PYTHON" "$REPO/setup/run.py" --state "$STATE" "$@"
