import os

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon

QUEUE = "odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_queue"
CORE = "odoo.addons.base.models.ir_attachment"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestMissingSource(ReviewCommon):
    """A backup without its filestore, a disk that is not mounted: core reads empty files."""

    def lose_source(self, inbound):
        """Remove the file that holds the source of a mail."""
        attachment = inbound.sudo()._get_source_attachments()
        os.unlink(attachment._full_path(attachment.store_fname))
        self.env.invalidate_all()

    def test_no_empty_mail_is_delivered_in_its_place(self):
        env = self.enter_committing()
        mail = self.make_mail(self.john.alias_email)
        inbound = env["mail.catchall.inbound"]._store([(mail.as_bytes(), {"state": "pending"})])
        attachment = inbound._get_source_attachments()
        path = attachment._full_path(attachment.store_fname)
        os.rename(path, f"{path}.away")
        with mute_logger(QUEUE, CORE):
            env["mail.catchall.queue"]._process_waiting()
        self.assertEqual(inbound.state, "pending")
        self.assertIn("Bicycles", inbound.reason)
        self.assertIn("filestore", inbound.reason)
        # it is there again
        os.rename(f"{path}.away", path)
        inbound.next_attempt = False
        env["mail.catchall.queue"]._process_waiting()
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertIn("Two, please.", inbound.mail_message_ids.body)

    @mute_logger(CORE)
    def test_managers_are_told(self):
        inbound = self.receive_typo()
        self.lose_source(inbound)
        self.assertIn("filestore", inbound.preview)
        self.assertIn("filestore", inbound.header_text)
        for action in ("action_process", "action_accept", "action_block_sender", "_open_source"):
            with self.subTest(action), self.assertRaises(UserError) as caught:
                getattr(inbound, action)()
            self.assertIn("filestore", str(caught.exception))
        with self.assertRaises(UserError):
            self.route(inbound, user_id=self.john)
        self.assertVerdict(inbound, "review", "unrouted")
        inbound.action_discard()
        self.assertEqual(inbound.state, "discarded")
