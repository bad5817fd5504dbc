from markupsafe import Markup

from odoo import _, api, fields, models

GUIDE_ACTION = "mail_catchall_gateway.mail_catchall_setup_action_open"


class MailCatchallSetup(models.Model):
    """What was set up before the gateway came, and counts for it.

    Nothing is switched over: it is said, to who installs the gateway and in the guide.
    """

    _inherit = "mail.catchall.setup"

    found_notes = fields.Html("Found in This Database", compute="_compute_found_notes")

    @api.depends("company_id", "mailbox_id.is_catchall")
    def _compute_found_notes(self):
        self.found_notes = self._format_found(self._get_found()) or False

    @api.model
    def _get_found(self):
        """Return a sentence for each thing that counts for the gateway or stands in its way."""
        found = [
            self._describe_mailboxes(),
            self._describe_local_parts(),
            *self._describe_from_parameters(),
            self._describe_own_addresses(),
        ]
        return [sentence for sentence in found if sentence]

    @api.model
    def _format_found(self, sentences):
        """Return sentences as a list in HTML, or nothing."""
        items = Markup().join(Markup("<li>%s</li>") % sentence for sentence in sentences)
        return items and Markup("<ul>%s</ul>") % items

    @api.model
    def _describe_mailboxes(self):
        """Say which mailboxes may be the catch-all: it is not ours to decide."""
        mailboxes = self.env["fetchmail.server"].sudo()._find_catchall_candidates()
        if not mailboxes or mailboxes.search_count([("is_catchall", "=", True)]):
            return ""
        names = ", ".join(f"{mailbox.name} ({mailbox.user})" for mailbox in mailboxes)
        return _(
            "These mailboxes are read as before, but may be your catch-all: %s. The guide proposes "
            "the first; Log In in its second step makes it the catch-all mailbox.",
            names,
        )

    @api.model
    def _describe_local_parts(self):
        """Say where aliases count by what stands before the @ alone."""
        aliases = self.env["mail.alias"].sudo().search([("alias_incoming_local", "=", True)])
        allowed = self.env["mail.alias"]._get_allowed_domains()
        if not aliases:
            return ""
        names = ", ".join(filter(None, aliases.mapped("alias_name")))
        if allowed:
            return _(
                "Aliases that are found by what stands before the @ (%(names)s) receive mail in "
                "your own domains and in %(domains)s, as the system parameter "
                "mail.catchall.domain.allowed says.",
                names=names,
                domains=", ".join(sorted(allowed)),
            )
        return _(
            "Aliases that are found by what stands before the @ (%s) receive mail in every domain "
            "that your mail server delivers for. Name the domains in the settings to limit that.",
            names,
        )

    @api.model
    def _describe_from_parameters(self):
        """Say that the parameters of Odoo up to 14 count again."""
        forced, dynamic, _policies = self.env["ir.mail_server"]._get_from_settings()
        if forced:
            yield _(
                "All mail leaves as %s: the system parameter mail.force.smtp.from, which Odoo "
                "has ignored since version 15, counts again. Delete it if your mail server does "
                "not need it.",
                forced,
            )
        elif dynamic:
            yield _(
                "Mail from addresses that are not yours leaves as %s: the system parameter "
                "mail.dynamic.smtp.from, which Odoo has ignored since version 15, counts again. "
                "Delete it if your mail server does not need it.",
                dynamic,
            )

    @api.model
    def _describe_own_addresses(self):
        """Say whose own address mail would go round at; nobody can save these users any more."""
        domains = self.env["mail.alias.domain"]
        users = self.env["res.users"].sudo().search([("share", "=", False)])
        users = users.filtered(
            lambda u: (
                domains._find_by_address(u.email_normalized or "")
                and domains._is_gateway_address(u.email_normalized)
            )
        )
        if not users:
            return ""
        return _(
            "Odoo itself receives mail at the own address of %s. Give them another own address, or "
            "the alias another name: a copy of their mail would come back to Odoo.",
            ", ".join(f"{user.name} ({user.email_normalized})" for user in users),
        )

    # ------------------------------------------------------------
    # INSTALLATION
    # ------------------------------------------------------------

    @api.model
    def _announce_found(self):
        """Tell each administrator, in his language and as he wants to be notified."""
        administrators = self.env.ref("base.group_system").sudo().users
        for user in administrators.filtered(lambda u: u.active and not u.share):
            guide = self.with_context(lang=user.lang)
            if sentences := guide._get_found():
                guide._notify_found(user, sentences)

    def _notify_found(self, user, sentences):
        body = Markup('<p>%s</p>%s<p><a href="%s">%s</a></p>') % (
            _("The gateway was installed. This was there before, and counts:"),
            self._format_found(sentences),
            f"/web#action={GUIDE_ACTION}",
            _("Open the setup guide"),
        )
        # by the queue: the installation may still be rolled back
        self.env["mail.thread"].with_context(mail_notify_force_send=False).message_notify(
            partner_ids=user.partner_id.ids,
            subject=_("Catch-all Email Gateway: what was found"),
            body=body,
            author_id=self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root"),
        )
