"""A real SMTP server for the tests, as strict as those of providers."""

import contextlib
import dataclasses
import email
import email.policy
import logging
import re
import socket
import warnings
from unittest.mock import patch

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from odoo.tests.common import HOST


@dataclasses.dataclass
class Left:
    """One mail that the relay took."""

    envelope_from: str
    recipients: list
    raw: bytes

    @property
    def mail(self):
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def header_from(self):
        return str(self.mail["From"])


class Relay:
    """Takes only mail of some senders; may replace what a thread is known by.

    Arguments:
        accepted (str): regular expression for addresses in the envelope and in From, Sender and
            Return-Path; those that do not match are refused, as FACTS.md section 4 has it
        rewrites (bool): gives every mail another Message-Id, and no References
    """

    def __init__(self, accepted=".*", rewrites=False):
        self.accepted = re.compile(accepted)
        self.rewrites = rewrites
        self.left, self.refused = [], []

    def _refuse(self, answer, address):
        self.refused.append(address)
        return answer % address

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if not self.accepted.fullmatch(address):
            return self._refuse(
                "553 5.7.1 <%s>: Sender address rejected: not owned by user", address
            )
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content)
        values = [mail[name] for name in ("From", "Sender", "Return-Path") if mail[name]]
        if not mail["From"]:
            return self._refuse("550 5.7.0 no From%s", "")
        for _name, address in email.utils.getaddresses(values):
            if not self.accepted.fullmatch(address):
                return self._refuse(
                    "550 5.7.60 SMTP; Client does not have permissions to send as this sender %s",
                    address,
                )
        raw = envelope.content
        if self.rewrites:
            del mail["Message-Id"], mail["References"], mail["X-Odoo-Message-Id"]
            mail["Message-Id"] = email.utils.make_msgid(domain="relay.example")
            raw = mail.as_bytes()
        self.left.append(Left(envelope.mail_from, list(envelope.rcpt_tos), raw))
        return "250 OK"


class _Controller(Controller):
    def factory(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SMTP(self.handler)


@contextlib.contextmanager
def running(env, relay):
    """Run a relay, let Odoo send in tests, and yield the port."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    controller = _Controller(relay, hostname=HOST, port=port)
    controller.start()
    try:
        with patch.object(type(env["ir.mail_server"]), "_is_test_mode", lambda self: False):
            yield port
    finally:
        controller.stop()
