"""What people are told of fetching."""

import collections
import imaplib
import poplib
import socket
import ssl

from odoo import _

from ...tools.mailbox.mailbox import MailboxError
from ...tools.message.header_text import one_line


class FetchWords:
    """Says how fetching a mailbox went, and what an error means, in the language of the user."""

    def __init__(self, server):
        self.server = server
        self.env = server.env

    def describe_fetch(self, results, states):
        """Return how fetching mailboxes went.

        :param dict results: FetchResult by mailbox
        :param list states: of the inbound emails that it brought
        """
        count = collections.Counter(states)
        waiting = count["pending"] + count["processing"]
        parts = [
            _("%s stored", len(states)),
            _("%s delivered", count["delivered"]),
            count["review"] and _("%s for review", count["review"]),
            count["failed"] and _("%s failed", count["failed"]),
            count["ignored"] and _("%s ignored", count["ignored"]),
            count["bounced"] and _("%s sent back", count["bounced"]),
            waiting and _("%s still waiting", waiting),
        ]
        sentences = [", ".join(filter(None, parts)) + "."]
        for server, result in results.items():
            if result.code == "busy":
                sentences.append(_("%s is being fetched by somebody else.", server.name))
            elif result.text:
                sentences.append(f"{server.name}: {result.text}")
            if result.has_more:
                sentences.append(_("There is more: it goes on by itself."))
        return " ".join(sentences)

    def describe_error(self, error):
        """Return what an error means to an administrator who sets the mailbox up."""
        name, port, text = self.server.server, self.server.port, get_error_text(error)
        if isinstance(error, UnicodeEncodeError):
            # at the login; its arguments hold all that was to be sent, the password too
            return _("User and password can only have plain letters, digits and signs (ASCII).")
        if isinstance(error, socket.gaierror):
            return _("There is no mail server %(name)s: %(text)s", name=name, text=text)
        if isinstance(error, ssl.SSLError):
            return _("No secure connection to %(name)s: %(text)s", name=name, text=text)
        if isinstance(error, TimeoutError):
            return _("The mail server %s did not answer in time.", name)
        if isinstance(error, ConnectionRefusedError):
            return _(
                "The mail server %(name)s refused the connection at port %(port)s.",
                name=name,
                port=port,
            )
        if isinstance(error, (imaplib.IMAP4.abort, EOFError, ConnectionError)):
            return _("The connection to the mail server broke: %s", text)
        if isinstance(error, (imaplib.IMAP4.error, poplib.error_proto, MailboxError)):
            return _("The mail server answered: %s", text)
        return text


def get_error_text(error):
    """Return an error's text, where a library may have put what the server sent as bytes."""
    parts = [str(error)] if isinstance(error, (OSError, UnicodeError)) else error.args
    texts = (p.decode(errors="replace") if isinstance(p, bytes) else str(p) for p in parts)
    return one_line(" ".join(texts)) or type(error).__name__
