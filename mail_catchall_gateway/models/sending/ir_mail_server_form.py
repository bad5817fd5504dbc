import types
from email.message import EmailMessage
from email.policy import SMTP

from markupsafe import Markup

from odoo import _, api, fields, models, tools

from ...tools.sending.one_account import sends_as_one_account

DOMAIN_FIELDS = ("from_policy", "from_address", "signed_reply_to")


class IrMailServer(models.Model):
    """Shows on the form of a server as whom mail leaves through it, before any is sent."""

    _inherit = "ir.mail_server"

    from_preview = fields.Html(
        "Mail That Leaves", compute="_compute_from_preview", sanitize=False, compute_sudo=True
    )
    from_warning = fields.Text(compute="_compute_from_preview", compute_sudo=True)

    @api.depends("from_policy", "from_address", "from_filter", "smtp_host", "smtp_user", "active")
    @api.depends_context("company", "lang")
    def _compute_from_preview(self):
        # computed as superuser, for whoever asks
        self.with_user(self.env.uid).check_access_rights("read")
        domain = self.env.company.alias_domain_id
        values = {}
        if domain:
            values = {
                "domain_notifications_email": domain.default_from_email,
                "domain_bounce_address": domain.bounce_email,
            }
        for server in self.with_context(**values):
            previews = [server._preview(domain, *row) for row in server._get_preview_rows(domain)]
            original = self.browse(server._ids)
            original.from_preview = Markup("<ul class='mb-0'>%s</ul>") % Markup().join(
                map(server._describe, previews)
            )
            original.from_warning = "\n".join(server._get_warnings(domain, previews)) or False

    # ------------------------------------------------------------
    # PREVIEW
    # ------------------------------------------------------------

    @api.model
    def _get_preview_rows(self, domain):
        """Return who is shown: (who, his address, with a name)."""
        odoobot = self.env.ref("base.partner_root")
        user = self.env["res.users"].search([("alias_email", "!=", False)], limit=1)
        name = user.name or "John Doe"
        alias = user.alias_email or f"john.doe@{domain.name or 'acme.com'}"
        customer = tools.formataddr(("Mary", "mary@customer.com"))
        return [
            (_("%s, with a messaging alias", name), tools.formataddr((name, alias))),
            (_("%s, what Odoo itself writes", odoobot.name), odoobot.email_formatted),
            (_("A customer, sent on to followers"), customer),
        ]

    def _preview(self, domain, who, email_from):
        """Return what a mail of somebody would look like, made as any mail is.

        :return dict: ``who``, ``author``, ``header_from``, ``envelope_from``, ``reply_to``
        """
        message = EmailMessage(policy=SMTP)
        message["From"] = email_from or self._get_default_from_address() or ""
        message["To"] = "recipient@customer.com"
        message["Reply-To"] = domain.catchall_email or email_from
        session = types.SimpleNamespace(
            from_filter=self.from_filter,
            smtp_from=self._get_preview_sender(email_from),
            catchall_server_id=self._ids,
        )
        envelope_from, _to, message = self._prepare_email_message(message, session)
        values = {
            "who": who,
            "author": tools.email_normalize(email_from) or "",
            "header_from": str(message["From"]),
            "envelope_from": envelope_from,
            "reply_to": str(message["Reply-To"]),
        }
        if domain.signed_reply_to:
            signed = {
                domain.catchall_email: f"reply.…@{domain.name}",
                domain.bounce_email: f"bounce.…@{domain.name}",
            }
            for key in ("envelope_from", "reply_to"):
                values[key] = signed.get(values[key], values[key])
        return values

    def _get_preview_sender(self, email_from):
        """Return what core would use in the session; it logs a warning where nothing matches."""
        fallback = self.env.context.get("domain_notifications_email")
        fallback = fallback or self._get_default_from_address()
        for address in filter(None, (email_from, fallback)):
            if self._match_from_filter(address, self.from_filter):
                return self.with_context(active_test=False)._find_mail_server(
                    email_from, self._as_active()
                )[1]
        return fallback or email_from

    def _as_active(self):
        """Return this server as if it were not archived: the form shows it either way."""
        return self if self.active else self.new({"from_filter": self.from_filter})

    @api.model
    def _describe(self, preview):
        return Markup("<li><b>%s</b><br/>%s<br/>%s</li>") % (
            preview["who"],
            _("leaves From: %s", preview["header_from"]),
            _(
                "Bounces come back to %(envelope)s, answers go to %(reply_to)s.",
                envelope=preview["envelope_from"],
                reply_to=preview["reply_to"],
            ),
        )

    # ------------------------------------------------------------
    # WARNINGS
    # ------------------------------------------------------------

    def _get_warnings(self, domain, previews):
        """Return what cannot work together, in sentences."""
        policy = self._get_from_policy()
        if policy.name != "native" and policy.is_native:
            return [
                _(
                    "There is no address to send as, so that nothing is replaced: fill in Send As "
                    "here, or on the alias domain."
                )
            ]
        check = self._get_native_warnings if policy.is_native else self._get_policy_warnings
        warnings = check(domain, policy, previews)
        addresses = {tools.email_normalize(preview["header_from"]) for preview in previews}
        account = tools.email_normalize(self.smtp_user or "")
        if account and sends_as_one_account(self.smtp_host) and addresses != {account}:
            warnings.append(
                _(
                    "%(host)s lets an account send only as its own addresses. Choose “Replace "
                    "every address”, and send as %(account)s.",
                    host=self.smtp_host,
                    account=account,
                )
            )
        return warnings

    def _get_native_warnings(self, domain, _policy, previews):
        alias, others = previews[0], previews[1:]
        if alias["author"] not in alias["header_from"]:
            return [
                _(
                    "%(address)s does not leave as itself. Name %(domain)s in FROM Filtering, or "
                    "choose a Sender Address.",
                    address=alias["author"],
                    domain=domain.name or alias["author"].rpartition("@")[2],
                )
            ]
        for preview in others:
            address = tools.email_normalize(preview["header_from"]) or ""
            if not self._match_from_filter(address, self.from_filter):
                return [
                    _(
                        "Other people's addresses leave as %(address)s, which is not in FROM "
                        "Filtering: the mail server may refuse it.",
                        address=address,
                    )
                ]
        return []

    def _get_policy_warnings(self, domain, policy, previews):
        warnings = []
        if not self._match_from_filter(policy.address, self.from_filter):
            warnings.append(
                _(
                    "Mail leaves as %s, which is not in FROM Filtering: add it there, or other "
                    "servers are taken for it.",
                    policy.address,
                )
            )
        name = policy.address.rpartition("@")[2].lower()
        if name not in self.env["mail.alias.domain"]._get_domain_map():
            warnings.append(
                _("%s is in none of your alias domains: what is written to it does not come to "
                  "Odoo.", policy.address)
            )  # fmt: skip
        alias = previews[0]
        if policy.name == "dynamic" and alias["author"] not in (
            tools.email_normalize(alias["header_from"]) or ""
        ):
            warnings.append(
                _(
                    "%(alias)s is not in FROM Filtering, and so is replaced as well. Name "
                    "%(domain)s there if the mail server accepts all your addresses.",
                    alias=alias["author"],
                    domain=domain.name or alias["author"].rpartition("@")[2],
                )
            )
        return warnings
