import contextlib
import re

from markupsafe import Markup

from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize, formataddr

from ...tools.mailbox.imap_folders import parse_list
from ...tools.mailbox.mail_providers import dns_records, get_provider
from ...tools.message.header_text import one_line

#: What is likely for a server that is not set up yet.
MAILBOX_DEFAULTS = {"port": 993, "is_ssl": True, "folder": "INBOX"}
SMTP_DEFAULTS = {"smtp_port": 587, "smtp_encryption": "starttls"}
#: What is said where user or password are wrong; core calls accents in them a server's name.
_LOGIN = re.compile("authenticat|login|credential|password|can't encode char", re.IGNORECASE)
_BYTES = re.compile(r"\bb(['\"])(.*?)\1")


class MailCatchallSetupServers(models.AbstractModel):
    """What the setup guide does with mail servers: finds or makes them, and logs in.

    Logins are real ones, by core's own methods; why they fail is told with what to do about it.
    """

    _name = "mail.catchall.setup.servers"
    _description = "Mail Server"

    # ------------------------------------------------------------
    # FINDING AND MAKING
    # ------------------------------------------------------------

    def _find_mailbox(self):
        """Return the mailbox that a new guide shows: a catch-all that no other guide has."""
        mailboxes = self.env["fetchmail.server"].search([("is_catchall", "=", True)])
        guides = self.env["mail.catchall.setup"].search([])  # pylint: disable=no-search-all
        return (
            (mailboxes - guides.mailbox_id)[:1]
            or mailboxes[:1]
            or mailboxes._find_catchall_candidates()[:1]
        )

    def _find_account(self, company):
        """Return the account that a new guide shows: one that may send as the company's domain."""
        accounts = self.env["ir.mail_server"].search([])  # pylint: disable=no-search-all
        name = company.alias_domain_id.name
        named = accounts.filtered(lambda a: name and name in (a.from_filter or "").split(","))
        return named[:1] or accounts[:1]

    def _write_mailbox(self, guide, values):
        guide.mailbox_error = False
        mailbox = guide.mailbox_id
        if mailbox and any(mailbox[name] != value for name, value in values.items()):
            mailbox.write({**values, "state": "draft"})
        elif not mailbox and values.get("server"):
            name = _("Catch-all %s", guide.alias_domain_id.name or guide.company_id.name)
            values = {**MAILBOX_DEFAULTS, "name": name, "server_type": "imap", **values}
            guide.mailbox_id = mailbox.create(values)

    def _write_account(self, guide, values):
        guide.smtp_state, guide.smtp_text = "todo", _("Press Log In to see whether it works.")
        if guide.smtp_id:
            guide.smtp_id.write(values)
        elif values.get("smtp_host"):
            domain = guide.alias_domain_id.name
            values = {**SMTP_DEFAULTS, "name": domain or guide.company_id.name, **values}
            # so that Odoo knows that it may send as any address of it
            values["from_filter"] = values.get("from_filter") or domain
            # no mail shall leave by it before somebody could log in
            guide.smtp_id = guide.smtp_id.create({**values, "active": False})

    def _prepare_dns_records(self, guide):
        purposes = {
            "mx": _("MX: where mail for the domain is delivered."),
            "spf": _("SPF: who may send for the domain. A domain has only one such record."),
            "dkim": _("DKIM: the key with which your mail is signed. Your provider shows it."),
            "dmarc": _(
                "DMARC: what others do with mail that passes neither SPF nor DKIM. p=none asks "
                "them to do nothing yet."
            ),
        }
        receiving, sending = map(get_provider, (guide.mailbox_provider, guide.smtp_provider))
        return [
            {**record._asdict(), "purpose": purposes[record.purpose]}
            for record in dns_records(guide.alias_domain_id.name, receiving, sending)
        ]

    # ------------------------------------------------------------
    # LOGGING IN
    # ------------------------------------------------------------

    def _log_in_mailbox(self, mailbox):
        """Log in to a mailbox, which is a catch-all from then on; return values for the guide."""
        try:
            with self.env.cr.savepoint():
                mailbox.button_confirm_login()
                folders = self._list_folders(mailbox)
                folder = mailbox.folder or "INBOX"
                if folders and folder not in folders:
                    folder = folders[0]
                mailbox.write({"is_catchall": True, "folder": folder})
        except UserError as error:
            cause = error.__context__
            if isinstance(cause, UnicodeEncodeError):
                # core's text has all that could not be encoded: the password
                return {"mailbox_error": mailbox._describe_error(cause)}
            return {"mailbox_error": self._explain_login(str(error))}
        return {"mailbox_error": False, "mailbox_folders": ", ".join(folders)}

    def _list_folders(self, mailbox):
        if mailbox._get_connection_type() != "imap":
            return []
        connection = mailbox.connect()
        try:
            return parse_list(connection.list()[1])
        finally:
            with contextlib.suppress(Exception):  # what was wanted is known
                connection.logout()

    def _log_in_account(self, guide):
        """Log in to the SMTP account, by which mail leaves from then on; return state and text."""
        try:
            guide.smtp_id.test_smtp_connection()
            guide.smtp_id.active = True
            return self._check_from(guide)
        except UserError as error:
            return "error", self._explain_login(str(error))
        except Exception as error:  # smtplib's, the network's: whatever the server makes of us
            return "error", self._explain_login(f"{type(error).__name__}: {error}")

    def _check_from(self, guide):
        """Return state and text about the From that the example sender's mail would have."""
        (name, address), domain = self._get_example_sender(guide), guide.alias_domain_id
        # as it is called when a mail of this company is sent
        servers = self.env["ir.mail_server"].with_company(guide.company_id)
        servers = servers.with_context(domain_notifications_email=domain.default_from_email)
        sender = formataddr((name, address))
        server, shown = servers._find_mail_server(sender)
        if server != guide.smtp_id:
            return "error", _(
                "Mail from %(sender)s would leave by another account: %(server)s. Enter "
                "%(domain)s in “May Send As” here, and take it out there.",
                sender=address,
                server=server.display_name or _("that of Odoo's configuration file"),
                domain=domain.name,
            )
        if email_normalize(shown) != address:
            return "error", _(
                "The account takes our mail, but what %(sender)s writes would leave as %(shown)s. "
                "Enter %(domain)s in “May Send As”, if the account may send as any address of it. "
                "If it may not, and the Sender Address of the domain or the account is set to "
                "replace it, you need do nothing.",
                sender=sender,
                shown=shown,
                domain=domain.name,
            )
        return "ok", _(
            "The account takes our mail. %(name)s's mail leaves as %(sender)s.",
            name=name,
            sender=shown,
        )

    def _get_example_sender(self, guide):
        """Return name and address of somebody who writes from the company of a guide."""
        domain = guide.alias_domain_id
        user = self.env["res.users"].search(
            [
                ("alias_id.alias_name", "!=", False),
                ("alias_id.alias_domain_id", "=", domain.id),
                ("company_id", "=", guide.company_id.id),
            ],
            order="id",
            limit=1,
        )
        if user.alias_email:
            return user.name, user.alias_email
        address = domain.default_from_email or ""
        is_ours = address.endswith(f"@{domain.name}")
        return guide.company_id.name, address if is_ours else domain.catchall_email

    def _clean_error(self, text):
        """Return the text of an error on one line, without the marks of Python's bytes."""
        return one_line(_BYTES.sub(lambda match: match[2], text.replace("\n", " ")))

    def _explain_login(self, text):
        """Return what to do about a login that failed."""
        text = self._clean_error(text)
        if _LOGIN.search(text):
            advice = _("Check user and password.")
        elif re.search("ssl|wrong version|certificate", text, re.IGNORECASE):
            advice = _("Check port and encryption: they belong together.")
        elif re.search("name or service|getaddrinfo|invalid server", text, re.IGNORECASE):
            advice = _("Check the name of the server: nobody knows it.")
        else:
            advice = _("Check the name of the server, the port and the encryption.")
        return f"{text.rstrip(' .')}. {advice}"

    # ------------------------------------------------------------
    # WHAT WAS SET UP BEFORE THE GATEWAY CAME
    # ------------------------------------------------------------

    def _announce_found(self):
        """Tell each administrator, in their language."""
        # sudo: who the administrators are, while the addon is installed
        administrators = self.env.ref("base.group_system").sudo().users
        for user in administrators.filtered(lambda u: u.active and not u.share):
            servers = self.with_context(lang=user.lang)
            if sentences := servers._get_found():
                servers._notify_found(user, sentences)

    def _notify_found(self, user, sentences):
        body = Markup('<p>%s</p>%s<p><a href="%s">%s</a></p>') % (
            _("The gateway was installed. This was there before, and counts:"),
            self._format_found(sentences),
            "/web#action=mail_catchall_gateway.mail_catchall_setup_action_open",
            _("Open the setup guide"),
        )
        # by the queue: the installation may still be rolled back
        self.env["mail.thread"].with_context(mail_notify_force_send=False).message_notify(
            partner_ids=user.partner_id.ids,
            subject=_("Catch-all Email Gateway: what was found"),
            body=body,
            author_id=self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root"),
        )

    def _format_found(self, sentences):
        items = Markup().join(Markup("<li>%s</li>") % sentence for sentence in sentences)
        return items and Markup("<ul>%s</ul>") % items

    def _get_found(self):
        """Return a sentence for each thing that counts for the gateway or stands in its way."""
        found = (
            self._describe_mailboxes(),
            self._describe_local_parts(),
            self._describe_from_parameters(),
            self._describe_own_addresses(),
        )
        return [sentence for sentence in found if sentence]

    def _describe_mailboxes(self):
        # sudo: also while the addon is installed; for administrators, of whatever company
        mailboxes = self.env["fetchmail.server"].sudo()._find_catchall_candidates()
        if not mailboxes or mailboxes.search_count([("is_catchall", "=", True)]):
            return ""
        return _(
            "These mailboxes are read as before, but may be your catch-all: %s. The guide proposes "
            "the first; Log In in its second step makes it the catch-all mailbox.",
            ", ".join(f"{mailbox.name} ({mailbox.user})" for mailbox in mailboxes),
        )

    def _describe_local_parts(self):
        # sudo: also while the addon is installed; for administrators, of whatever company
        aliases = self.env["mail.alias"].sudo().search([("alias_incoming_local", "=", True)])
        names = ", ".join(filter(None, aliases.mapped("alias_name")))
        allowed = self.env["mail.alias"]._get_allowed_domains()
        if aliases and allowed:
            return _(
                "Aliases that are found by what stands before the @ (%(names)s) receive mail in "
                "your own domains and in %(domains)s, as the system parameter "
                "mail.catchall.domain.allowed says.",
                names=names,
                domains=", ".join(sorted(allowed)),
            )
        return aliases and _(
            "Aliases that are found by what stands before the @ (%s) receive mail in every domain "
            "that your mail server delivers for. Name the domains in the settings to limit that.",
            names,
        )

    def _describe_from_parameters(self):
        forced, dynamic, _policies = self.env["ir.mail_server"]._get_from_settings()
        text = ""
        if forced:
            name, text = "mail.force.smtp.from", _("All mail leaves as %s.", forced)
        elif dynamic:
            name = "mail.dynamic.smtp.from"
            text = _("Mail from addresses that are not yours leaves as %s.", dynamic)
        return text and _(
            "%(text)s The system parameter %(name)s, which Odoo has ignored since version 15, "
            "counts again. Delete it if your mail server does not need it.",
            text=text,
            name=name,
        )

    def _describe_own_addresses(self):
        domains = self.env["mail.alias.domain"]
        # sudo: also while the addon is installed; administrators are told names and addresses
        users = self.env["res.users"].sudo().search([("share", "=", False)])
        users = users.filtered(
            lambda u: (
                domains._find_by_address(u.email_normalized or "")
                and domains._is_gateway_address(u.email_normalized)
            )
        )
        return users and _(
            "Odoo itself receives mail at the own address of %s. Give them another own address, or "
            "the alias another name: a copy of their mail would come back to Odoo.",
            ", ".join(f"{user.name} ({user.email_normalized})" for user in users),
        )
