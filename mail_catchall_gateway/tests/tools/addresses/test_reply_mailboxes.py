from hypothesis import given

from odoo.tests.common import BaseCase

from ....tools.addresses.reply_to import MAX_NAME, reply_mailboxes
from ...properties import anything, checked

CARL = "carl@visitor.example"


class TestReplyMailboxes(BaseCase):
    def test_mailboxes(self):
        for value, expected in [
            ("", {}),
            (CARL, {CARL: ""}),
            ("Carl C <Carl@Visitor.example>", {CARL: "Carl C"}),
            ('"C, Carl" <carl@visitor.example>', {CARL: "C, Carl"}),
            ("=?utf-8?q?C=C3=A4rl?= <carl@visitor.example>", {CARL: "Cärl"}),
            # what an encoded word hides is a name
            ("=?utf-8?q?john=40acme.com=2C?= <carl@visitor.example>", {CARL: "john@acme.com,"}),
            ("=?utf-8?q?a=0AX-Evil:_1?= <carl@visitor.example>", {CARL: "a X-Evil: 1"}),
            (f"{'x' * 200} <{CARL}>", {CARL: "x" * MAX_NAME}),
            (f"{CARL}, Bob <bob@visitor.example>", {CARL: "", "bob@visitor.example": "Bob"}),
            (f"{CARL}, list@lists.example", {CARL: ""}),
            ("list@lists.example", {}),
            ("nobody", {}),
            ("<>", {}),
        ]:
            with self.subTest(value=value):
                fields = [("List-Post", "<mailto:list@lists.example>"), ("Reply-To", value)]
                self.assertEqual(reply_mailboxes(fields), expected)

    @checked
    @given(anything)
    def test_anything_is_read(self, value):
        for address, name in reply_mailboxes([("reply-to", value)]).items():
            self.assertIn("@", address)
            self.assertNotIn("\n", name)
