from odoo import _, api, fields, models


class MailCatchallBounce(models.TransientModel):
    """Asks the manager what to tell the senders of mail that nobody gets."""

    _name = "mail.catchall.bounce"
    _description = "Send Inbound Emails Back"

    inbound_ids = fields.Many2many("mail.catchall.inbound", string="Emails", required=True)
    body = fields.Html(
        "Message",
        compute="_compute_body",
        compute_sudo=False,
        store=True,
        readonly=False,
        required=True,
    )

    @api.depends("inbound_ids")
    def _compute_body(self):
        for wizard in self:
            inbounds = wizard.inbound_ids._origin
            inbounds._check_readable()
            # sudo: managers read no sources; the unknown addresses stand in the list too
            review = self.env["mail.catchall.review"].sudo()
            addresses = {a for inbound in inbounds.sudo() for a in review._get_unknown(inbound)}
            senders = inbounds._get_senders() if inbounds else []
            companies = inbounds.company_id
            company = companies if len(companies) == 1 else self.env.company
            # of a mail that waits for another reason, only the manager can say what it is
            wizard.body = bool(addresses) and self.env["mail.catchall.rejection"]._render_unrouted(
                sorted(addresses), company, senders
            )

    def action_apply(self):
        """Send the message to the senders.

        :raise UserError: if one of them cannot be told
        """
        self.ensure_one()
        self.inbound_ids._review(
            _("Sent back"), lambda review, mail: review._send_back(mail, self.body)
        )
        return {"type": "ir.actions.act_window_close"}
