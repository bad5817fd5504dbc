"""Whether a mail is from the domain in its From, read from what our own mail server says.

SPF, DKIM and DMARC are checked by the server that takes a mail in from the internet; it writes
what it found into ``Authentication-Results`` (RFC 8601). Anybody can write such a field: it is
worth what its authserv-id and its place are worth.
"""

import dataclasses
import re

from ..addresses.addresses import normalize_address
from ..addresses.organizational_domain import organizational_domain
from ..message.header_text import one_line

#: The configured id that stands for fields without any (Microsoft 365).
NO_ID = "-"
#: No server writes more: what is longer, or comes after, was made to keep us busy.
MAX_LENGTH = 10_000
MAX_FIELDS = 20

#: The properties that name who was authenticated; the first that is there counts. SPF tells
#: smtp.helo as well, but a host's name is not the sender's domain.
_IDENTITIES = {
    "dmarc": ("header.from",),
    "dkim": ("header.d", "header.i"),
    "spf": ("smtp.mailfrom", "smtp.mail"),  # the second: Yandex
}
#: Beside the words of RFC 8601, 2.7 those of RFC 5451 (hardfail) and Yahoo's.
_PASS = {"pass", "success", "dkim_pass"}
_FAIL = {"fail", "hardfail", "softfail", "permerror", "perm_fail"}
#: Without permerror, a policy that cannot be read: it tells nothing of the mail.
_DMARC_FAIL = {"fail", "hardfail", "softfail", "quarantine", "reject"}

_TOKEN = re.compile(r'[^()"\\]+|\\.|.')
_UNSAFE = re.compile(r"[^\w@.+-]")
_RESULT = re.compile(r" ?([\w-]+) ?(?:/ ?\d+ ?)?= ?([\w-]+)")
_PROPERTY = re.compile(r"(?<!\S)(smtp|header) ?\. ?([\w-]+) ?= ?([^\s;]*)", re.IGNORECASE)
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")


@dataclasses.dataclass(frozen=True)
class Authentication:
    """What our mail server found out about the sender of a message."""

    result: str  # pass, fail, or none where it cannot be told
    method: str = ""  # dmarc, dkim or spf, which decided it; empty where none did
    detail: str = ""  # why, one line for the administrator; parts of it come from the mail


@dataclasses.dataclass(frozen=True)
class _Finding:
    method: str
    passed: bool
    failed: bool
    aligned: bool | None  # None where it names no domain
    text: str


def authenticate(fields, authserv_id, domain, trusted_hops=0):
    """Return whether our mail server saw a message come from a domain (RFC 8601, RFC 7489).

    The Authentication-Results that count are those with our server's id, from the topmost one
    down to the next Received line. Some servers stamp them above their own Received line
    (Fastmail, GMX, Microsoft), some below it (Gmail, Yahoo, Postfix with milters). So with
    ``trusted_hops`` those below the last of these lines count only where none above it does. A
    field that the sender forged stands lower. Right below ours, without a Received line between,
    nobody can tell it apart: RFC 8601, 5 has our server remove it.

    Aligned is relaxed alignment (RFC 7489, 3.1): two domains have one organizational domain. ARC
    and SMTP AUTH are not looked at.

    :param list fields: (name, value) pairs of the header, from the top
    :param str authserv_id: the id that our mail server writes, in any case; several are separated
        by commas. ``.example.com`` and ``*.example.com`` stand for all hosts of a domain, ``-``
        for fields without an id (Microsoft 365). The job in ``host/job`` and the version in
        ``host 1`` are no part of the id
    :param str domain: domain of the From address
    :param int trusted_hops: number of Received lines that our own servers stamp; 0 where it is
        not known
    :return Authentication: ``pass``: DMARC passed, or DKIM or SPF for an aligned domain; ``fail``:
        DMARC failed, a check failed or passed for somebody else while none passed for the domain,
        or what our server wrote is malformed; ``none``: it wrote nothing, or nothing that tells
    """
    domain = _domain(domain)
    trusted = _trusted_values(fields, _patterns(authserv_id), trusted_hops) if domain else []
    if not all(well_formed for _text, well_formed in trusted):
        return Authentication("fail", "", "what our mail server wrote is malformed")
    results = [result for text, _well_formed in trusted for result in _parse(text)]
    findings = [finding for result in results if (finding := _finding(*result, domain))]
    authentication = _judge(findings, domain)
    return dataclasses.replace(authentication, detail=one_line(authentication.detail, 200))


