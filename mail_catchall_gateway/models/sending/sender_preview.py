"""As whom mail leaves through an outgoing server, shown on its form before any is sent."""

import collections
from email.policy import SMTP

from markupsafe import Markup

from odoo import _, tools

from ...tools.sending.from_policy import apply_native, choose_envelope
from ...tools.sending.refusal import sends_as_one_account

#: One mail: its title, its author's address, as whom it leaves, where bounces and answers go.
Mail = collections.namedtuple("Mail", "title author header address envelope_from reply_to")


class SenderPreview:
    """What typical mails look like that leave through a server, and what cannot work together.

    Nothing is sent for it, or looked for among other servers: the policies and FROM Filtering of
    the one server are asked.

    :param server: ``ir.mail_server`` as superuser; may be new, or archived
    :param domain: alias domain of the company; may be empty
    """

    def __init__(self, server, domain):
        self.env, self.server, self.domain = server.env, server, domain
        self.policy = server._get_from_policy()
        self.own_domains = self.env["mail.alias.domain"]._get_domain_map()
        default_from = domain.default_from_email or server._get_default_from_address()
        self.default_from = tools.email_normalize(default_from) or ""
        self.mails = [self._preview(*row) for row in self._get_rows()]

    def _get_rows(self):
        """Return title, and author with a name, of the mails that are shown."""
        odoobot = self.env.ref("base.partner_root")
        user = self.env["res.users"].search([("alias_email", "!=", False)], limit=1)
        name = user.name or "John Doe"
        alias = user.alias_email or f"john.doe@{self.domain.name or 'acme.com'}"
        customer = tools.formataddr(("Mary", "mary@customer.com"))
        return [
            (_("%s, with a messaging alias", name), tools.formataddr((name, alias))),
            (_("%s, what Odoo itself writes", odoobot.name), odoobot.email_formatted),
            (_("A customer, sent on to followers"), customer),
        ]

    def _preview(self, title, author):
        """Return the :class:`Mail` that a mail of somebody becomes."""
        header_from = author or self.default_from
        from_filter = self.server.from_filter
        if self.policy.is_native:
            is_named = self._is_permitted if from_filter else lambda address: False
            sender = apply_native(header_from, self.default_from, is_named)
        else:
            sender = self.server._apply_from_policy(self.policy, header_from, [from_filter])
        domain = self.domain
        bounce = domain.bounce_email or self.server._get_default_bounce_address()
        bounce = bounce if bounce and self._is_permitted(bounce) else sender.address
        if not self.policy.is_native:
            bounce = choose_envelope(sender, bounce, self.own_domains)
        reply_to = domain.catchall_email or author
        if domain.signed_reply_to:
            signed = {
                domain.catchall_email: f"reply.…@{domain.name}",
                domain.bounce_email: f"bounce.…@{domain.name}",
            }
            bounce, reply_to = signed.get(bounce, bounce), signed.get(reply_to, reply_to)
        return Mail(
            title=title,
            author=tools.email_normalize(author) or "",
            header=_decode(sender.header),
            address=tools.email_normalize(sender.address) or "",
            envelope_from=bounce,
            reply_to=_decode(reply_to),
        )

    def _is_permitted(self, address):
        return self.server._match_from_filter(address, self.server.from_filter)

    def describe(self):
        """Return the lines that are shown, as HTML."""
        return Markup("<ul class='mb-0'>%s</ul>") % Markup().join(map(self._describe, self.mails))

    def _describe(self, mail):
        return Markup("<li><b>%s</b><br/>%s<br/>%s</li>") % (
            mail.title,
            _("leaves From: %s", mail.header),
            _(
                "Bounces come back to %(envelope)s, answers go to %(reply_to)s.",
                envelope=mail.envelope_from,
                reply_to=mail.reply_to,
            ),
        )

    # ------------------------------------------------------------
    # WARNINGS
    # ------------------------------------------------------------

    def get_warnings(self):
        """Return what cannot work together, in sentences."""
        policy, alias = self.policy, self.mails[0]
        if policy.name != "native" and policy.is_native:
            return [
                _(
                    "There is no address to send as, so that nothing is replaced: fill in Send As "
                    "here, or on the alias domain."
                )
            ]
        is_kept = alias.address == alias.author
        others = (mail.address for mail in self.mails[1:])
        refused = next((each for each in others if not self._is_permitted(each)), "")
        domain = self.domain.name or alias.author.rpartition("@")[2]
        host, account = self.server.smtp_host, tools.email_normalize(self.server.smtp_user or "")
        found = [
            (
                policy.is_native and not is_kept,
                _(
                    "%(address)s does not leave as itself. Name %(domain)s in FROM Filtering, or "
                    "choose a Sender Address.",
                    address=alias.author,
                    domain=domain,
                ),
            ),
            (
                policy.is_native and is_kept and refused,
                _(
                    "Other people's addresses leave as %(address)s, which is not in FROM "
                    "Filtering: the mail server may refuse it.",
                    address=refused,
                ),
            ),
            (
                not policy.is_native and not self._is_permitted(policy.address),
                _(
                    "Mail leaves as %s, which is not in FROM Filtering: add it there, or other "
                    "servers are taken for it.",
                    policy.address,
                ),
            ),
            (
                not policy.is_native
                and policy.address.rpartition("@")[2].lower() not in self.own_domains,
                _(
                    "%s is in none of your alias domains: what is written to it does not come to "
                    "Odoo.",
                    policy.address,
                ),
            ),
            (
                policy.name == "dynamic" and not is_kept,
                _(
                    "%(alias)s is not in FROM Filtering, and so is replaced as well. Name "
                    "%(domain)s there if the mail server accepts all your addresses.",
                    alias=alias.author,
                    domain=domain,
                ),
            ),
            (
                account
                and sends_as_one_account(host)
                and any(mail.address != account for mail in self.mails),
                _(
                    "%(host)s lets an account send only as its own addresses. Choose “Replace "
                    "every address”, and send as %(account)s.",
                    host=host,
                    account=account,
                ),
            ),
        ]
        return [text for is_wrong, text in found if is_wrong]


def _decode(value):
    """Return the field body of an address as people read it."""
    return str(SMTP.header_fetch_parse("From", value or ""))
