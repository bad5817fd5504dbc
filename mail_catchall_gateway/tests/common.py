"""Shared by the tests: users with messaging aliases, and mails on their way in and out."""

import email
import email.message
import email.policy
import email.utils
from unittest.mock import Mock, patch

from odoo.tests import Form

from odoo.addons.mail.tests.common import MailCommon, mail_new_test_user


class CatchallCommon(MailCommon):
    """Two users with messaging aliases in the domain of the main company."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain = cls.mail_alias_domain.name
        cls._forget_demo_data()
        # what leaves must not depend on the servers that the database happens to have
        cls.env["ir.mail_server"].search([]).write({"active": False})
        cls.relay = cls.env["ir.mail_server"].create(
            {"name": "Relay", "smtp_host": "relay.invalid", "from_filter": cls.domain}
        )
        cls.john = cls._create_user("John", "Doe")
        cls.jane = cls._create_user("Jane", "Roe")
        cls.customer = "Mary Smith <mary@customer.example>"

    @classmethod
    def _forget_demo_data(cls):
        """Let what the database was made with not be counted."""
        for name in ("inbound", "conversation", "blocked"):
            model = cls.env[f"mail.catchall.{name}"].with_context(active_test=False)
            model.search([]).unlink()

    @classmethod
    def _create_user(cls, first, last, **values):
        values = {
            "login": first.lower(),
            "name": f"{first} {last}",
            "email": f"{first.lower()}@home.example",
            "groups": "base.group_user",
            "notification_type": "inbox",
            "signature": False,
            "company_id": cls.company_admin.id,
            "alias_name": f"{first}.{last}".lower(),
            **values,
        }
        return mail_new_test_user(cls.env, **values)

    @classmethod
    def _create_document(cls, name="A document", **values):
        """Return a document with a chatter: a contact, which every employee may read."""
        return cls.env["res.partner"].create({"name": name, **values})

    @classmethod
    def _hide_document(cls, document, group="base.group_user"):
        """Let the users of a group not read a document."""
        cls.env["ir.rule"].create(
            {
                "name": "Hidden",
                "model_id": cls.env["ir.model"]._get_id(document._name),
                "domain_force": [("id", "!=", document.id)],
                "groups": [(4, cls.env.ref(group).id)],
            }
        )

    @classmethod
    def _create_team_alias(cls, name="team", **values):
        """Return an alias that creates contacts."""
        values["alias_model_id"] = cls.env["ir.model"]._get_id("res.partner")
        return cls.env["mail.alias"].create({"alias_name": name, **values})

    @classmethod
    def _create_mailbox(cls, **values):
        """Return a catch-all mailbox that nothing is fetched from."""
        values = {"name": "Catch-all", "user": f"mailbox@{cls.domain}", **values}
        values.setdefault("server_type", "imap")  # not the default of all builds
        return cls.env["fetchmail.server"].create({"is_catchall": True, **values})

    def _create_settings(self, **values):
        """Return the settings of the main company, as the screen fills them in."""
        values = {"company_id": self.company_admin.id, **values}
        return self.env["res.config.settings"].create(values)

    def assertVerdict(self, inbound, state, code):
        self.assertEqual((inbound.state, inbound.verdict_code), (state, code), inbound.reason)

    # ------------------------------------------------------------
    # MAIL
    # ------------------------------------------------------------

    def make_mail(self, to, sender=None, subject="Bicycles", text="Two, please.", **headers):
        """Return a mail as ``EmailMessage``; ``in_reply_to`` becomes ``In-Reply-To``."""
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["From"] = sender or self.customer
        message["To"] = to
        message["Subject"] = subject
        message["Message-Id"] = email.utils.make_msgid(domain="customer.example")
        for name, value in headers.items():
            name = name.replace("_", "-").title()
            del message[name]
            message[name] = value
        message.set_content(text)
        return message

    def receive(self, mail, recipients=(), server=None):
        """Store a mail and process it, as the queue does; the mail it causes is sent.

        :param recipients: envelope recipients; without them the header tells
        :return: the inbound email; what left is in ``self.emails``
        """
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        values = {
            "envelope_to": ", ".join(recipients),
            "server_id": server and server.id,
            "state": "processing",
            "attempt_count": 1,
        }
        inbound = self.env["mail.catchall.inbound"]._store([(raw, values)])
        with self.mock_mail_gateway():
            inbound.env["mail.catchall.queue"]._process_locked(inbound)
            self.env["mail.mail"].process_email_queue()
        self.assertNothingLeaked()
        return inbound

    def post(self, conversation, user, body, **values):
        """Post as a user, and send what it causes."""
        with self.mock_mail_gateway():
            message = conversation.with_user(user).message_post(
                body=body, message_type="comment", subtype_xmlid="mail.mt_comment", **values
            )
        self.assertNothingLeaked()
        return message

    def sent_to(self, address):
        """Return the mails that left for an address, parsed."""
        return [
            email.message_from_string(sent["message"], policy=email.policy.default)
            for sent in self.emails
            if address in sent["smtp_to_list"]
        ]

    def assertFrom(self, sent, user):
        """Assert that a mail's only From is a user with his messaging alias."""
        (address,) = sent["From"].addresses
        self.assertEqual((address.display_name, address.addr_spec), (user.name, user.alias_email))

    def make_bounce(self, sent, address):
        """Return the report (RFC 3464) that ``address`` does not exist, about a mail that left."""
        report = email.message.EmailMessage(policy=email.policy.SMTP)
        report["From"] = "Mail Delivery System <MAILER-DAEMON@mx.example>"
        report["To"] = self.mail_alias_domain.bounce_email
        report["Subject"] = "Undelivered Mail Returned to Sender"
        report["Message-Id"] = email.utils.make_msgid(domain="mx.example")
        report["Auto-Submitted"] = "auto-replied"
        report["Content-Type"] = 'multipart/report; report-type=delivery-status; boundary="b"'
        report.set_payload(
            "--b\r\nContent-Type: text/plain\r\n\r\n"
            f"<{address}>: no such user\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Reporting-MTA: dns; mx.example\r\n\r\n"
            f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            f"Message-Id: {sent['Message-Id']}\r\n--b--\r\n"
        )
        return report

    def assertNotLeaked(self, address, to):
        """Assert that nothing that left for ``to`` shows ``address`` anywhere."""
        for sent in self.emails:
            if to not in sent["smtp_to_list"]:
                continue
            self.assertNotIn(address, sent["smtp_from"])
            message = email.message_from_string(sent["message"], policy=email.policy.default)
            for part in message.walk():
                for name, value in part.items():
                    self.assertNotIn(address, value, name)
                if part.get_content_maintype() == "text":
                    self.assertNotIn(address, part.get_content())
                elif not part.is_multipart():
                    self.assertNotIn(address.encode(), part.get_payload(decode=True))

    def assertNothingLeaked(self):
        """Assert that the own address of no user is anywhere in what left for anybody outside.

        Called for every mail of every test.
        """
        users = self.env["res.users"].with_context(active_test=False).search([])
        own = set(users.filtered("alias_id").mapped("email_normalized")) - {False}
        for sent in self.emails:
            for recipient in set(sent["smtp_to_list"]) - own:
                for address in own:
                    self.assertNotLeaked(address, recipient)

    def inbox(self, user):
        """Return the messages in a user's Inbox in Discuss."""
        return self.env["mail.message"].with_user(user).search([("needaction", "=", True)])

    def enter_committing(self):
        """Return an environment whose commits and rollbacks are those of a savepoint."""
        self.registry.enter_test_mode(self.cr)
        self.addCleanup(self.registry.leave_test_mode)
        cr = self.registry.cursor()
        self.addCleanup(cr.close)
        return self.env(cr=cr)


