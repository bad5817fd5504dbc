from odoo import _, api, models
from odoo.fields import Command

from ...tools.addresses.addresses import normalize_address
from ...tools.addresses.recipients import address_fields, envelope_recipients, header_recipients
from ...tools.judging.automatic import classify
from ...tools.judging.delivery import CONTEXT_KEY, Delivery, InboundMail, Recipient
from ...tools.judging.verdict import Verdict
from ...tools.message import source
from ...tools.message.repair import MalformedMail, repair


class MailCatchallGateway(models.AbstractModel):
    """The way of one inbound email: find out what it is, hand it over to core, and conclude.

    What is decided before core sees the mail stands in ``mail.catchall.decision``, what a sender
    is told in ``mail.catchall.rejection``. Core routes and posts.
    """

    _name = "mail.catchall.gateway"
    _description = "Gateway for Inbound Emails"

    @api.model
    def _process(self, inbound):
        """Decide about an inbound email, deliver it, and return the Verdict."""
        mail = self._prepare_mail(inbound, inbound._get_source())
        mail = self._compare_with_earlier(inbound, mail)
        verdict = self.env["mail.catchall.decision"]._decide(inbound, mail)
        return verdict or self._deliver(inbound, mail)

    @api.model
    def _prepare_mail(self, inbound, raw):
        """Return what is known about a mail (an InboundMail), and note it on its row."""
        header = source.header_fields(raw)
        envelope, named = self._get_envelope(inbound, header), header_recipients(header)
        recipients = self.env["mail.catchall.recipients"]
        mail = InboundMail(
            fields=header,
            malformed=source.cut_header(raw)[1],
            sender=self._get_sender(header),
            automatic=classify(header),
            resolved=recipients._resolve_recipients((*envelope, *named), envelope),
            is_accepted=inbound.is_accepted,
            source=raw,
        )
        served = tuple(map(mail.get_target, envelope))
        mail = mail.replace(
            recipients=served,
            header_recipients=tuple(map(mail.get_target, named)),
            # without a Message-Id its copies cannot be told from other mails: each is for its own
            # recipients alone
            only=None if inbound.message_id or not served else served,
        )
        served = None if mail.only is None else set(mail.only)
        details = {recipient.detail for recipient in mail.resolved.values()} - {""}
        inbound.write(
            {
                "recipients": ", ".join(envelope),
                "alias_ids": [Command.set(sorted(mail.get_alias_ids(served)))],
                "subaddress": ", ".join(sorted(details)),
                "company_id": (recipients._find_company(mail) or inbound.company_id).id,
            }
        )
        return mail

    @api.model
    def _get_envelope(self, inbound, header):
        """Return the envelope recipients: as given by the caller, else as the header tells."""
        if inbound.envelope_to:
            return tuple(map(normalize_address, inbound.envelope_to.split(", ")))
        server = inbound.server_id
        names, mailbox_addresses = server._get_recipient_settings()
        return envelope_recipients(header, names, mailbox_addresses, server.trusted_hops).addresses

    @api.model
    def _get_sender(self, header):
        return next(iter(address_fields(header, ("from",))), "")

    @api.model
    def _compare_with_earlier(self, inbound, mail):
        """Leave of a mail that came before only the recipients whom this copy alone tells.

        A catch-all mailbox gets a copy for each of our recipients. Another mailbox, or the same
        after a crash, may have it too. The Message-Id of what a user sends from their own mailbox
        is not that of the message, so that core does not know it again.
        """
        found = inbound._find_earlier(mail.fields)
        earlier = found.filtered(lambda other: not other._is_another_mail(inbound))
        mail = mail.replace(has_used_id=found != earlier)
        if not earlier:
            return mail
        done = earlier.filtered(lambda other: other.state == "delivered")
        unknown = mail.get_unknown() & set(inbound._split_recipients())
        for other in earlier:
            unknown.difference_update(other._split_recipients())
        inbound.alias_ids -= done.alias_ids
        same = earlier.filtered(lambda other: other._get_addressees() == inbound._get_addressees())
        if not unknown and (not inbound.alias_ids or same):
            return mail.replace(duplicate_of=(same or earlier)[0].id)
        if done:
            targets = mail.get_targets(inbound.alias_ids.ids)
            mail = mail.replace(is_copy=True, only=tuple(sorted(targets)))
        return mail

    @api.model
    def _deliver(self, inbound, mail):
        """Let core route and post a mail, and return the Verdict."""
        delivery = self._run_core(inbound, mail)
        verdict = self._conclude(inbound, delivery)
        if (verdict.code, verdict.action) == ("unrouted", "review"):
            return self._handle_unrouted(inbound, delivery, verdict)
        if verdict.action == "delivered" and verdict.code in ("alias", "user_alias"):
            self._split_unknown(inbound, mail)
        return verdict

    @api.model
    def _run_core(self, inbound, mail, model=None, thread_id=None):
        """Call core's gateway, and return the Delivery.

        :param str model: where the mail goes if nobody else gets it; without, as its mailbox says
        """
        server = inbound.server_id
        try:
            delivery = Delivery(mail.replace(repaired=repair(mail.source, mail.is_ours)))
            gateway = self.env["mail.thread"].with_context(
                fetchmail_cron_running=True,
                default_fetchmail_server_id=server.id,
                mail_notify_force_send=False,
                image_no_postprocess=True,  # Pillow unpacks 170 million pixels if it is asked to
                **{CONTEXT_KEY: delivery},
            )
            gateway.message_process(
                model or server.object_id.model,
                b"",  # message_parse puts in what was repaired, so that it is parsed only once
                save_original=server.original,
                strip_attachments=bool(server) and not server.attach,
                thread_id=thread_id,
            )
        except MalformedMail as error:
            delivery = Delivery(mail)
            delivery.outcome.verdict = Verdict("malformed", "review", str(error))
            return delivery
        self._link_messages(inbound, delivery.outcome)
        self.env["mail.catchall.rejection"]._note(inbound, delivery.outcome)
        return delivery

    @api.model
    def _link_messages(self, inbound, outcome):
        """Note what a mail became."""
        if not outcome.routes or not outcome.posted:
            return
        posted = sorted(outcome.posted, reverse=True)
        messages = self.env["mail.message"].browse(message_id for message_id, *_rest in posted)
        kind = "mail.catchall.conversation"
        conversations = [res_id for _message_id, model, res_id in posted if model == kind]
        _message_id, res_model, res_id = posted[0]
        inbound.write(
            {
                "mail_message_ids": [Command.link(message.id) for message in messages],
                "conversation_id": (conversations or inbound.conversation_id.ids or [False])[-1],
                "res_model": res_model,
                "res_id": res_id,
                "company_id": messages[0].record_company_id.id,
            }
        )

    @api.model
    def _split_unknown(self, inbound, mail):
        """Have the queue decide about unknown recipients, as about a copy for them.

        Only where the sender names them: an envelope may tell the mailbox by a name of its own.
        """
        unknown = mail.get_unknown() & set(mail.recipients) & set(mail.header_recipients)
        if not unknown:
            return
        known = [address for address in inbound._split_recipients() if address not in unknown]
        inbound.recipients = ", ".join(known)
        values = {"server_id": inbound.server_id.id, "envelope_to": ", ".join(sorted(unknown))}
        inbound._store([(mail.source, values)])
        self.env["mail.catchall.queue"]._trigger()

    @api.model
    def _conclude(self, inbound, delivery):
        """Return the verdict on a mail that core has processed."""
        mail, outcome = delivery.mail, delivery.outcome
        if outcome.verdict:
            return outcome.verdict
        if outcome.loop == "header":
            return Verdict("loop", "ignored", _("Answer to a rejection that the gateway sent."))
        if outcome.loop:
            reason = _("Too many mails of this sender in a short time.")
            return Verdict("loop", "ignored", self._add_told(outcome, reason))
        if outcome.routes is None and not self._is_for_nobody(mail):
            return Verdict("duplicate", "ignored", _("A message with this Message-Id exists."))
        if outcome.rejected_by and not outcome.routes:
            reason = _("Its sender may not write to %s.", outcome.rejected_by)
            return Verdict("sender_rejected", "bounced", self._add_told(outcome, reason))
        if not outcome.routes and outcome.is_rejected:
            reason = _("Written to the catchall address itself.")
            return Verdict("unrouted", "bounced", self._add_told(outcome, reason))
        if not outcome.routes:
            reason = outcome.unrouted or _("The alias it was written to is not set up correctly.")
            return Verdict("unrouted", "review", reason)
        reason = mail.note
        if mail.repaired.notes:
            repaired = _("Repaired, to be readable: %s.", ", ".join(mail.repaired.notes))
            reason = f"{reason} {repaired}".strip()
        return Verdict(self._get_route_code(delivery), "delivered", reason)

    @api.model
    def _is_for_nobody(self, mail):
        """Tell whether a mail was delivered for an unknown address of ours.

        Core knows the Message-Id of what a user wrote, and their typing error would be lost.
        """
        unknown = mail.get_unknown()
        return not unknown.isdisjoint(mail.recipients or unknown)

    @api.model
    def _add_told(self, outcome, reason):
        """Return a reason, and whether the sender knows it."""
        if outcome.rejection:
            return _("%s The sender was told so.", reason)
        return f"{reason} {outcome.silence}".strip()

    @api.model
    def _get_route_code(self, delivery):
        outcome = delivery.outcome
        if delivery.mail.is_machine_answer:
            return "auto_reply"
        if outcome.is_reply:
            return "user_reply" if outcome.author_user_id else "reply"
        aliases = [route[4] for route in outcome.routes if route[4]]
        if not aliases:
            return "fallback"
        return "user_alias" if all(alias.is_user_alias for alias in aliases) else "alias"

    @api.model
    def _handle_unrouted(self, inbound, delivery, verdict):
        """Do with a mail without a receiver what its domain says.

        :param Verdict verdict: core's, which holds where the domain does not know better
        """
        mail = delivery.mail
        addresses = self._get_unknown_addresses(mail)
        domain = self.env["mail.alias.domain"]
        domain = domain._find_by_address(addresses[0]) if addresses else domain
        if not domain:
            return verdict
        inbound.company_id = domain.company_ids[:1]
        reason = verdict.reason
        if mail.get_unknown():
            reason = _("Nobody has the address %s.", ", ".join(addresses))
        alias, is_typo = self.env["mail.catchall.recipients"]._find_similar(addresses[0])
        inbound.suggested_alias_id = alias
        if alias and is_typo and domain.unrouted_autocorrect:
            return self._redirect(inbound, mail, alias, addresses[0])
        fallback = domain.unrouted_alias_id
        # it may have lost its name since, or have moved to the domain of another company
        is_usable = fallback.alias_name and fallback.alias_domain_id == domain
        if domain.unrouted_policy == "forward" and is_usable:
            return self._redirect(inbound, mail, fallback, addresses[0])
        if domain.unrouted_policy == "bounce":
            rejection = self.env["mail.catchall.rejection"]
            return rejection._reject(inbound, delivery, addresses, reason)
        return Verdict("unrouted", "review", reason)

    @api.model
    def _get_unknown_addresses(self, mail):
        """Return our unknown addresses that a mail is for: those of the envelope, if it tells.

        Where all are known, those of users who left and whose mail has no other receiver.
        """
        recipients = mail.get_all("unknown") or mail.get_all("alias")
        unknown = [recipient.address for recipient in recipients]
        return [address for address in unknown if address in mail.recipients] or unknown

    @api.model
    def _redirect(self, inbound, mail, alias, address):
        """Deliver a mail to an alias that it was not written to, and say so above its text."""
        return self._deliver_to(
            inbound, mail, alias, self._get_redirect_note(inbound, alias, address)
        )

    @api.model
    def _deliver_to(self, inbound, mail, alias, note=""):
        """Deliver a mail to one alias, whatever its recipients, with a note above its text."""
        name = alias.alias_full_name
        recipient = Recipient(name, "alias", name, "", (alias.id,))
        inbound.alias_ids |= alias
        delivery = self._run_core(inbound, mail.redirected(recipient, note))
        return self._conclude(inbound, delivery)

    @api.model
    def _get_redirect_note(self, inbound, alias, address):
        """Return what stands above a mail that was not written to this alias.

        In the language of the user who reads it, or else of the company.
        """
        reader = alias._get_receiving_user().partner_id
        lang = reader._get_mail_lang(inbound.company_id or self.env.company)
        self = self.with_context(lang=lang)
        return _(
            "Written to %(address)s, delivered to %(alias)s.",
            address=address,
            alias=alias.alias_full_name,
        )
