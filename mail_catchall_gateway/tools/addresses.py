"""Addresses of RFC 5322 as plain text."""

import contextlib
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
    return f"{local.lower()}@{normalize_domain(domain)}"


def normalize_domain(name):
    """Return the name of a domain as it is compared: lower case, as A-labels (RFC 5890).

    :param str name: with a dot at the end or without; what is no domain name comes back lower
    """
    name = name.strip().rstrip(".")
    if not name.isascii():
        with contextlib.suppress(UnicodeError):  # found nowhere, as it is
            name = name.encode("idna").decode()
    return name.lower()


def is_domain_name(name):
    """Tell whether a name can be the domain of an address on the internet.

    :param str name: A-labels or ASCII, lower case (RFC 1035, 2.3.1; RFC 5321, 4.1.2)
    """
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    return len(name) <= 253 and bool(re.fullmatch(rf"{label}(\.{label})+", name))


def replace_address(text, old, new):
    """Return the text with one address put in the place of another, in any case.

    :param str text: plain text or HTML; a ``Markup`` stays one
    :param str old: address that must not be seen
    :param str new: address to show instead
    """
    # not within a longer address: an address ends where no character of one goes on
    pattern = rf"(?<![\w.!#$%&'*+/=?^`{{|}}~-]){re.escape(old)}(?![\w-]|\.\w)"
    return type(text)(re.sub(pattern, lambda _match: new, str(text), flags=re.IGNORECASE))
