from odoo import _, api, fields, models, tools
from odoo.fields import Command

from ...tools.judging.automatic import may_answer
from ...tools.judging.delivery import Delivery, Recipient
from ...tools.judging.verdict import Verdict
from ...tools.message.repair import MalformedMail, repair
from ...tools.message.source import cut_header


class MailCatchallInbound(models.Model):
    """What core makes of a mail, and what is done with one that core has no place for."""

    _inherit = "mail.catchall.inbound"

    def _deliver(self, delivery, raw):
        """Let core route and post this mail, with the recipients found.

        :return Verdict:
        """
        verdict = self._run_core(delivery, raw)
        if (verdict.code, verdict.action) == ("unrouted", "review"):
            return self._handle_unrouted(delivery, raw, verdict)
        if verdict.action == "delivered" and verdict.code in ("alias", "user_alias"):
            self._split_unknown(delivery, raw)
        return verdict

    def _split_unknown(self, delivery, raw):
        """Have the queue decide about recipients whom nobody is, as about a copy for them.

        Only where the sender names them: an envelope may tell the mailbox by a name of its own.
        """
        unknown = {recipient.address for recipient in delivery.mail.get_all("unknown")}
        unknown &= set(delivery.mail.recipients) & set(delivery.mail.header_recipients)
        if not unknown:
            return
        self.recipients = ", ".join(
            address for address in self.recipients.split(", ") if address not in unknown
        )
        values = {"server_id": self.server_id.id, "envelope_to": ", ".join(sorted(unknown))}
        self._store([(raw, values)])
        self.env.ref("mail_catchall_gateway.ir_cron_process_inbound")._trigger()

    def _run_core(self, delivery, raw, model=None, thread_id=None):
        """Call core's gateway.

        :param str model: where the mail goes if nobody else gets it; without, as its mailbox says
        :param int thread_id: the document there
        :return Verdict:
        """
        server = self.server_id
        gateway = self.env["mail.thread"].with_context(
            catchall_delivery=delivery,
            fetchmail_cron_running=True,
            image_no_postprocess=True,  # Pillow unpacks 170 million pixels if it is asked to
            default_fetchmail_server_id=server.id,
            mail_notify_force_send=False,
        )
        try:
            delivery.mail.source = raw
            delivery.mail.repaired = repair(raw, delivery.mail.is_ours)
            gateway.message_process(
                model or server.object_id.model,
                b"",  # message_parse puts in what was repaired, so that it is parsed only once
                save_original=server.original,
                strip_attachments=bool(server) and not server.attach,
                thread_id=thread_id,
            )
        except MalformedMail as error:
            return Verdict("malformed", "review", str(error))
        self._link_messages(delivery)
        self._note_rejection(delivery)
        return self._conclude(delivery)

    def _link_messages(self, delivery):
        """Note what the mail became."""
        if not delivery.outcome.routes or not delivery.outcome.posted:
            return
        posted = sorted(delivery.outcome.posted, reverse=True)
        messages = self.env["mail.message"].browse(message_id for message_id, *_rest in posted)
        kind = "mail.catchall.conversation"
        conversations = [res_id for _message_id, model, res_id in posted if model == kind]
        _message_id, res_model, res_id = posted[0]
        self.write(
            {
                "mail_message_ids": [Command.link(message.id) for message in messages],
                "conversation_id": (conversations or self.conversation_id.ids or [False])[-1],
                "res_model": res_model,
                "res_id": res_id,
                "company_id": messages[0].record_company_id.id,
            }
        )

    # ------------------------------------------------------------
    # VERDICT
    # ------------------------------------------------------------

    def _conclude(self, delivery):
        """Return the verdict on a mail that core has processed."""
        if delivery.outcome.verdict:
            return delivery.outcome.verdict
        if delivery.outcome.loop:
            return Verdict("loop", "ignored", self._get_loop_reason(delivery))
        if delivery.outcome.routes is None and not self._is_for_nobody(delivery):
            return Verdict("duplicate", "ignored", _("A message with this Message-Id exists."))
        if delivery.outcome.rejected_by and not delivery.outcome.routes:
            reason = _("Its sender may not write to %s.", delivery.outcome.rejected_by)
            return Verdict("sender_rejected", "bounced", self._add_told(delivery, reason))
        if not delivery.outcome.routes and delivery.outcome.is_rejected:
            reason = _("Written to the catchall address itself.")
            return Verdict("unrouted", "bounced", self._add_told(delivery, reason))
        if not delivery.outcome.routes:
            reason = delivery.outcome.unrouted or _(
                "The alias it was written to is not set up correctly."
            )
            return Verdict("unrouted", "review", reason)
        reason = delivery.mail.note
        if delivery.mail.repaired.notes:
            repaired = _("Repaired, to be readable: %s.", ", ".join(delivery.mail.repaired.notes))
            reason = f"{reason} {repaired}".strip()
        return Verdict(self._get_route_code(delivery), "delivered", reason)

    @api.model
    def _is_for_nobody(self, delivery):
        """Tell whether a mail was delivered for an address of ours that nobody has.

        Core knows the Message-Id of what a user wrote, and nobody would hear of his typing error.
        """
        unknown = {recipient.address for recipient in delivery.mail.get_all("unknown")}
        return not unknown.isdisjoint(delivery.mail.recipients or unknown)

    @api.model
    def _get_loop_reason(self, delivery):
        if delivery.outcome.loop == "header":
            return _("Answer to a rejection that the gateway sent.")
        return self._add_told(delivery, _("Too many mails of this sender in a short time."))

    @api.model
    def _add_told(self, delivery, reason):
        """Return a reason, and whether the sender knows it."""
        if delivery.outcome.rejection:
            return _("%s The sender was told so.", reason)
        return f"{reason} {delivery.outcome.silence}".strip()

    def _get_route_code(self, delivery):
        if delivery.mail.automatic.kind == "replied":
            return "auto_reply"
        if delivery.outcome.is_reply:
            return "user_reply" if delivery.outcome.author_user_id else "reply"
        aliases = [route[4] for route in delivery.outcome.routes if route[4]]
        if not aliases:
            return "fallback"
        return "user_alias" if all(alias.is_user_alias for alias in aliases) else "alias"

    # ------------------------------------------------------------
    # UNKNOWN ADDRESSES
    # ------------------------------------------------------------

    def _handle_unrouted(self, delivery, raw, verdict):
        """Do with a mail that nobody gets what its domain says.

        :param Verdict verdict: core's, which holds where the domain does not know better
        """
        addresses = self._get_unknown_addresses(delivery)
        domain = self.env["mail.alias.domain"]
        domain = domain._find_by_address(addresses[0]) if addresses else domain
        if not domain:
            return verdict
        self.company_id = domain.company_ids[:1]
        reason = verdict.reason
        if delivery.mail.get_all("unknown"):
            reason = _("Nobody has the address %s.", ", ".join(addresses))
        alias, is_typo = self.env["mail.alias"]._find_similar(addresses[0])
        self.suggested_alias_id = alias
        if alias and is_typo and domain.unrouted_autocorrect:
            return self._redirect(delivery, raw, alias, addresses[0])
        fallback = domain.unrouted_alias_id
        # it may have lost its name since, or have moved to the domain of another company
        is_usable = fallback.alias_name and fallback.alias_domain_id == domain
        if domain.unrouted_policy == "forward" and is_usable:
            return self._redirect(delivery, raw, fallback, addresses[0])
        if domain.unrouted_policy == "bounce":
            return self._reject(delivery, raw, "unrouted", reason)
        return Verdict("unrouted", "review", reason)

    @api.model
    def _get_unknown_addresses(self, delivery):
        """Return our addresses that nobody has: those of the envelope, if it tells.

        Where all are somebody's, those of users who left and whom nobody follows.
        """
        recipients = delivery.mail.get_all("unknown") or delivery.mail.get_all("alias")
        unknown = [recipient.address for recipient in recipients]
        return [address for address in unknown if address in delivery.mail.recipients] or unknown

    def _redirect(self, delivery, raw, alias, address):
        """Deliver a mail to an alias that it was not written to, and say so above its text."""
        name = alias.alias_full_name
        note = self._get_redirect_note(address, alias)
        recipient = Recipient(name, "alias", name, "", (alias.id,))
        self.alias_ids |= alias
        return self._run_core(Delivery(delivery.mail.redirected(recipient, note)), raw)

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    def _reject(self, delivery, raw, code, reason):
        """Tell the sender of a mail that nobody gets it, as core tells him (RFC 3834).

        :param str code: the reason, in one word: who was told today is not told again
        :param str reason: the same for the administrator
        :return Verdict:
        """
        body = self._render_unrouted(
            self._get_unknown_addresses(delivery),
            self.company_id or self.env.company,
            [delivery.mail.sender],
        )
        delivery.outcome.rejection_code = code
        self._send_rejection(delivery, self._parse_header(raw), body)
        self._note_rejection(delivery)
        if delivery.outcome.rejection:
            return Verdict("unrouted", "bounced", _("%s The sender was told so.", reason))
        return Verdict("unrouted", "ignored", f"{reason} {delivery.outcome.silence}".strip())

    def _send_rejection(self, delivery, header, body, **values):
        tag = tools.generate_tracking_message_id("loop-detection-bounce-email")
        gateway = self.env["mail.thread"].with_context(catchall_delivery=delivery)
        gateway._routing_create_bounce_email(
            delivery.mail.sender,
            body,
            header,
            references=f"{self.message_id or ''} {tag}",
            **values,
        )

    def _note_rejection(self, delivery):
        """Remember who was told, so that nobody is told twice a day."""
        if delivery.outcome.rejection:
            address, code = delivery.outcome.rejection
            today = fields.Date.today()
            self.write(
                {"rejection_email": address, "rejection_code": code, "rejection_date": today}
            )

    @api.model
    def _parse_header(self, raw):
        """Return the header of a mail in the shape in which core handles mails, repaired."""
        return repair(cut_header(raw)[0]).message

    @api.model
    def _get_silence(self, delivery, address):
        """Return why a sender is not told that he is rejected, or an empty text.

        :param str address: normalized address that would be told
        """
        if not address or not may_answer(delivery.mail.fields):
            return _("It has no sender who can be told.")
        told = self.sudo().search_count(
            [
                ("rejection_email", "=", address),
                ("rejection_code", "=", delivery.outcome.rejection_code),
                ("rejection_date", "=", fields.Date.today()),
            ]
        )
        return _("The sender was told so today already.") if told else ""

    @api.model
    def _get_loop_mark(self):
        """Return what tells our own answers from everybody else's, in X-Catchall-Loop."""
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        return tools.hmac(self.env(su=True), "mail_catchall_gateway-loop", uuid)[:32]

    # ------------------------------------------------------------
    # REPORTS
    # ------------------------------------------------------------

    @api.model
    def _get_report_reason(self, delivery, message):
        """Return what a report says about which mail, in a sentence."""
        report = delivery.outcome.report
        kinds = {
            "failed": _("Not delivered to %s."),
            "delayed": _("Not yet delivered to %s; the mail server goes on trying."),
            "delivered": _("Delivered to %s."),
            "read": _("Read by %s."),
            "complaint": _("Reported as spam by %s."),
        }
        sentence = kinds.get(report.kind, _("A report that names nobody."))
        if "%s" in sentence:
            addresses = report.recipients or delivery.outcome.bounced
            sentence = sentence % (", ".join(addresses) or _("somebody"))
        about = _("It was “%s”.", message.subject or message.record_name) if message else ""
        return " ".join(filter(None, [sentence, report.reason, about]))
