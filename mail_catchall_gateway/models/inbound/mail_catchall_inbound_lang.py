from odoo import _, api, models


class MailCatchallInbound(models.Model):
    """In which language people are told what became of a mail."""

    _inherit = "mail.catchall.inbound"

    @api.model
    def _render_unrouted(self, addresses, company, senders):
        """Return what senders are told of addresses that nobody has, in their language.

        In that of the company where they have several.

        :param list senders: normalized addresses
        :return Markup:
        """
        partners = self.env["res.partner"]
        langs = {partners._find_lang(sender, company) for sender in senders}
        lang = langs.pop() if len(langs) == 1 else partners._find_lang("", company)
        return (
            self.env["ir.qweb"]
            .with_context(lang=lang)
            ._render(
                "mail_catchall_gateway.bounce_unrouted",
                {"addresses": addresses, "company": company},
            )
        )

    def _get_redirect_note(self, address, alias):
        """Return what stands above a mail that was not written to this alias.

        In the language of the user who reads it, or else of the company.
        """
        reader = alias._get_receiving_user().partner_id
        lang = reader._get_mail_lang(self.company_id or self.env.company)
        self = self.with_context(lang=lang)
        return _(
            "Written to %(address)s, delivered to %(alias)s.",
            address=address,
            alias=alias.alias_full_name,
        )
