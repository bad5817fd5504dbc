"""From whom a mail leaves, where a relay accepts only our own addresses (RFC 5322, 3.6.2)."""

import dataclasses
import email.header
import email.utils
import functools
import re

from ..addresses.addresses import normalize_address
from ..message.header_text import CONTROL, one_line

NATIVE, DYNAMIC, FORCED = "native", "dynamic", "forced"
#: As fields offer them.
POLICIES = [
    (NATIVE, "As Odoo does"),
    (DYNAMIC, "Replace other people's addresses"),
    (FORCED, "Replace every address"),
]

_MAX_NAME = 100  # display names that are longer say nothing more
_MAX_LINE = 78  # RFC 5322, 2.1.1
_MAX_VALUE = 10000


@dataclasses.dataclass(frozen=True)
class FromPolicy:
    """What is done with From."""

    name: str = NATIVE  # leaves it to Odoo; DYNAMIC replaces what is not ours, FORCED all
    address: str = ""  # what it is replaced by, bare

    @property
    def is_native(self):
        """Whether nothing is done: a policy without an address cannot do anything."""
        return self.name == NATIVE or not self.address


@dataclasses.dataclass(frozen=True)
class Sender:
    """As whom a mail leaves."""

    header: str  # field body of From, folded, in ASCII
    address: str  # its address, bare
    is_replaced: bool = False  # it is not what the mail said before


def choose_policy(server=None, forced="", dynamic="", domain=None):
    """Return the policy that holds: the nearest to the relay wins.

    :param FromPolicy server, domain: of the outgoing server and the alias domain, if they have one
    :param str forced: value of the system parameter ``mail.force.smtp.from``
    :param str dynamic: value of ``mail.dynamic.smtp.from``, which the other one outdoes
    """
    if server:
        return server
    for name, value in ((FORCED, forced), (DYNAMIC, dynamic)):
        if value and (addresses := _split(value)):
            return FromPolicy(name, addresses[-1][1])
    return domain or FromPolicy()


def apply_policy(policy, header_from, own_domains, is_permitted=lambda address: True):
    """Return as whom a mail leaves under a policy.

    An address of ours stays under ``dynamic``, if the server may be used for it; somebody else's
    becomes the display name, so that the recipient still sees who wrote. Of several authors the
    first one counts.

    :param FromPolicy policy: one that is not native
    :param str header_from: field body of From, decoded; may be empty
    :param own_domains: names of our domains, lower case, as A-labels
    :param is_permitted: function that tells of an address whether the server takes it
    """
    authors = _split(header_from)
    name, address = authors[0] if authors else ("", "")
    bare = normalize_address(address) if address else ""
    if bare and bare == normalize_address(policy.address):
        return Sender(format_sender(name, address), address)
    is_ours = bool(bare) and bare.rpartition("@")[2] in own_domains and bare.isascii()
    if policy.name == DYNAMIC and is_ours and is_permitted(address):
        return Sender(format_sender(name, address), address, is_replaced=len(authors) > 1)
    return Sender(encapsulate(name, address, policy.address), policy.address, is_replaced=True)


def apply_native(header_from, default_from, is_named):
    """Return as whom core lets a mail leave, by FROM Filtering alone.

    As ``_find_mail_server`` and ``_prepare_email_message`` have it where there is one server.

    :param str header_from: field body of From, decoded; may be empty
    :param str default_from: address that replaces others, bare; may be empty
    :param is_named: function that tells of an address whether the filter names it
    :return Sender:
    """
    name, address = (*_split(header_from), ("", ""))[0]
    if not default_from or (address and is_named(address)):
        return Sender(header_from, address)
    is_same = normalize_address(address) == normalize_address(default_from)
    name = "" if is_same else name or address.partition("@")[0]
    return Sender(format_sender(name, default_from), default_from, is_replaced=True)


def choose_envelope(sender, proposed, own_domains):
    """Return the envelope sender: the bounce address that is proposed if it is ours."""
    domain = normalize_address(proposed).rpartition("@")[2] if proposed else ""
    return proposed if domain in own_domains else sender.address


def encapsulate(name, address, new_address):
    """Return ``"Mary (mary@customer.example)" <outgoing@acme.example>`` as ``format_sender`` does.

    :param str name: display name, decoded; may be empty, as may ``address``
    """
    name = _clean(name)
    if name and address and name.lower() != address.lower():
        return format_sender(f"{_cut(name)} ({_cut(address)})", new_address)
    return format_sender(_cut(name or address), new_address)


def format_sender(name, address):
    """Return the field body of From or Reply-To with one mailbox (RFC 5322, 3.4).

    In ASCII; folded here, or a long name encoded (RFC 2047): Python unquotes what it folds, and a
    comma in the name would begin another mailbox.
    """
    name = _clean(name)
    if not name:
        return address
    quoted = re.sub(r'([\\"])', r"\\\1", name)
    if name.isascii() and "=?" not in name:
        begin, end = f'"{quoted}"', f" <{address}>"
        if len("From: ") + len(begin) + len(end) <= _MAX_LINE:
            return begin + end
        if len("Reply-To: ") + len(begin) <= _MAX_LINE and len(end) <= _MAX_LINE:
            return f"{begin}\n{end}"
    encoded = email.header.Header(name, "utf-8", header_name="Reply-To").encode()
    return f"{encoded}\n <{address}>"


def _split(value):
    """Return the mailboxes of a header field as (name, address), those without address left out."""
    return _split_clean(_clean(value)[:_MAX_VALUE])


@functools.lru_cache(maxsize=256)  # a queue of mails has few senders
def _split_clean(value):
    found = email.utils.getaddresses([value])
    pairs = [(name, re.sub(r"[\s<>]", "", address)) for name, address in found if "@" in address]
    if not pairs:
        # one that is not quoted as it should: the address, if there is one
        match = re.search(r"[^\s<>,;:\"()@]+@[^\s<>,;:\"()@]+", value)
        pairs = [(value[: match.start()].strip(' "<'), match[0])] if match else []
    return tuple(pairs)


def _clean(text):
    """Return a text on one line, without what could begin another header field."""
    return one_line(CONTROL.sub(" ", str(text or "")), None)


def _cut(text):
    return text if len(text) <= _MAX_NAME else f"{text[: _MAX_NAME - 1]}…"
