# Shared by run.sh and test.sh: packages, Odoo's source, the virtual environment.
# Sourced with $REPO set; leaves $STATE, $PYTHON and $ODOO_SOURCE behind.
# shellcheck shell=bash

PACKAGES="python3 python3-venv python3-dev gcc libc6-dev git
  libpq-dev libldap2-dev libsasl2-dev
  postgresql postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd
  chromium fonts-liberation"

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

missing_packages() {
  local package
  for package in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
  command -v npm >/dev/null || printf 'nodejs npm '
}

# Before anything is written: who is not root is told all that he needs.
need_root() {
  command -v dpkg-query >/dev/null || die "this script is written for Debian 12 and found no dpkg here"
  [ "$(id -u)" = 0 ] || {
    local missing
    missing=$(missing_packages)
    [ -z "$missing" ] || die "missing packages, as root: apt-get install $missing"
    die "all packages are there, but Postfix's master starts only as root: run this as root"
  }
}

# Installs what is missing. The packages' own services stay off: we start private ones.
need_packages() {
  local missing policy=/usr/sbin/policy-rc.d own_policy=""
  missing=$(missing_packages)
  if [ -n "$missing" ]; then
    say "Installing Debian packages: $missing"
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && own_policy=1
    fi
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      $missing; } >"$STATE/apt.log" 2>&1 || { tail -5 "$STATE/apt.log" >&2; missing=failed; }
    [ -z "$own_policy" ] || rm -f "$policy"
    [ "$missing" != failed ] || die "apt-get could not install the packages, see $STATE/apt.log"
  fi
}

# The servers run as ordinary users with unix sockets: the state folder must be reachable for
# them and its path short. Where the clone lies elsewhere, $REPO/.state is a link to /var/tmp.
need_state() {
  STATE="$REPO/.state"
  if [ ! -e "$STATE" ]; then
    rm -f "$STATE" # a dangling link, after /var/tmp was cleaned
    if [ ${#STATE} -gt 50 ] || ! setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$REPO" 2>/dev/null; then
      local real
      real="/var/tmp/mcg-$(printf '%s' "$REPO" | sha256sum | cut -c1-10)"
      # a name in /var/tmp can be guessed: it must be ours before anything is written there
      [ -d "$real" ] || mkdir -m 755 "$real"
      if [ ! -O "$real" ] || [ -L "$real" ]; then die "$real belongs to somebody else"; fi
      ln -s "$real" "$STATE"
    else
      mkdir -m 755 "$STATE"
    fi
  fi
  STATE=$(readlink -f "$STATE")
}

is_odoo_17() {
  [ -f "$1/odoo/release.py" ] && grep -qE "^version_info *= *\(17, *0," "$1/odoo/release.py"
}

# Prints the newest of the builds in ~/.cache, by the date of its files.
newest_odoo() {
  local folder newest=""
  for folder in "$1" "$1"-*; do
    is_odoo_17 "$folder" || continue
    if [ -z "$newest" ] || [ "$folder/odoo/release.py" -nt "$newest/odoo/release.py" ]; then newest=$folder; fi
  done
  printf '%s' "$newest"
}

need_odoo() {
  local cache="${HOME:-/root}/.cache/odoo-17.0"
  if [ -n "${ODOO_SOURCE:-}" ]; then
    is_odoo_17 "$ODOO_SOURCE" || die "ODOO_SOURCE=$ODOO_SOURCE is no Odoo of series 17.0: set it to a checkout or an unpacked nightly of 17.0"
  else
    ODOO_SOURCE=$(newest_odoo "$cache")
    if [ -z "$ODOO_SOURCE" ] && [ ! -e "$cache" ]; then
      say "Cloning Odoo 17.0 into $cache"
      mkdir -p "$(dirname "$cache")"
      if ! git clone -q --depth 1 -b 17.0 https://github.com/odoo/odoo.git "$cache.part" 2>"$STATE/clone.log"; then
        rm -rf "$cache.part"
        die "Odoo 17.0 could not be cloned (no network?): set ODOO_SOURCE to a checkout or an unpacked nightly of 17.0"
      fi
      mv "$cache.part" "$cache"
    fi
    ODOO_SOURCE=${ODOO_SOURCE:-$cache}
    is_odoo_17 "$ODOO_SOURCE" || die "$cache is no Odoo of series 17.0: remove it, or set ODOO_SOURCE to a checkout or an unpacked nightly of 17.0"
  fi
  ODOO_SOURCE=$(readlink -f "$ODOO_SOURCE")
  export ODOO_SOURCE
}

# A stamp of what was asked for makes the second start skip pip.
need_venv() {
  local venv="$STATE/venv" stamp
  PYTHON="$venv/bin/python"
  stamp=$(cat "$ODOO_SOURCE/requirements.txt" "$REPO"/*requirements.txt | sha256sum; python3 --version)
  if [ "$stamp" != "$(cat "$venv/stamp" 2>/dev/null)" ]; then
    say "Making the virtual environment"
    rm -rf "$venv"
    python3 -m venv "$venv"
    { "$venv/bin/pip" install -q 'setuptools<81' wheel &&
      "$venv/bin/pip" install -q -r "$ODOO_SOURCE/requirements.txt" \
        -r "$REPO/requirements.txt" -r "$REPO/test-requirements.txt"; } >"$STATE/pip.log" 2>&1 ||
      { tail -5 "$STATE/pip.log" >&2; die "pip could not install the requirements, see $STATE/pip.log"; }
    printf '%s' "$stamp" >"$venv/stamp"
  fi
  # the source is found by path: a user's own tree is not written to
  printf '%s\n' "$ODOO_SOURCE" >"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/odoo-source.pth"
}

prepare() {
  unset PYTHONDONTWRITEBYTECODE # starting Odoo takes three times as long with it
  need_root
  need_state
  need_packages
  need_odoo
  need_venv
}
