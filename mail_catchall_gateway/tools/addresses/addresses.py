"""Addresses of RFC 5322 as plain text."""

import contextlib
import re

# Of what an addr-spec is made (RFC 5322, 3.4.1), as people and programs write it: the others are
# built of these. An encoded word (RFC 2047) is no part of an address, whatever it decodes to.
QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
LITERAL = r"\[[^\[\]\\\s<>@]{0,64}\]"
ATOM = r"[^\s\"<>(),:;@\[\]\\|]{1,320}"
DOMAIN = rf"(?:{LITERAL}|[^\s\"<>(),:;@\[\]\\|/?=]{{1,255}})"
ADDRESS = rf"(?:{QUOTED}|(?!=\?){ATOM})@{DOMAIN}"
#: What mail servers take without any quotes (RFC 5321, 4.1.2), in ASCII.
PLAIN_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,250}@[\w.-]{1,250}"


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
    """Tell whether a name, as A-labels, can be a domain (RFC 1035, 2.3.1; RFC 5321, 4.1.2)."""
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    return len(name) <= 253 and bool(re.fullmatch(rf"{label}(\.{label})+", name))


def replace_address(text, old, new):
    """Return the text with one address put in the place of another, in any case.

    :param str text: plain text or HTML; a ``Markup`` stays one
    :param str old: address that must not be seen
    :param str new: address to show instead
    """
    # not within a longer address, as people have them: "*john@home.test*" is bold. In a link @ may
    # be encoded, and what stands before: Outlook puts it into each that it checks
    local, domain = map(re.escape, old.rsplit("@", 1))
    pattern = rf"(?:(?<![\w.+-])|(?<=%[0-9a-f]{{2}})){local}(@|%40){domain}(?![\w-]|\.\w)"
    replaced = re.sub(pattern, lambda m: new.replace("@", m[1]), str(text), flags=re.IGNORECASE)
    return type(text)(replaced)


def replace_in_card(content, old, new):
    """Return a calendar or a business card (RFC 5545, RFC 6350) with another address in it.

    Mail programs write the address of their user into them. Parameters as ``replace_address``.

    :param content: of any file, bytes or text; what is no calendar or card comes back as it is
    """
    is_bytes = isinstance(content, bytes)
    if not is_bytes and not isinstance(content, str):
        return content
    # a file may be large: its beginning first
    head = content[:100].decode("utf-8", "replace") if is_bytes else content[:100]
    if not re.match(r"\ufeff?\s*BEGIN:(VCALENDAR|VCARD)", head, re.I):
        return content
    text = content.decode("utf-8", "surrogateescape") if is_bytes else content

    def replace(match):
        unfolded = re.sub(r"\r?\n[ \t]", "", match[0])
        replaced = replace_address(unfolded, old, new)
        return match[0] if replaced == unfolded else _fold(replaced, line_end)

    line_end = "\r\n" if "\r\n" in text else "\n"
    text = re.sub(r"[^\r\n]+(?:\r?\n[ \t][^\r\n]*)*", replace, text)
    return text.encode("utf-8", "surrogateescape") if is_bytes else text


def _fold(line, line_end):
    """Return a line of a card in lines of at most 75 octets (RFC 5545, 3.1; RFC 6350, 3.2)."""
    folded, size = [], 0
    for character in line:
        octets = len(character.encode("utf-8", "surrogatepass"))
        if size + octets > 75:
            folded.append(f"{line_end} ")
            size = 1
        folded.append(character)
        size += octets
    return "".join(folded)


def split_subaddress(local_part, separator):
    """Return the user and the detail of a local part (RFC 5233, 4).

    The RFC leaves it to each system how a detail is written. Here the first separator divides, as
    in Postfix, and what stands before it is never empty.

    :param str local_part: local part of a normalized address, quoted or not
    :param str separator: one character or several in this order; empty where details are off
    :return tuple: (user, detail); the whole local part and ``""`` where there is no detail
    """
    # a quoted string that is left has its quotes for a reason: half of it is no local part
    if not separator or local_part.startswith('"'):
        return local_part, ""
    user, _separator, detail = local_part.partition(separator)
    return (user, detail) if user else (local_part, "")