def _judge(findings, domain):
    stranger = f", nothing for {domain}"
    # the first that holds decides; DMARC comes first, as the other two are its evidence, and a
    # failure before a pass, as a second DMARC result is nothing that an honest server writes
    for result, suffix, holds in (
        ("fail", "", lambda f: f.method == "dmarc" and f.failed),
        ("pass", "", lambda f: f.method == "dmarc" and f.passed and f.aligned is not False),
        ("pass", "", lambda f: f.passed and f.aligned),
        ("fail", "", lambda f: f.failed and f.aligned),
        ("fail", stranger, lambda f: f.failed),
        ("fail", stranger, lambda f: f.passed and f.aligned is False),
    ):
        for finding in filter(holds, findings):
            return Authentication(result, finding.method, finding.text + suffix)
    detail = ", ".join(finding.text for finding in findings)
    return Authentication("none", "", detail or "no result of our mail server")


def _finding(method, result, properties, domain):
    """Return the finding in a result, or None where it is about something else."""
    if method == "compauth":  # Microsoft's conclusion from SPF, DKIM, DMARC and its own records
        return _Finding("dmarc", False, result == "fail", None, f"{method}={result}")
    name = next((name for name in _IDENTITIES.get(method, ()) if name in properties), "")
    domains = [_domain(value) for value in properties.get(name, ())]
    ours = organizational_domain(domain)
    if method not in _IDENTITIES or (method == "spf" and not any(domains)):
        return None  # SPF without a sender: a bounce, checked for the host's name
    return _Finding(
        method=method,
        passed=result in _PASS,
        failed=result in (_DMARC_FAIL if method == "dmarc" else _FAIL),
        # all of them: a second one is the work of somebody who wants to be read in its place
        aligned=all(organizational_domain(one) == ours for one in domains) if domains else None,
        text=" ".join([f"{method}={result}", *(f"{name}={one}" for one in domains)]),
    )


def _domain(value):
    """Return the domain of an address or a domain as it is compared, or ``""``.

    One label alone is no domain.
    """
    domain = str(value or "").strip(" <>").rpartition("@")[2]
    domain = normalize_address(f"@{domain}")[1:] if len(domain) < 256 else ""
    return domain if _DOMAIN.fullmatch(domain) else ""


def _patterns(authserv_id):
    """Return the configured ids; one that begins with a dot stands for all hosts below it."""
    ids = (one.strip().lower().rstrip(".") for one in str(authserv_id or "").split(","))
    return [one for one in (one.removeprefix("*") for one in ids) if one]


def _trusted_values(fields, patterns, trusted_hops):
    """Return the values that count, as (flattened results, well formed)."""
    found, hops = [], 0
    for name, value in fields:
        if name.lower() == "received":
            hops += 1
            if (found and hops >= trusted_hops) or 0 < trusted_hops < hops:
                break
        elif name.lower() == "authentication-results":
            authserv_id, results, well_formed = split_results(str(value))
            if any(_is_id(authserv_id, pattern) for pattern in patterns):
                found.append((results, well_formed))
    return found[:MAX_FIELDS]


def _is_id(authserv_id, pattern):
    return authserv_id.endswith(pattern) if pattern.startswith(".") else authserv_id == pattern


def split_results(value):
    """Return what is in an Authentication-Results field (RFC 8601, 2.2).

    :param str value: its body
    :return tuple: authserv-id, ``-`` where there is none; the results on one line, without
        comments and quotes; whether the value is well formed
    """
    text, well_formed = _flatten(value)
    head, _semicolon, results = text.partition(";")
    words = head.split(maxsplit=2)
    if not words:
        return "", "", well_formed
    if "=" in words[0] or words[1:2] and words[1].startswith("="):
        return NO_ID, text, well_formed
    return words[0].partition("/")[0].rstrip(".").lower(), results, well_formed


def _flatten(value):
    """Return a value on one line without comments and quotes, and whether it is well formed.

    What is in quotes becomes a single word, so that nothing in it is taken for a result. Where
    quotes or parentheses do not pair up, an address that the sender made up may have ended the
    server's comment before its time: then nothing in the value is to be believed.
    """
    parts, depth, quoted, comment_quotes = [], 0, False, 0
    for token in _TOKEN.findall(" ".join(value[:MAX_LENGTH].split())):
        if token == '"' and not depth:
            quoted = not quoted
        elif quoted:
            parts.append(_UNSAFE.sub("_", token))
        elif token in "()":
            depth += 1 if token == "(" else -1
            parts.append(" ")
            if depth < 0 or (not depth and comment_quotes % 2):
                return "".join(parts), False
        elif depth:
            comment_quotes += token == '"'
        else:
            parts.append(token)
    well_formed = not depth and not quoted and len(value) <= MAX_LENGTH
    return " ".join("".join(parts).split()), well_formed


def _parse(text):
    """Yield the (method, result, {property: [values]}) of flattened results."""
    for part in text.split(";"):
        if match := _RESULT.match(part):
            properties = {}
            for kind, name, value in _PROPERTY.findall(part):
                properties.setdefault(f"{kind}.{name}".lower(), []).append(value)
            yield match[1].lower(), match[2].lower(), properties
