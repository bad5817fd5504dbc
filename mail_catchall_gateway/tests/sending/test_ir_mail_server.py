"""What leaves through a relay that accepts only our own addresses: a real one."""

import inspect
from email.message import EmailMessage
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import config, mute_logger

from odoo.addons.base.models import ir_mail_server as core

from ...models.sending import ir_mail_server as ours
from .. import smtp_relay as relays
from ..common import CatchallCommon

POLICIES = ("native", "dynamic", "forced")
PLACES = ("domain", "server", "parameter")


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestIrMailServer(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = f"outgoing@{cls.domain}"
        cls.bounce = cls.mail_alias_domain.bounce_email
        cls.default_from = cls.mail_alias_domain.default_from_email
        cls.jim = cls._create_user("Jim", "Poe", alias_name=False)
        (cls.john | cls.jim).groups_id += cls.env.ref("base.group_partner_manager")
        cls.document = cls._create_document(email="contact@customer.example")
        cls.document.message_subscribe(cls.document.ids)
        cls.contact = cls.document.email_normalized
        cls.env["ir.config_parameter"].search([("key", "like", "mail.%.smtp.from")]).unlink()

    def setUp(self):
        super().setUp()
        self.relay_server = relays.Relay(rf"[^@\s]+@{self.domain}")
        running = relays.running(self.env, self.relay_server)
        self.relay.write({"smtp_host": relays.HOST, "smtp_port": running.__enter__()})
        self.addCleanup(running.__exit__, None, None, None)

    # ------------------------------------------------------------
    # SENDERS
    # ------------------------------------------------------------

    def send_of_john(self):
        """A user with a messaging alias writes on a document."""
        self._post(self.john)

    def send_of_jim(self):
        """A user without one."""
        self._post(self.jim)

    def send_of_odoobot(self):
        """Odoo itself."""
        self.document.with_user(self.env.ref("base.user_root")).message_post(
            body="Done", partner_ids=self.document.ids
        )

    def send_of_customer(self):
        """An answer from outside, sent on to the followers."""
        self.document.message_post(
            body="Yes", message_type="email", subtype_xmlid="mail.mt_comment",
            email_from=self.customer, author_id=False,
        )  # fmt: skip

    def send_of_template(self):
        """A template that names the user's own address, through the queue."""
        template = self.env["mail.template"].create(
            {
                "name": "Offer",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "email_from": "{{ user.email_formatted }}",
                "email_to": self.contact,
                "subject": "Offer",
                "body_html": "<p>Bicycles</p>",
            }
        )
        template.with_user(self.john).send_mail(self.document.id)

    def send_of_mailing(self):
        """A mass mailing, through the server that it names."""
        self.env["mail.mail"].create(
            {
                "email_from": f'"Acme" <news@{self.domain}>',
                "email_to": self.contact,
                "subject": "News",
                "body_html": "<p>Bicycles</p>",
                "mail_server_id": self.relay.id,
            }
        )

    def send_of_bounce(self):
        """A rejection."""
        mail = self.make_mail(self.mail_alias_domain.catchall_email, f"Con <{self.contact}>")
        raw = mail.as_bytes()
        inbounds = self.env["mail.catchall.inbound"]
        inbounds.search([]).unlink()  # he is told once a day
        inbound = inbounds._store([(raw, {"state": "processing", "attempt_count": 1})])
        inbound.env["mail.catchall.queue"]._process_locked(inbound)

    def send_of_program(self):
        """A program that builds and sends a mail itself."""
        servers = self.env["ir.mail_server"]
        message = servers.build_email(
            self.john.email_formatted, [self.contact], "Direct", "Bicycles"
        )
        servers.send_email(message)

    def _post(self, user):
        self.document.with_user(user).message_post(
            body="Bicycles", message_type="comment", subtype_xmlid="mail.mt_comment"
        )

    def get_expected(self):
        """Return, for each sender, From under the three policies."""
        root = self.env.ref("base.partner_root")
        company = self.env.company.name

        def replaced(name, address):
            return f'"{name} ({address})" <{self.out}>'

        john = self.john.alias_email
        alias = f"John Doe <{john}>"
        daemon = f"MAILER-DAEMON <{self.bounce}>"
        jim = (f"Jim Poe <{self.default_from}>", *2 * [replaced("Jim Poe", "jim@home.example")])
        return {
            "john": (alias, alias, replaced("John Doe", john)),
            "jim": jim,
            "odoobot": (
                f"OdooBot <{self.default_from}>",
                *2 * [replaced("OdooBot", root.email_normalized)],
            ),
            "customer": (
                f"Mary Smith <{self.default_from}>",
                *2 * [replaced("Mary Smith", "mary@customer.example")],
            ),
            "template": (alias, alias, replaced("John Doe", john)),
            "mailing": (
                *2 * [f"Acme <news@{self.domain}>"],
                replaced("Acme", f"news@{self.domain}"),
            ),
            "bounce": (daemon, daemon, replaced("MAILER-DAEMON", self.bounce)),
            "program": (alias, alias, replaced("John Doe", john)),
        }, company

    # ------------------------------------------------------------
    # WHAT LEAVES
    # ------------------------------------------------------------

    def set_policy(self, policy, place):
        """Set a policy in one place, and another one where it must not count."""
        servers, domains = self.relay, self.mail_alias_domain
        set_param = self.env["ir.config_parameter"].set_param
        other = "forced" if policy != "forced" else "native"
        wrong = f"wrong@{self.domain}"
        values = {"from_policy": policy, "from_address": self.out}
        wrong_values = {"from_policy": other, "from_address": wrong}
        servers.write(values if place == "server" else {"from_policy": False, "from_address": ""})
        domains.write(values if place == "domain" else wrong_values)
        key = {"dynamic": "mail.dynamic.smtp.from", "forced": "mail.force.smtp.from"}
        set_param("mail.force.smtp.from", False)
        set_param("mail.dynamic.smtp.from", False)
        if place == "server":
            set_param("mail.force.smtp.from", wrong)
        elif place == "parameter" and policy == "native":
            domains.write({"from_policy": "native"})
        elif place == "parameter":
            set_param(key[policy], self.out)
            if policy == "forced":
                set_param(key["dynamic"], wrong)

    def leave(self, sender):
        """Let something be sent, and return what left for the contact."""
        self.relay_server.left.clear()
        self.env["mail.mail"].search([]).unlink()
        getattr(self, f"send_of_{sender}")()
        self.env["mail.mail"].process_email_queue()
        return [left for left in self.relay_server.left if self.contact in left.recipients]

    def test_nothing_is_refused_of_anybody_under_any_policy(self):
        expected, _company = self.get_expected()
        for place in PLACES:
            for number, policy in enumerate(POLICIES):
                self.set_policy(policy, place)
                for sender, rows in expected.items():
                    with self.subTest(place=place, policy=policy, sender=sender):
                        (left,) = self.leave(sender)
                        self.assertEqual(left.header_from, rows[number])
                        self.assertEqual(left.envelope_from, self.bounce)
                        self.assertFalse(self.relay_server.refused)
                        self.assertNotIn(b"@home.example", left.raw.split(b"\r\n\r\n")[0]
                                         if sender != "jim" else b"")  # fmt: skip

    # ------------------------------------------------------------
    # SERVERS
    # ------------------------------------------------------------

    def test_a_relay_of_one_account_gets_only_its_address(self):
        self.relay_server.accepted = relays.re.compile(relays.re.escape(self.out))
        self.relay.from_filter = self.out
        for policy in ("dynamic", "forced"):
            self.set_policy(policy, "domain")
            for sender in self.get_expected()[0]:
                with self.subTest(policy=policy, sender=sender):
                    (left,) = self.leave(sender)
                    self.assertEqual(left.envelope_from, self.out)
                    self.assertEqual(left.mail["From"].addresses[0].addr_spec, self.out)
                    self.assertFalse(self.relay_server.refused)

    def test_an_address_that_the_relay_refuses_is_what_policies_are_for(self):
        values = {
            "email_from": "Ann <ann@agency.example>",
            "email_to": self.contact,
            "body_html": "<p>News</p>",
            "mail_server_id": self.relay.id,
        }
        self.set_policy("native", "domain")
        with mute_logger("odoo.addons.mail.models.mail_mail"):
            mail = self.env["mail.mail"].create(values)
            mail.send()
        self.assertEqual(mail.state, "exception")
        self.assertTrue(self.relay_server.refused)
        for policy in ("dynamic", "forced"):
            self.set_policy(policy, "domain")
            self.env["mail.mail"].create(values).send()
            left = self.relay_server.left[-1]
            self.assertEqual(left.header_from, f'"Ann (ann@agency.example)" <{self.out}>')

    def test_a_bounce_address_that_is_not_ours_is_no_envelope_sender(self):
        self.relay.from_filter = False
        for policy in ("dynamic", "forced"):
            self.set_policy(policy, "domain")
            self.env["mail.mail"].create(
                {
                    "email_from": "Ann <ann@agency.example>",
                    "email_to": self.contact,
                    "headers": "{'Return-Path': 'verp@agency.example'}",
                }
            ).send()
            left = self.relay_server.left[-1]
            self.assertEqual((left.envelope_from, left.mail["Return-Path"]), (self.out, self.out))

    def test_an_answer_goes_to_who_was_there(self):
        self.set_policy("forced", "domain")
        self.leave("john")
        (left,) = self.relay_server.left
        catchall = self.mail_alias_domain.catchall_email
        self.assertEqual(left.mail["Reply-To"].addresses[0].addr_spec, catchall)
        message = EmailMessage()
        message["From"], message["To"] = "Ann <ann@agency.example>", self.contact
        self.env["ir.mail_server"].send_email(message)
        self.assertEqual(self.relay_server.left[-1].mail["Reply-To"], "Ann <ann@agency.example>")

    @mute_logger("odoo.addons.base.models.ir_mail_server")
    def test_the_server_is_that_of_the_address_as_which_mail_leaves(self):
        other = self.relay.copy({"from_filter": "elsewhere.example", "sequence": 1})
        self.relay.write({"from_filter": self.out, "sequence": 2})
        find = self.env["ir.mail_server"]._find_mail_server
        self.set_policy("native", "domain")
        self.assertEqual(find("Ann <ann@agency.example>")[0], other)
        by_core = find("Ann <ann@agency.example>", self.relay)
        self.set_policy("forced", "domain")
        self.assertEqual(find("Ann <ann@agency.example>")[0], self.relay)
        # a server that wants to be left alone gets what core would give it
        self.relay.from_policy = "native"
        self.assertEqual(find("Ann <ann@agency.example>"), by_core)
        self.assertEqual(by_core[0], self.relay)

    def test_each_company_sends_as_its_own_domain(self):
        second = self.mail_alias_domain_c2
        self.relay_server.accepted = relays.re.compile(rf"[^@\s]+@({self.domain}|{second.name})")
        self.relay.from_filter = f"{self.domain},{second.name}"
        self.set_policy("dynamic", "domain")
        second.write({"from_policy": "forced", "from_address": f"two@{second.name}"})
        for company, address, domain in (
            (self.company_admin, self.out, self.mail_alias_domain),
            (self.company_2, second.from_address, second),
        ):
            document = self._create_document(company_id=company.id, email=self.contact)
            with self.subTest(company=company.name):
                document.with_company(company).message_post(
                    body="Hello", partner_ids=document.ids, email_from="Ann <ann@agency.example>"
                )
                left = self.relay_server.left[-1]
                self.assertEqual(left.mail["From"].addresses[0].addr_spec, address)
                self.assertEqual(left.envelope_from, domain.bounce_email)

    def test_arguments_may_be_given_as_core_takes_them(self):
        for name in ("connect", "build_email"):
            ours_takes = inspect.signature(getattr(ours.IrMailServer, name))
            core_takes = inspect.signature(getattr(core.IrMailServer, name))
            self.assertEqual(ours_takes, core_takes, name)

    def test_the_configuration_of_the_command_line(self):
        port = self.relay.smtp_port
        self.set_policy("dynamic", "parameter")
        self.relay.active = False
        options = {"smtp_server": relays.HOST, "smtp_port": port, "from_filter": self.domain}
        with patch.dict(config.options, options):
            (left,) = self.leave("customer")
        self.assertEqual(left.header_from, self.get_expected()[0]["customer"][1])

    def test_the_connection_is_tested_with_the_address_that_will_be_used(self):
        self.relay.from_filter = False
        self.env.user.email = "admin@home.example"
        for policy, address in (("native", "admin@home.example"), ("dynamic", self.out)):
            self.set_policy(policy, "server")
            self.assertEqual(self.relay._get_test_email_from(), address)
        self.assertTrue(self.relay.test_smtp_connection())
