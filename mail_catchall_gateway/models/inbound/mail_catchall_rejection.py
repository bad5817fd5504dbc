from odoo import _, api, fields, models, tools

from ...tools.addresses.addresses import normalize_address
from ...tools.judging.automatic import may_answer
from ...tools.judging.delivery import CONTEXT_KEY
from ...tools.judging.verdict import Verdict
from ...tools.mailbox.lmtp_reply import refuse_recipient
from ...tools.message.repair import repair
from ...tools.message.source import cut_header


class MailCatchallRejection(models.AbstractModel):
    """What a sender is told whose mail has no receiver: at the door, or by a mail (RFC 3834).

    A machine is told nothing, and each sender the same only once a day.
    """

    _name = "mail.catchall.rejection"
    _description = "Rejections of Inbound Emails"

    @api.model
    def _reject(self, inbound, delivery, addresses, reason):
        """Tell the sender of a mail that its addresses do not exist, as core does.

        :param str reason: the same for the administrator
        """
        company = inbound.company_id or self.env.company
        body = self._render_unrouted(addresses, company, [delivery.mail.sender])
        delivery.outcome.rejection_code = "unrouted"
        if self._send(inbound, delivery, body):
            return Verdict("unrouted", "bounced", _("%s The sender was told so.", reason))
        return Verdict("unrouted", "ignored", f"{reason} {delivery.outcome.silence}".strip())

    @api.model
    def _send(self, inbound, delivery, body):
        """Queue a rejection, if the sender may be told, note that, and return whether they are.

        :param Delivery delivery: its outcome says by which code it is known, and afterwards why
            the sender was not told
        """
        tag = tools.generate_tracking_message_id("loop-detection-bounce-email")
        header = repair(cut_header(delivery.mail.source)[0]).message
        gateway = self.env["mail.thread"].with_context(**{CONTEXT_KEY: delivery})
        gateway._routing_create_bounce_email(
            delivery.mail.sender, body, header, references=f"{inbound.message_id or ''} {tag}"
        )
        self._note(inbound, delivery.outcome)
        return bool(delivery.outcome.rejection)

    @api.model
    def _note(self, inbound, outcome):
        """Remember a sender who was told, to tell them only once a day."""
        if outcome.rejection:
            address, code = outcome.rejection
            values = {"rejection_email": address, "rejection_code": code}
            inbound.write({**values, "rejection_date": fields.Date.today()})

    @api.model
    def _get_silence(self, delivery, address):
        """Return why a sender, a normalized address, is not told, or an empty text."""
        if not address or not may_answer(delivery.mail.fields):
            return _("It has no sender who can be told.")
        domain = [
            ("rejection_email", "=", address),
            ("rejection_code", "=", delivery.outcome.rejection_code),
            ("rejection_date", "=", fields.Date.today()),
        ]
        # sudo: whether this sender was told today, by whatever company; yes or no
        told = self.env["mail.catchall.inbound"].sudo().search_count(domain)
        return _("The sender was told so today already.") if told else ""

    @api.model
    def _render_unrouted(self, addresses, company, senders):
        """Return what senders are told of unknown addresses, in their language.

        In that of the company where they have several.
        """
        partners = self.env["res.partner"]
        langs = {partners._find_lang(sender, company) for sender in senders}
        lang = langs.pop() if len(langs) == 1 else partners._find_lang("", company)
        qweb = self.env["ir.qweb"].with_context(lang=lang)
        values = {"addresses": addresses, "company": company}
        return qweb._render("mail_catchall_gateway.bounce_unrouted", values)

    @api.model
    def _get_loop_mark(self):
        """Return what tells our own answers from everybody else's, in X-Catchall-Loop."""
        # sudo: the identity of the database, of which only an HMAC leaves
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        return tools.hmac(self.env(su=True), "mail_catchall_gateway-loop", uuid)[:32]

    @api.model
    def _refuse_recipient(self, address, server):
        """Return why mail for an address is refused while it is being handed over (RFC 2033).

        Only what would be rejected afterwards for sure: an unknown address of a domain that tells
        senders so, and that no setting delivers elsewhere.

        :param server: mailbox whose settings count, or none
        :return str: reply, or an empty one
        """
        address = normalize_address(address)
        recipients = self.env["mail.catchall.recipients"]
        recipient = recipients._resolve_recipients((address,), (address,))[address]
        domain = self.env["mail.alias.domain"]._find_by_address(address)
        if domain.unrouted_policy != "bounce" or server.object_id:
            return ""
        # sudo: the listener asks, which is superuser
        found = self.env["mail.alias"].sudo().browse(recipient.alias_ids)
        has_receiver = any(
            not alias.is_user_alias or alias._get_receiving_user() for alias in found
        )
        if recipient.kind not in ("unknown", "alias") or has_receiver:
            return ""
        alias, is_typo = recipients._find_similar(address)
        if is_typo and domain.unrouted_autocorrect:
            return ""
        return refuse_recipient((alias - found).alias_full_name)
