"""Local parts that people would choose for themselves."""

import re

from text_unidecode import unidecode


def propose_local_part(text):
    """Return ``john.doe`` for ``John Doe``.

    :param str text: a name, or a login; of an address only the local part counts
    :return str: dot-atom of ASCII letters, digits, dots and hyphens, that an alias may have;
        empty where the text has no letters or digits
    """
    text = unidecode((text or "").partition("@")[0]).lower()
    text = re.sub(r"['`]", "", text)  # also what ’, ь and their like became
    text = re.sub(r"[^a-z0-9-]+", ".", text)
    text = re.sub(r"-+", "-", text)
    return re.sub(r"-?\.[.-]*", ".", text).strip(".-")


def make_unique(local_part, taken):
    """Return the local part, with a number behind it if it is one of those that are taken."""
    number, unique = 1, local_part
    while unique in taken:
        number += 1
        unique = f"{local_part}{number}"
    return unique
