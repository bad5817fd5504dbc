import datetime
import os

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ...models.inbound import mail_catchall_retention as retention
from ..common import CatchallCommon, patch


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestRetention(CatchallCommon):
    """How long the sources of mails are kept."""

    def setUp(self):
        super().setUp()
        self.committing_env = self.enter_committing()
        self.model = self.committing_env["mail.catchall.inbound"]

    def store(self, state, days, number=0):
        mail = self.make_mail(self.john.alias_email, subject=f"{state} {days} {number}")
        inbound = self.model._store([(mail.as_bytes(), {"state": state})])
        date = fields.Datetime.now() - datetime.timedelta(days=days)
        self.model.env.cr.execute(
            "UPDATE mail_catchall_inbound SET write_date = %s WHERE id = %s", [date, inbound.id]
        )
        self.model.env.cr.commit()
        self.model.invalidate_model()
        return inbound

    def test_what_is_done_with_is_dropped_and_nothing_else(self):
        for state, days, is_kept in [
            ("delivered", 29, True),
            ("delivered", 31, False),
            ("ignored", 6, True),
            ("ignored", 8, False),
            ("bounced", 8, False),
            ("discarded", 8, False),
            ("pending", 1000, True),
            ("processing", 1000, True),
            ("review", 1000, True),
            ("failed", 1000, True),
        ]:
            with self.subTest(state=state, days=days):
                inbound = self.store(state, days)
                self.model.env["mail.catchall.retention"]._gc_sources()
                self.assertTrue(inbound.exists(), "what came in stays listed")
                self.assertEqual(bool(inbound._get_source()), is_kept)
                self.assertEqual(inbound.is_source_dropped, not is_kept)

    def test_the_days_are_a_setting_and_0_keeps_for_ever(self):
        parameters = self.committing_env["ir.config_parameter"]
        for value, is_kept in [
            ("3", False),
            ("0", True),
            ("1000", True),
            ("999999", True),
            ("", False),
            ("x", False),
        ]:
            with self.subTest(value=value):
                inbound = self.store("delivered", 40)
                parameters.set_param("mail_catchall_gateway.delivered_days", value)
                self.model.env["mail.catchall.retention"]._gc_sources()
                self.assertEqual(bool(inbound._get_source()), is_kept)
                inbound._get_source_attachments().unlink()
                inbound.is_source_dropped = True

    def test_the_settings_screen_keeps_a_zero(self):
        settings = self.committing_env["res.config.settings"].create({})
        self.assertEqual(
            (settings.catchall_delivered_days, settings.catchall_ignored_days), (30, 7)
        )
        settings.write({"catchall_delivered_days": 0, "catchall_ignored_days": 9})
        settings.set_values()
        settings = self.committing_env["res.config.settings"].create({})
        self.assertEqual((settings.catchall_delivered_days, settings.catchall_ignored_days), (0, 9))

    def test_in_batches_and_the_files_are_freed(self):
        inbounds = [self.store("ignored", 8, number) for number in range(5)]
        attachments = self.env["ir.attachment"].sudo()
        names = [inbound._get_source_attachments().store_fname for inbound in inbounds]
        paths = [attachments._full_path(name) for name in names]
        self.assertTrue(all(map(os.path.exists, paths)))
        with patch.object(retention, "GC_BATCH", 2):
            self.model.env["mail.catchall.retention"]._gc_sources()
        self.assertTrue(all(inbound.is_source_dropped for inbound in inbounds))
        self.model.env.flush_all()
        self.model.env["ir.attachment"]._gc_file_store_unsafe()
        self.assertFalse(any(map(os.path.exists, paths)))

    @mute_logger("odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_review")
    def test_nobody_decides_about_what_has_no_source(self):
        inbound = self.store("ignored", 8)
        self.assertTrue(inbound.is_reviewable)
        self.model.env["mail.catchall.retention"]._gc_sources()
        self.assertFalse(inbound.is_reviewable)
        with self.assertRaises(UserError) as caught:
            inbound.with_user(self.committing_env.ref("base.user_admin")).action_process()
        self.assertIn("not kept", str(caught.exception))
