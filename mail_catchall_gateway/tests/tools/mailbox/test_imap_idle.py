import contextlib
import imaplib
import socket
import threading

from odoo.tests.common import BaseCase, tagged

from ....tools.mailbox import imap_idle
from ....tools.mailbox.imap_idle import WatchedFolder
from ....tools.mailbox.mailbox import MailboxError
from ...common import patch

GREETING = b"* OK hello\r\n"
IDLE_SERVER = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n%s OK done\r\n",
    b"EXAMINE": b"* 2 EXISTS\r\n%s OK done\r\n",
    b"LOGOUT": b"* BYE\r\n%s OK done\r\n",
    b"NOOP": b"%s OK done\r\n",
    b"DONE": b"%s OK done\r\n",
}


class OddServer:
    """Says what Dovecot never does: a reply for each command, with the tag put in."""

    def __init__(self, **replies):
        replies = {name.encode(): reply for name, reply in replies.items()}
        self.replies = {**IDLE_SERVER, **replies}
        self.commands = []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def __exit__(self, *_exc):
        self.listener.close()
        self.thread.join()

    def _serve(self):
        client, _address = self.listener.accept()
        with client, client.makefile("rwb", 0) as file, contextlib.suppress(OSError):
            file.write(GREETING)
            tag = b""
            while line := file.readline():
                words = line.split()
                name = words[0] if words == [b"DONE"] else words[1]
                tag = tag if name == b"DONE" else words[0]
                self.commands.append(name)
                reply = self.replies[name]
                if reply is None:
                    return
                file.write(reply.replace(b"%s", tag))

    def connect(self):
        return imaplib.IMAP4("127.0.0.1", self.listener.getsockname()[1])


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestImapIdle(BaseCase):
    """Waiting for news, where a server is odd; with Dovecot: e2e/test_listener.py."""

    @contextlib.contextmanager
    def watching(self, **replies):
        wake, self.waker = socket.socketpair()
        with OddServer(**replies) as server, wake, self.waker:
            connection = server.connect()
            try:
                connection.state = "AUTH"  # the server asks for no password
                yield WatchedFolder(connection, "INBOX", wake, poll_seconds=0.01), server
            finally:
                with contextlib.suppress(OSError):  # closed already
                    connection.shutdown()

    def test_news(self):
        for reply, expected in [
            (b"+ idling\r\n* 3 EXISTS\r\n", True),
            (b"* 3 EXISTS\r\n+ idling\r\n", True),
            (b"+ idling\r\n* OK Still here\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 EXISTS\r\n", True),
            (b"+ idling\r\n* 2 EXPUNGE\r\n", False),
            (b"+\r\n", False),
        ]:
            with self.subTest(reply=reply), self.watching(IDLE=reply) as (folder, server):
                self.assertEqual(folder.wait(60 if expected else 0.01), expected)
                self.assertEqual(server.commands[-2:], [b"IDLE", b"DONE"])

    def test_news_at_the_end_of_an_idle(self):
        replies = {"IDLE": b"+\r\n", "DONE": b"* 3 EXISTS\r\n%s OK done\r\n"}
        with self.watching(**replies) as (folder, _server):
            self.assertTrue(folder.wait(0.01))

    def test_it_can_be_woken(self):
        with self.watching(IDLE=b"+ idling\r\n") as (folder, _server):
            self.waker.send(b".")
            self.assertFalse(folder.wait(60))

    def test_a_server_that_takes_its_promise_back_is_asked(self):
        with self.watching(IDLE=b"%s NO not now\r\n") as (folder, server):
            self.assertFalse(folder.wait(60))
            self.assertFalse(folder.wait(60))
            self.assertEqual(server.commands[-3:], [b"IDLE", b"NOOP", b"NOOP"])

    def test_a_server_without_idle_is_asked(self):
        replies = {"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n%s OK done\r\n"}
        replies["NOOP"] = b"* 3 EXISTS\r\n%s OK done\r\n"
        with self.watching(**replies) as (folder, server):
            self.assertTrue(folder.wait(60))
            self.assertNotIn(b"IDLE", server.commands)

    def test_a_connection_that_is_over(self):
        for replies in (
            {"IDLE": None},
            {"IDLE": b"* BYE so long\r\n"},
            {"IDLE": b"+ idling\r\n* BYE so long\r\n"},
            {"IDLE": b"+ idling\r\n", "DONE": None},
        ):
            with self.subTest(replies=replies), self.watching(**replies) as (folder, _server):
                with self.assertRaises(imaplib.IMAP4.abort):
                    folder.wait(0.01 if "DONE" in replies else 60)
                folder.close()

    def test_a_server_that_answers_no_more(self):
        with patch.object(imap_idle, "ANSWER_SECONDS", 0.05):
            with self.watching(IDLE=b"* OK wait\r\n") as (folder, _server):
                with self.assertRaisesRegex(imaplib.IMAP4.abort, "does not answer"):
                    folder.wait(60)

    def test_a_folder_that_is_not_there(self):
        with self.assertRaisesRegex(MailboxError, "no such folder"):
            with self.watching(EXAMINE=b"%s NO no such folder\r\n"):
                pass
