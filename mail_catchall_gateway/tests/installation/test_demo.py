from odoo.tests import tagged
from odoo.tools import convert_file

from ..common import CatchallCommon

MODULE = "mail_catchall_gateway"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDemo(CatchallCommon):
    """A database with demo data shows every screen alive, and reaches nobody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.marc = cls.env.ref("base.user_demo", raise_if_not_found=False)
        if not cls.marc:  # a database without demo data
            cls.marc = cls._create_user("Marc", "Demo", alias_name=False)
            cls.env["ir.model.data"]._update_xmlids(
                [{"xml_id": "base.user_demo", "record": cls.marc}]
            )

    @classmethod
    def _forget_demo_data(cls):
        """Keep them: they are what is tested."""

    def find(self, name):
        """Return the inbound email that one of the files became."""
        found = self.env["mail.catchall.inbound"].search(
            [("message_id", "=like", f"<demo-{name}@%")]
        )
        self.assertEqual(len(found), 1, name)
        return found

    def load(self):
        """Load the demo data, if the database is not made with it."""
        if not self.env.ref(f"{MODULE}.fetchmail_server_demo", raise_if_not_found=False):
            path = f"demo/{MODULE}_demo.xml"
            with self.mock_mail_gateway(mail_unlink_sent=True):
                convert_file(self.env, MODULE, path, {}, mode="init", noupdate=True)
            self.assertFalse(self.emails)

    def test_demo_data(self):
        self.load()
        for name, state, code in (
            ("order", "delivered", "user_alias"),
            ("order_thanks", "delivered", "reply"),
            ("out_of_office", "delivered", "auto_reply"),
            ("meeting", "delivered", "user_alias"),
            ("blind_copy", "delivered", "user_alias"),
            ("invoice", "delivered", "user_alias"),
            ("new_contact", "delivered", "alias"),
            ("typing_error", "review", "unrouted"),
            ("unknown", "review", "unrouted"),
            ("spam", "review", "spam"),
            ("forged", "review", "sender_rejected"),
            ("to_catchall", "bounced", "unrouted"),
            ("blocked", "ignored", "sender_rejected"),
            ("elsewhere", "ignored", "foreign_domain"),
            ("discarded", "discarded", "unrouted"),
            ("failed", "failed", "error"),
        ):
            with self.subTest(name=name):
                self.assertVerdict(self.find(name), state, code)
        self.assertEqual(self.find("typing_error").suggested_alias_id, self.marc.alias_id)
        conversation = self.find("order").conversation_id
        self.assertEqual(conversation.user_ids, self.marc)
        written = conversation.message_ids.sorted("id").mapped("email_from")
        self.assertEqual([self.marc.alias_email in sender for sender in written].count(True), 1)
        self.assertEqual(len(self.find("meeting").conversation_id.user_ids), 2)
        queue = self.env["mail.mail"].search([("state", "=", "outgoing")])
        self.assertFalse(queue.filtered(lambda mail: ".example" in (mail.email_to or "")))
        mailbox = self.env.ref(f"{MODULE}.fetchmail_server_demo")
        self.assertEqual(mailbox.state, "draft")
        self.assertFalse(self.env.ref(f"{MODULE}.ir_mail_server_demo").active)
