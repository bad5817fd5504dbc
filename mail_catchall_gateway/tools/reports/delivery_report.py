"""What mail servers and recipients report about a mail that was sent.

Delivery status notifications (RFC 3464, RFC 6533), message disposition notifications (RFC 8098),
abuse reports (RFC 5965), and the free text of servers that write none of them.
"""

import dataclasses
import itertools
import re

from ..message.header_text import one_line
from .report_parts import (
    ENCODING,
    MAX_PARTS,
    MAX_VALUE,
    decode_text,
    get_content_type,
    get_field,
    get_parameter,
    read_blocks,
    read_texts,
    walk_parts,
)
from .report_text import find_addresses, find_reason, get_human_lines, search_failures

_XTEXT = re.compile(r"\+(2B|3D)")
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
# the fields after the first are Odoo's and Microsoft's, for relays that change the Message-Id
_ID_FIELDS = ("message-id", "x-odoo-message-id", "x-microsoft-original-message-id")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_ID_LINE = re.compile(rf"^[ \t>]*(?:{'|'.join(_ID_FIELDS)}):\s*(<[^<>\s]{{1,900}}>)", re.I | re.M)

_DAEMON = re.compile(r"mail(?:er)?[-_.]?daemon|mdaemon\b|microsoftexchange[0-9a-f]{32}", re.I)
_SYSTEM = re.compile(
    r"postmaster|mailer[-_. ]?daemon|mail[-_. ]?(?:delivery|admin|service|system)|system admin",
    re.I,
)
_TITLE = re.compile(
    r"undeliver|non-?deliver|not[ _](?:be[ _])?deliver|failure|delayed|could[ _]not[ _]be"
    r"|deliver(?:y|ed)?\b.*(?:fail|error|problem|report|status|warning)|(?:failed|rejected)[ _]mail"
    r"|mail[ _](?:failed|delivery|system)|return(?:ed|ing)[ _](?:mail|message)"
    r"|unzustellbar|non[ _]remis|no[ _]entregad|mancato[ _]recapito|onbestelbaar",
    re.I,
)
_ANSWER = re.compile(r"\s*(?:re|aw|fwd?|wg|tr|rv|auto\w*|out of (?:the )?office)\b", re.I)
_ANSWER_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from")
_DELAY = re.compile(
    r"\(delay\)|delivery delayed|has been delayed|message (?:\S+ )?delayed|warning message only"
    r"|not yet been delivered|still being retried|will be retried|no action is required",
    re.I,
)
_REPLY = re.compile(r"(?<![\w.])([245])(?:\d\d\b|\.\d)")

# the worst first: who did not get the mail matters more than who did; OpenSMTPD says "error"
_ACTIONS = {
    "failed": ("fail", "error"),
    "delayed": ("delay",),
    "delivered": ("deliver", "relay", "expand"),
}
_STATUS_KINDS = {"5": "failed", "4": "delayed", "2": "delivered"}
_STATUS_TEXTS = {
    "1": "problem with the address",
    "1.1": "no such mailbox",
    "1.2": "no such mail system",
    "2": "problem with the mailbox",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the message is too big for the mailbox",
    "3": "problem with the mail system",
    "3.4": "the message is too big for the mail system",
    "4": "problem with the network",
    "4.6": "mail loop",
    "4.7": "the time for delivery has run out",
    "5": "problem with the mail protocol",
    "6": "problem with the content",
    "7": "refused for reasons of security or policy",
}
_DISPOSITIONS = ("message/disposition-notification", "message/global-disposition-notification")
# rfc822-headers is registered by nobody, sent by many
_RETURNED = {f"message/{kind}" for kind in ("rfc822", "rfc822-headers", "global", "global-headers")}
# of the registry that RFC 5965 founds; "auth-failure" and "not-spam" are nobody's complaint
_COMPLAINTS = ("abuse", "fraud", "miscategorized", "opt-out", "opt-out-list", "other", "virus")


@dataclasses.dataclass(frozen=True)
class DeliveryReport:
    """What became of a mail that was sent."""

    #: ``failed``, ``delayed``, ``delivered`` (also if its recipient deleted it), ``read``,
    #: ``complaint``, or ``unknown`` where a mail server reports what cannot be made out
    kind: str
    recipients: tuple = ()  # normalized addresses that this became of, as we wrote them
    final_recipients: tuple = ()  # as the last server knows them; empty for free text
    reason: str = ""  # one line for people, in the words of the mail server if there are any
    message_ids: tuple = ()  # of the mail that was sent, with their angle brackets


