#!/usr/bin/env bash
# Starts the demo, takes a picture of every screen into FOLDER, and stops it again.
#   setup/screenshots.sh [FOLDER [NAME ...]]     FOLDER is .state/screenshots without one
set -euo pipefail
REPO=$(cd "$(dirname "$0")/.." && pwd -P)
. "$REPO/setup/lib.sh"
prepare

FOLDER=${1:-$STATE/screenshots}
shift || true
export NODE_MODULES="$STATE/screenshots_node"
mkdir -p "$NODE_MODULES"
if [ ! -d "$NODE_MODULES/node_modules/playwright-core" ]; then
  say "Installing playwright-core"
  # it drives Debian's Chromium; its own browsers are not needed
  npm install --silent --no-audit --no-fund --prefix "$NODE_MODULES" playwright-core@1 >"$STATE/npm.log" 2>&1 ||
    { tail -5 "$STATE/npm.log" >&2; die "npm could not install playwright-core, see $STATE/npm.log"; }
fi

LOG="$STATE/screenshots.log"
"$PYTHON" "$REPO/setup/run.py" --state "$STATE" >"$LOG" 2>&1 &
DEMO=$!
trap 'kill "$DEMO" 2>/dev/null; wait "$DEMO" || true' EXIT
say "Starting the demo"
until grep -q "Ctrl-C" "$LOG"; do # printed when the sample mails have arrived
  kill -0 "$DEMO" 2>/dev/null || { tail -5 "$LOG" >&2; die "the demo did not start, see $LOG"; }
  sleep 1
done
URL=$(sed -n 's/^Odoo: \([^ ]*\).*/\1/p' "$LOG")
say "Pictures of $URL into $FOLDER"
node "$REPO/setup/screenshots.mjs" "$URL" "$FOLDER" "$@"
