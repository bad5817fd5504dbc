"""Addresses of RFC 5322 as plain text."""

import re


def normalize_address(address):
    """Return the address as aliases are compared: lower case, an IDN domain as A-labels.

    :param str address: addr-spec of RFC 5322, without comments
    :return str: the same mailbox; a local part that is quoted without need is unquoted
    """
    local, _at, domain = address.strip().rpartition("@")
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        plain = re.sub(r"\\(.)", r"\1", local[1:-1])
        local = plain if re.fullmatch(r"[^\s\"<>(),:;@\[\]\\]+", plain) else local
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            domain = domain.lower()  # no valid domain name: found nowhere, as it is
    return f"{local}@{domain}".lower().rstrip(".")


def replace_address(text, old, new):
    """Return the text with one address put in the place of another, in any case.

    :param str text: plain text or HTML; a ``Markup`` stays one
    :param str old: address that must not be seen
    :param str new: address to show instead
    """
    # not within a longer address: an address ends where no character of one goes on
    pattern = rf"(?<![\w.!#$%&'*+/=?^`{{|}}~-]){re.escape(old)}(?![\w-]|\.\w)"
    return type(text)(re.sub(pattern, lambda _match: new, str(text), flags=re.IGNORECASE))