def read_report(message):
    """Return what a mail reports about a mail that was sent before. Never raises.

    Its parts for machines are believed if it is a ``multipart/report`` (RFC 6522) or a mail system
    wrote it. Free text is read by the library flufl.bounce, whose expressions fit a quoted or
    forwarded report as well as a real one; people, and their vacation notices, write to the same
    address. So a mail is looked into only if it is a report by its type, its sender or
    X-Failed-Recipients, or if it is titled as one and comes from a null or a postmaster's address.

    :param email.message.Message message: the mail, parsed by any policy
    :return DeliveryReport: None if it is no such report, as far as can be told
    """
    is_certain = _is_report(message)
    if not is_certain and not _is_like_report(message):
        return None
    parts = list(itertools.islice(walk_parts(message), MAX_PARTS))
    texts = read_texts(parts)
    human = get_human_lines(texts)
    report = _read_status(parts) or _read_disposition(parts, message) or _read_feedback(parts)
    if not report or (report.kind in ("failed", "delayed") and not report.recipients):
        found = _read_text(message, texts, human)
        if report and found:
            report = dataclasses.replace(report, recipients=found.recipients)
        report = report or found or (DeliveryReport("unknown") if is_certain else None)
    if not report:
        return None
    reason = report.reason
    if not reason and report.kind in ("failed", "delayed", "unknown"):
        reason = find_reason(human, report.recipients + report.final_recipients)
    message_ids = _message_ids(message, parts, texts)
    return dataclasses.replace(report, reason=reason, message_ids=message_ids)


def _is_report(message):
    """Tell whether the mail can be nothing else; other types (RFC 8460) report on no mail."""
    if get_content_type(message) == "multipart/report":
        report_type = get_parameter(message, "report-type").lower()
        return report_type in ("", "delivery-status", "disposition-notification", "feedback-report")
    sender = _sender(message)
    is_daemon = _DAEMON.match(sender.rpartition("<")[2]) or "<>" in sender
    return bool(is_daemon or get_field(message, "x-failed-recipients"))


def _is_like_report(message):
    """Tell whether a mail system seems to have written the mail: by its sender and its title."""
    subject = get_field(message, "subject")
    if get_content_type(message) == "multipart/report" or _ANSWER.match(subject):
        return False
    if any(get_field(message, name) for name in _ANSWER_FIELDS):
        return False
    is_bounce = re.match(r"<(?:>|mailer-daemon)", get_field(message, "return-path"), re.I)
    return bool((is_bounce or _SYSTEM.search(_sender(message))) and _TITLE.search(subject))


def _sender(message):
    """Return From without domains, which may be called anything."""
    # parseaddr is out of the question: it recurs for each comment in a comment
    return re.sub(r"@[^\s<>()]+", "", get_field(message, "from"))


def _read_status(parts):
    """Return what the blocks of a delivery status say (RFC 3464, 2.3)."""
    blocks = {}
    for block in read_blocks(parts, "message/delivery-status", "message/global-delivery-status"):
        blocks.setdefault(_block_kind(block), []).append(block)
    kind = next((kind for kind in _ACTIONS if kind in blocks), None)
    if not kind:
        return None
    reason = next(filter(None, map(_diagnostic, blocks[kind])), "")
    return DeliveryReport(kind, *_block_recipients(blocks[kind]), reason)


def _read_disposition(parts, message):
    """Return what a disposition notification says (RFC 8098, 3.2)."""
    for block in read_blocks(parts, *_DISPOSITIONS):
        disposition = block.get("disposition", "").lower().rpartition(";")[2]
        action = one_line(re.split(r"[/,]", disposition)[0])
        kind, reason = ("read", "") if action == "displayed" else ("delivered", action)
        # mail systems reject so after the SMTP dialogue: Sieve (RFC 5429), a full Dovecot mailbox
        if action == "deleted" and _SYSTEM.search(_sender(message)):
            kind, reason = "failed", ""
        return DeliveryReport(kind, *_block_recipients([block]), reason)
    return None


def _read_feedback(parts):
    """Return what an abuse report says (RFC 5965, 3)."""
    for block in read_blocks(parts, "message/feedback-report"):
        feedback = one_line(block.get("feedback-type", "").lower())
        kind = "complaint" if feedback in _COMPLAINTS else "unknown"
        named = f"{block.get('original-rcpt-to', '')} {block.get('removal-recipient', '')}"
        return DeliveryReport(kind, find_addresses([named]), reason=feedback)
    return None


