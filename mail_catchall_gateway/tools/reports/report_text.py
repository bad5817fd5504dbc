"""What a report says in free text, of mail servers that write nothing for machines."""

import email.message
import itertools
import logging
import re

from flufl.bounce import all_failures

from ..addresses.addresses import ATOM, DOMAIN, normalize_address
from ..message.header_text import one_line
from .report_parts import get_content_type, get_field

_logger = logging.getLogger(__name__)
# it logs a line for each of its detectors, and as an error what one of them raises
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

_MAX_LINE = 300  # expressions of flufl.bounce take the square of a line's length

# a report may hold thousands of quotation marks: what they quote is short
_ADDRESS = re.compile(rf'(?:"[^"]{{1,64}}"|{ATOM})@{DOMAIN}')
_ORIGINAL = re.compile(
    r"[ \t]*--.*(?:original mess|copy of|returned mess|message header)"
    r"|(?:received|return-path|message-id|dkim-signature):",
    re.I,
)
_CODE = re.compile(r"(?<![\w.])5\d\d(?=[ -])|(?<![\w.])[45]\.[0-7]\.\d{1,3}(?!\.?\d)")


def find_addresses(texts):
    """Return the addresses in texts, normalized and each of them once."""
    addresses = itertools.chain.from_iterable(map(_ADDRESS.findall, texts))
    return tuple(dict.fromkeys(map(normalize_address, addresses)))


def search_failures(message, texts):
    """Return the delayed and the failed addresses that flufl.bounce finds in the text."""
    # on a copy with what its detectors look at: the mail has the original in it, of any size
    is_multipart = get_content_type(message).startswith("multipart/")
    copy = email.message.Message()
    copy["Content-Type"] = get_content_type(message) if is_multipart else "text/plain"
    for name in ("From", "X-Mailer"):
        copy[name] = get_field(message, name.lower())
    for text in texts:
        short = "\n".join(line[:_MAX_LINE] for line in text.split("\n"))
        if not is_multipart:
            copy.set_payload(short)
            break
        part = email.message.Message()
        part["Content-Description"] = "notification"  # of Postfix, which not all that copy it say
        part.set_payload(short)
        copy.attach(part)
    if is_multipart:
        copy.attach(email.message.Message())  # some look only at what is not the last part
    try:
        return tuple(
            find_addresses(address.decode("ascii", "replace") for address in sorted(addresses))
            for addresses in all_failures(copy)
        )
    except Exception:  # its detectors are made for real reports, and this is anybody's mail
        _logger.debug("flufl.bounce cannot read a mail", exc_info=True)
        return (), ()


def find_reason(lines, addresses):
    """Return the paragraph with an error code, or else with an address, from there on."""
    named = ""
    for paragraph in "\n".join(lines).split("\n\n"):
        telling = itertools.dropwhile(
            lambda line: not _tells(line, addresses), paragraph.split("\n")
        )
        text = one_line(" ".join(telling))
        if _CODE.search(paragraph):
            return text
        # an address alone says nothing
        named = named or (text if len(text.split()) > 2 else "")
    return named


def _tells(line, addresses):
    # the first few: a report on a thousand recipients names them one after the other
    return _CODE.search(line) or any(address in line.lower() for address in addresses[:10])


def get_human_lines(texts):
    """Return the lines of the first text, down to the mail that some servers put below theirs."""
    lines = texts[0].split("\n") if texts else []
    return list(itertools.takewhile(lambda line: not _ORIGINAL.match(line), lines))
