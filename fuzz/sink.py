"""Where mail that leaves ends."""

import logging
import socket

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


class Sink:
    """An SMTP server that takes everything."""

    def __init__(self):
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self.taken = []
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        self.controller = _Controller(self, hostname=HOST, port=self.port)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"


class _Server(SMTP):
    line_length_limit = 2**20  # what is too long is told by what is checked below


class _Controller(Controller):
    def factory(self):
        return _Server(self.handler, enable_SMTPUTF8=True)
