import contextlib
import re
import types

from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import email_normalize, formataddr

from ...tools.mailbox.imap_folders import parse_list
from ...tools.message.source import one_line

#: What is said where user or password are wrong; core calls accents in them a server's name.
LOGIN_WORDS = ("authenticat", "login", "credential", "password", "can't encode character")
_BYTES = re.compile(r"\bb(['\"])(.*?)\1")


class MailCatchallSetup(models.Model):
    """What happens when somebody presses Log In: real logins, by core's own methods."""

    _inherit = "mail.catchall.setup"

    # ------------------------------------------------------------
    # MAILBOX
    # ------------------------------------------------------------

    def action_check_mailbox(self):
        """Log in to the mailbox. From then on it is read as a catch-all."""
        self.ensure_one()
        mailbox = self.mailbox_id
        if not mailbox:
            raise UserError(_("Enter the server, the user and the password of the mailbox first."))
        try:
            with self.env.cr.savepoint():
                mailbox.button_confirm_login()
                folders = self._list_folders()
                mailbox.write({"is_catchall": True, "folder": self._choose_folder(folders)})
        except UserError as error:
            if isinstance(error.__context__, UnicodeEncodeError):
                # core's text has all that could not be encoded: the password
                self.mailbox_error = mailbox._describe_error(error.__context__)
            else:
                self.mailbox_error = self._explain_login(str(error))
            return
        self.mailbox_folder_ids = [
            Command.clear(),
            *(Command.create({"name": folder.label}) for folder in folders),
        ]
        self.mailbox_error = False

    def _list_folders(self):
        """Return the folders of the mailbox that mail can be in; none where it has no folders."""
        if self.mailbox_id._get_connection_type() != "imap":
            return []
        connection = self.mailbox_id.connect(allow_archived=True)
        try:
            return [f for f in parse_list(connection.list()[1]) if f.is_selectable]
        finally:
            # what was wanted is known
            with contextlib.suppress(Exception):
                connection.logout()

    def _choose_folder(self, folders):
        """Return the folder that is read, unless the mailbox has none of this name."""
        folder = self.mailbox_id.folder or "INBOX"
        labels = [one.label for one in folders]
        return folder if folder in labels or not labels else labels[0]

    @api.model
    def _clean_error(self, text):
        """Return the text of an error, without the marks of Python's bytes, on one line."""
        return one_line(_BYTES.sub(lambda match: match[2], text.replace("\n", " ")))

    def _explain_login(self, text):
        """Return what to do about a login that failed."""
        self.ensure_one()
        text = self._clean_error(text)
        lower = text.lower()
        if any(word in lower for word in LOGIN_WORDS):
            advice = _("Check user and password.")
        elif "ssl" in lower or "wrong version" in lower or "certificate" in lower:
            advice = _("Check port and encryption: they belong together.")
        elif any(word in lower for word in ("name or service", "getaddrinfo", "invalid server")):
            advice = _("Check the name of the server: nobody knows it.")
        else:
            advice = _("Check the name of the server, the port and the encryption.")
        return f"{text.rstrip(' .')}. {advice}"

    # ------------------------------------------------------------
    # SMTP ACCOUNT
    # ------------------------------------------------------------

    def action_check_smtp(self):
        """Log in to the SMTP account, and see as whom mail would leave. Nothing is sent."""
        self.ensure_one()
        if not self.smtp_id:
            raise UserError(_("Enter the server, the user and the password first."))
        if not self.alias_domain_id:
            raise UserError(_("Enter the domain first."))
        try:
            self.smtp_id.test_smtp_connection()
            self.smtp_id.active = True
            state, text = self._check_from()
        except UserError as error:
            state, text = "error", self._explain_login(str(error))
        except Exception as error:  # smtplib's, the network's: whatever the server makes of us
            state, text = "error", self._explain_login(f"{type(error).__name__}: {error}")
        self.write({"smtp_state": state, "smtp_text": text})

    def _describe_smtp(self):
        """Return in a sentence how mail is sent."""
        if not self.smtp_id.active:
            return _("There is no SMTP account that is tested.")
        if self.smtp_state == "todo":
            return _("%s was not tested by the setup guide.", self.smtp_id.name)
        if self.smtp_state == "ok":
            return _("Mail leaves by %s.", self.smtp_id.name)
        return self.smtp_text

    def _get_example_sender(self):
        """Return name and address of somebody who writes from here."""
        user = self.env["res.users"].search(
            [
                ("alias_id.alias_name", "!=", False),
                ("alias_id.alias_domain_id", "=", self.alias_domain_id.id),
                ("company_id", "=", self.company_id.id),
            ],
            order="id",
            limit=1,
        )
        if user.alias_email:
            return user.name, user.alias_email
        domain = self.alias_domain_id
        address = domain.default_from_email or ""
        if not address.endswith(f"@{domain.name}"):
            address = domain.catchall_email
        return self.company_id.name, address

    def _get_mail_servers(self):
        """Return ``ir.mail_server`` as it is called when a mail of this company is sent."""
        return (
            self.env["ir.mail_server"]
            .with_company(self.company_id)
            .with_context(
                domain_bounce_address=self.alias_domain_id.bounce_email,
                domain_notifications_email=self.alias_domain_id.default_from_email,
            )
        )

    def _check_from(self):
        """Return state and text about the From that the example sender's mail would have.

        Core decides in the session with the server: so there is one, up to where data would flow.
        """
        name, address = self._get_example_sender()
        servers, sender = self._get_mail_servers(), formataddr((name, address))
        server, smtp_from = servers._find_mail_server(sender)
        if server != self.smtp_id:
            return "error", _(
                "Mail from %(sender)s would leave by another account: %(server)s. Enter "
                "%(domain)s in “May Send As” here, and take it out there.",
                sender=address,
                server=server.display_name or _("that of Odoo's configuration file"),
                domain=self.alias_domain_id.name,
            )
        message = servers.build_email(sender, ["somebody@example.com"], "Test", "Test")
        session = servers.connect(mail_server_id=server.id, smtp_from=smtp_from)
        try:
            envelope, _to, message = servers._prepare_email_message(
                message, session or types.SimpleNamespace(smtp_from=smtp_from)
            )
        finally:
            if session:
                session.quit()
        shown = str(message["From"])
        if email_normalize(shown) != address:
            return "error", self._explain_replaced(sender, shown)
        return "ok", _(
            "The account takes our mail. %(name)s's mail leaves as %(sender)s; what cannot be "
            "delivered comes back to %(envelope)s.",
            name=name,
            sender=shown,
            envelope=envelope,
        )

    def _explain_replaced(self, sender, shown):
        return _(
            "The account takes our mail, but what %(sender)s writes would leave as %(shown)s. "
            "Enter %(domain)s in “May Send As”, if the account may send as any address of it. If "
            "it may not, and the Sender Address of the domain or the account is set to replace "
            "it, you need do nothing.",
            sender=sender,
            shown=shown,
            domain=self.alias_domain_id.name,
        )