def _read_text(message, texts, human):
    """Return what X-Failed-Recipients or else the text says, None if nothing."""
    delayed, failed = (), find_addresses([get_field(message, "x-failed-recipients")])
    if not failed:
        delayed, failed = search_failures(message, texts)
    if not delayed and not failed:
        return None
    # flufl.bounce and old Gmail call a delay a failure
    head = f"{get_field(message, 'subject')}\n" + "\n".join(human)[:MAX_VALUE]
    if not failed or _DELAY.search(head):
        return DeliveryReport("delayed", failed or delayed)
    return DeliveryReport("failed", failed)


def _block_kind(block):
    """Return what became of a recipient, ``""`` if the block is about none or does not say."""
    action = block.get("action", "").lower()
    kind = next((kind for kind, words in _ACTIONS.items() if action.startswith(words)), "")
    if kind:
        return kind
    code = _REPLY.search(f"{block.get('status', '')} {block.get('diagnostic-code', '')}")
    is_recipient = "final-recipient" in block or "original-recipient" in block
    return _STATUS_KINDS[code[1]] if is_recipient and code else ""


def _block_recipients(blocks):
    """Return the addresses in blocks, as we wrote them and as the last server knows them."""
    originals, finals = [], []
    for block in blocks:
        final = _recipient(block.get("final-recipient", ""))
        original = block.get("original-recipient", "")
        # xtext (RFC 3461, 4) that was not decoded; an address that has the like in it is in both
        if _recipient(original) != final and original.count("+") == len(_XTEXT.findall(original)):
            original = _XTEXT.sub(lambda match: chr(int(match[1], 16)), original)
        originals.append(_recipient(original) or final)
        finals.append(final)
    return tuple(tuple(dict.fromkeys(filter(None, found))) for found in (originals, finals))


def _recipient(value):
    """Return the address after its type (RFC 3464, 2.3.1; RFC 6533, 3), ``""`` if there is none."""
    value = _UNITEXT.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), value)
    return next(iter(find_addresses([one_line(value, MAX_VALUE)])), "")


def _diagnostic(block):
    """Return why, in the words of the server or else those of RFC 3463, ``""`` if unknown."""
    said = re.sub(r"^[A-Za-z][\w-]*\s*;", "", block.get("diagnostic-code", ""))
    # each line of a reply begins with its codes (RFC 5321, 4.2.1)
    first = re.match(r"\s*(\d{3})[ -](\d\.\d{1,3}\.\d{1,3} )?", said)
    if first:
        again = rf"(?<=\s){first[1]}[ -]{re.escape(first[2] or '')}"
        said = f"{first[1]} {first[2] or ''}{re.sub(again, '', said[first.end() :])}"
    status = re.match(r"[45]\.((\d{1,3})\.\d{1,3})", block.get("status", ""))
    if not said and status:
        meaning = _STATUS_TEXTS.get(status[1]) or _STATUS_TEXTS.get(status[2])
        said = f"{status[0]} {meaning}" if meaning else ""
    return one_line(said)


def _message_ids(message, parts, texts):
    """Return the Message-Ids of the mail that the report is about, those of its parts first."""
    found = [block.get("original-message-id", "") for block in read_blocks(parts, *_DISPOSITIONS)]
    for part in parts:
        found += _returned_ids(part)
    if not any(found):
        found = next(filter(None, map(_header_ids, texts)), ())
    # Gmail and Exchange answer the mail that failed
    ids = _MESSAGE_ID.findall(" ".join(found) or get_field(message, "in-reply-to"))
    return tuple(dict.fromkeys(ids))


def _returned_ids(part):
    """Return the values of the fields that identify the mail, if it or its header is returned."""
    kind, encoding = get_content_type(part), get_field(part, ENCODING)
    if kind == "text/rfc822-headers":
        return _header_ids(decode_text(part, encoding))
    if kind not in _RETURNED:
        return []
    original = part.get_payload()[0] if part.is_multipart() else part
    found = [get_field(original, name) for name in _ID_FIELDS]
    # some servers encode it, which RFC 2046 forbids and the email package does not expect
    return found if any(found) or not encoding else _header_ids(decode_text(original, encoding))


def _header_ids(text):
    """Return the Message-Ids in the first header of a mail that stands in a text."""
    first = _ID_LINE.search(text)
    return _ID_LINE.findall(text[first.start() :].partition("\n\n")[0]) if first else []
