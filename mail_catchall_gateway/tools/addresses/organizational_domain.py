"""The domain that an owner registered, from the Public Suffix List (publicsuffix.org)."""

import functools

from publicsuffixlist import PublicSuffixList

from .addresses import normalize_domain


def organizational_domain(domain):
    """Return the organizational domain of a host or a domain (RFC 7489, 3.2).

    Below a top-level domain that is not on the list it has two labels.

    :return str: lower case, as A-labels; a public suffix and a single label stay as they are
    """
    name = normalize_domain(domain or "")
    return _public_suffixes().privatesuffix(name) or name


@functools.cache
def _public_suffixes():
    """Return the list that the library brings along: reading it takes a tenth of a second."""
    return PublicSuffixList()
