import datetime
import itertools
import logging

from odoo import fields
from odoo.tests import tagged

from ...tools.addresses.signed_address import SignedAddress
from ...tools.mailbox.mailbox import FetchResult
from ...tools.pauses import growing_pauses
from ..common import CatchallCommon, patch

LOGGER = "odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_inbound"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestListener(CatchallCommon):
    """What the listener asks of the models. The process itself: e2e/test_listener.py."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inbounds = cls.env["mail.catchall.inbound"]
        cls.servers = cls.env["fetchmail.server"]
        cls.servers.with_context(active_test=False).search([]).write({"is_catchall": False})
        cls.alias_domain = cls.mail_alias_domain
        cls.alias_domain.write(
            {"unrouted_policy": "bounce", "accepted_domain_names": "accepted.example"}
        )
        cls.team_alias = cls._create_team_alias()

    def refuse(self, local_part, domain=None, server=None):
        address = f"{local_part}@{domain or self.domain}"
        return self.env["mail.catchall.rejection"]._refuse_recipient(
            address, server or self.servers
        )

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def test_addresses_that_somebody_has(self):
        signed = SignedAddress("reply", 1)
        self.alias_domain.signed_reply_to = True
        signer = self.alias_domain._get_signer("res.partner")
        address = self.alias_domain._sign_address(self.team_alias.alias_full_name, signed, signer)
        for local_part in [
            "john.doe",
            "John.Doe",
            "john.doe+invoices",
            "team",
            self.alias_domain.catchall_alias,
            self.alias_domain.bounce_alias,
            address.partition("@")[0],
        ]:
            with self.subTest(local_part=local_part):
                self.assertEqual(self.refuse(local_part), "")
                self.assertEqual(self.refuse(local_part, "accepted.example"), "")

    def test_addresses_that_nobody_has(self):
        john = self.john.alias_email
        for local_part, suggestion in [
            ("jon.doe", john),
            ("jon.doe+invoices", john),
            ("tema", self.team_alias.alias_full_name),
            ("somebody.else", ""),
            ("reply.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""),
        ]:
            for domain in (self.domain, "accepted.example"):
                with self.subTest(local_part=local_part, domain=domain):
                    refusal = self.refuse(local_part, domain)
                    self.assertTrue(refusal.startswith("550 5.1.1 "), refusal)
                    self.assertEqual("Did you mean" in refusal, bool(suggestion))
                    self.assertIn(suggestion, refusal)

    def test_only_where_the_sender_would_be_told_anyway(self):
        self.assertEqual(self.refuse("somebody", "elsewhere.example"), "")
        self.alias_domain.unrouted_autocorrect = True
        self.assertEqual(self.refuse("jon.doe"), "", "it is delivered to John")
        self.assertTrue(self.refuse("somebody.else"))
        mailbox = self._create_mailbox(object_id=self.env["ir.model"]._get_id("res.partner"))
        self.assertEqual(self.refuse("somebody.else", server=mailbox), "", "a document is made")
        self.alias_domain.unrouted_policy = "review"
        self.assertEqual(self.refuse("somebody.else"), "")

    def test_who_left_is_told_of_unless_somebody_follows(self):
        self.john.active = False
        refusal = self.refuse("john.doe")
        self.assertTrue(refusal.startswith("550 5.1.1 "))
        self.assertNotIn("john.doe", refusal)
        self.john.alias_delegate_id = self.jane
        self.assertEqual(self.refuse("john.doe"), "")

    def test_a_mail_is_one_row_for_all_its_recipients(self):
        env = self.enter_committing()
        recipients = [self.john.alias_email, self.jane.alias_email]
        raw = self.make_mail(recipients[0]).as_bytes()
        with self.assertLogs(LOGGER, logging.INFO) as log:
            reply = env["mail.catchall.inbound"]._receive_by_lmtp(
                raw, "mary@customer.example", recipients, False
            )
        self.assertTrue(reply.startswith("250 2.1.5 "))
        inbound = self.inbounds.search([], order="id desc", limit=1)
        self.assertEqual(inbound.envelope_to, ", ".join(recipients))
        self.assertIn("mary@customer.example", log.output[-1])
        self.assertIn(inbound.message_id, log.output[-1])
        self.assertNotIn("Two, please", "".join(log.output))

    # ------------------------------------------------------------
    # MAILBOXES
    # ------------------------------------------------------------

    def test_which_mailboxes_are_watched(self):
        mailbox = self._create_mailbox(state="done", server="mx.invalid", port=143)
        settings = self.servers._get_watched()
        self.assertEqual(list(settings), [mailbox.id])
        mailbox.last_error = "not reached"
        self.assertEqual(self.servers._get_watched(), settings, "what happens changes nothing")
        mailbox.port = 993
        self.assertNotEqual(self.servers._get_watched(), settings)
        for values in (
            {"active": False},
            {"active": True, "state": "draft"},
            {"state": "done", "is_catchall": False},
            {"is_catchall": True, "server_type": "pop"},
        ):
            with self.subTest(values=values):
                mailbox.write(values)
                self.assertFalse(self.servers._get_watched())

    def test_listeners_hear_of_changes(self):
        mailbox = self._create_mailbox()
        for change, expected in [
            (lambda: mailbox.write({"active": False}), True),
            (lambda: mailbox.write({"password": "new"}), True),
            (lambda: mailbox.write({"last_error": "not reached"}), False),
            (lambda: self._create_mailbox(name="Another"), True),
            (mailbox.unlink, True),
        ]:
            # that it arrives: e2e/test_listener.py
            with patch.object(type(self.servers), "_notify_listeners") as notify:
                change()
            self.assertEqual(notify.called, expected)

    def test_the_size_that_mail_may_have(self):
        small = self._create_mailbox(max_message_size=5)
        large = self._create_mailbox(max_message_size=20)
        self.assertEqual(self.servers._get_listener_size(), 20)
        self.assertEqual(small._get_listener_size(), 5)
        large.max_message_size = 0
        self.assertEqual(self.servers._get_listener_size(), 0, "one takes any size")
        self.assertEqual(small._get_listener_size(), 5)

    def test_when_a_mailbox_is_tried_again(self):
        mailbox = self._create_mailbox(state="done")

        def fetch(result):
            cls = type(self.servers)
            with patch.object(cls, "_fetch_catchall", lambda _server, _until: result):
                return mailbox._fetch_for_listener()

        self.assertIsNone(fetch(FetchResult("fetched", 3)))
        self.assertEqual(fetch(FetchResult("fetched", 3, has_more=True)), 0)
        self.assertEqual(fetch(FetchResult("busy")), 1)
        mailbox.next_fetch = fields.Datetime.now() + datetime.timedelta(minutes=5)
        self.assertAlmostEqual(fetch(None), 300, delta=5)

    def test_pauses_grow(self):
        pauses = list(itertools.islice(growing_pauses(60), 8))
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60])