class ReviewCommon(CatchallCommon):
    """A manager of the gateway, and mail that waits for them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls._create_user(
            "Max", "Moe", groups="base.group_user,mail_catchall_gateway.group_catchall_manager"
        )
        cls.typo = f"jon.doe@{cls.domain}"

    def receive_typo(self, **values):
        """Return a mail that waits for review, for the manager."""
        inbound = self.receive(self.make_mail(self.typo, **values))
        self.assertVerdict(inbound, "review", "unrouted")
        return inbound.with_user(self.manager)

    def act(self, inbounds, action):
        """Press a button, and send what it causes."""
        with self.mock_mail_gateway():
            result = getattr(inbounds, action)()
            self.env["mail.mail"].process_email_queue()
        self.assertNothingLeaked()
        return result

    def route(self, inbounds, **values):
        """Fill in and press the buttons of the dialog *Deliver To*."""
        action = inbounds.action_route()
        form = Form(
            self.env[action["res_model"]].with_user(self.manager).with_context(**action["context"])
        )
        for name, value in values.items():
            setattr(form, name, value)
        return self.act(form.save(), "action_apply")


class SetupCommon(CatchallCommon):
    """The set-up guide with servers that are played; it meets real ones in e2e."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": cls.company_admin.ids})
        cls.env["fetchmail.server"].search([]).unlink()
        action = cls.env["mail.catchall.setup"].with_company(cls.company_admin).action_open()
        cls.guide = cls.env["mail.catchall.setup"].browse(action["res_id"])

    def patch_model(self, name, method, **kwargs):
        """Replace a method of a model, whichever of its classes has it."""
        return patch.object(type(self.env[name]), method, **kwargs)

    def enter_mailbox(self):
        with Form(self.guide) as form:
            form.step = "mailbox"
            form.mailbox_server = "imap.acme.example"
            form.mailbox_user = f"catchall@{self.domain}"
            form.mailbox_password = "right"

    def log_in(self, folders=(rb'(\HasNoChildren) "/" "INBOX"',)):
        """Press Log In at a server that lets everybody in."""
        connection = Mock()
        connection.list.return_value = ("OK", list(folders))
        with self.patch_model("fetchmail.server", "connect", return_value=connection):
            self.guide.action_check_mailbox()

    def log_in_smtp(self, error=None):
        with self.patch_model("ir.mail_server", "test_smtp_connection", side_effect=error):
            self.guide.action_check_smtp()


__all__ = ["CatchallCommon", "ReviewCommon", "SetupCommon", "patch"]
