from odoo import _, api, fields, models


class MailCatchallSetup(models.Model):
    """What one has to know of a mail provider before a login works."""

    _inherit = "mail.catchall.setup"

    mailbox_hint = fields.Text(compute="_compute_hints")
    smtp_hint = fields.Text(compute="_compute_hints")

    @api.depends("mailbox_provider", "smtp_provider")
    def _compute_hints(self):
        mailbox_hints, smtp_hints = self._get_mailbox_hints(), self._get_smtp_hints()
        for guide in self:
            guide.mailbox_hint = mailbox_hints.get(guide.mailbox_provider, False)
            guide.smtp_hint = smtp_hints.get(guide.smtp_provider, False)

    @api.model
    def _get_mailbox_hints(self):
        """Return what one has to know of a provider before the login works, by its code."""
        return {
            "gmail": _(
                "Google takes an app password here, not that of the account: Google Account / "
                "Security / 2-Step Verification / App Passwords. To log in by OAuth, switch on "
                "“Use a Gmail Server” in the settings, and choose that mailbox here. For the "
                "catch-all: Google Admin / Apps / Gmail / Default Routing, with the box that adds "
                "X-Gm-Original-To."
            ),
            "microsoft": _(
                "Microsoft takes no password for IMAP: switch on “Use an Outlook Server” in the "
                "settings, connect a mailbox there, and choose it here. Microsoft does not tell "
                "for whom a mail in a catch-all mailbox was: only addresses in To and Cc are found."
            ),
            "ionos": _(
                "The server is called as in your country: imap.ionos.de, imap.ionos.fr, "
                "imap.ionos.co.uk. The same goes for MX and SPF."
            ),
            "infomaniak": _("The mailbox has to be called catchall, and nothing else."),
            "other": _(
                "Your provider calls it catch-all, or an alias or forwarding for *@your-domain."
            ),
        }

    @api.model
    def _get_smtp_hints(self):
        return {
            "gmail": _(
                "smtp.gmail.com replaces the sender unless it is one of the account's verified "
                "“Send mail as” addresses. With Google Workspace, use smtp-relay.gmail.com, "
                "port 587, STARTTLS, and allow your server in Google Admin / Apps / Gmail / "
                "Routing / SMTP relay service."
            ),
            "microsoft": _(
                "The account may send only as itself, its aliases, and mailboxes that it has the "
                "right “Send As” of. Addresses that exist only in Odoo are refused: choose another "
                "SMTP account, or “Replace every address” as its Sender Address."
            ),
            "ionos": _(
                "The account may send as any address of its domain. The server is called as in "
                "your country: smtp.ionos.de, smtp.ionos.fr, smtp.ionos.co.uk."
            ),
        }
