"""Where who wrote a mail wants answers (RFC 5322, 3.6.2)."""

from ..message.header_text import one_line
from ..message.repair_charsets import decode_words
from .addresses import normalize_address
from .recipients import address_fields, parse_mailboxes

#: A name that is longer is none.
MAX_NAME = 100


def reply_mailboxes(fields):
    """Return the mailboxes in the Reply-To of a mail, but for those of a mailing list.

    A list that puts its own address there names it in List-Post too (RFC 2369): what is meant for
    who wrote would go to all of the list.

    :param list fields: (name, value) pairs of the header
    :return dict: the name, decoded, by normalized address, in the order found; empty where answers
        go to From
    """
    lists = address_fields(fields, ("list-post",))
    found = {}
    for name, value in fields:
        for mailbox in parse_mailboxes(str(value)) if name.lower() == "reply-to" else ():
            words = decode_words(" ".join(mailbox.words)) if mailbox.has_brackets else ""
            for address in map(normalize_address, mailbox.found):
                if address not in lists:
                    found.setdefault(address, one_line(words.replace('"', ""), MAX_NAME))
    return found
