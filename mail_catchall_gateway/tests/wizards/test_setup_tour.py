import time
from unittest.mock import Mock

from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged

from ..common import patch


def connect(server, allow_archived=False):
    """Log in as the mailbox of the tour does: with one password only."""
    if server.password != "right":
        raise RuntimeError("[AUTHENTICATIONFAILED] Authentication failed")
    connection = Mock()
    connection.list.return_value = ("OK", [rb'(\HasNoChildren) "/" "INBOX"'])
    return connection


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSetupTour(HttpCase):
    """The guide in a browser, up to the test mail.

    The servers are played: while tests run, core opens no SMTP connection (``_is_test_mode``), and
    what a test writes is never committed, so that no mail could be fetched. With real Postfix and
    Dovecot the guide is tested in ``e2e/test_setup_guide.py``.
    """

    def test_an_administrator_sets_the_gateway_up(self):
        self.env["fetchmail.server"].search([]).unlink()
        self.env["ir.mail_server"].search([]).active = False
        self.env["res.company"].search([]).alias_domain_id = False
        users = self.env["res.users"].search([("alias_id", "!=", False)])
        aliases, users.alias_id = users.alias_id, False
        aliases.unlink()
        with (
            patch.object(type(self.env["fetchmail.server"]), "connect", connect),
            patch.object(type(self.env["ir.mail_server"]), "test_smtp_connection"),
        ):
            self.start_tour(
                "/web#action=base_setup.action_general_configuration",
                "catchall_setup_guide",
                login="admin",
            )
        guide = self.env["mail.catchall.setup"].search([])
        self.assertEqual(guide.alias_domain_id.name, "tour.example")
        self.assertEqual(guide.company_id.alias_domain_id.name, "tour.example")
        self.assertTrue(guide.mailbox_id.is_catchall)
        self.assertEqual(guide.mailbox_id.state, "done")
        self.assertTrue(guide.smtp_id.active)
        self.assertTrue(self.env.ref("base.user_admin").alias_email.endswith("@tour.example"))
        self.assertEqual(guide.step, "test")

    def test_a_question_that_fails_is_asked_once(self):
        admin = self.env.ref("base.user_admin")
        guides = self.env["mail.catchall.setup"].with_company(admin.company_id)
        guide = guides.browse(guides.action_open()["res_id"])
        guide.write({"step": "test", "test_state": "waiting", "probe_started": time.time()})
        asked = []

        def ask(guide):
            asked.append(guide)
            raise UserError("The mailbox is gone")

        with patch.object(type(guide), "action_check_now", ask):
            self.browser_js(
                f"/web#model={guide._name}&id={guide.id}&view_type=form",
                # twice the pause after which it was asked again
                """setTimeout(() => {
                    const dialogs = document.querySelectorAll(".o_dialog").length;
                    console[dialogs === 1 ? "log" : "error"](
                        dialogs === 1 ? "test successful" : `${dialogs} dialogs`
                    );
                }, 8000)""",
                ready="document.querySelector('.o_catchall_probe') !== null",
                login="admin",
            )
        self.assertEqual(len(asked), 1)
