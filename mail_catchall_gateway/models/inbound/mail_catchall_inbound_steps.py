from odoo import _, api, models

from ...tools.addresses.addresses import normalize_address
from ...tools.addresses.recipients import address_fields, envelope_recipients, header_recipients
from ...tools.judging.automatic import classify, spam_mark
from ...tools.judging.delivery import Delivery, InboundMail
from ...tools.judging.sender_authentication import authenticate
from ...tools.judging.verdict import Verdict
from ...tools.message import source

MEGABYTE = 1024 * 1024


class MailCatchallInbound(models.Model):
    """What is decided about a mail before core sees it."""

    _inherit = "mail.catchall.inbound"

    @api.model
    def _get_steps(self):
        """Return the steps that may decide about a mail before core sees it, in order.

        Each is the name of a method that takes the Delivery, and returns a Verdict or None. The
        first verdict ends the processing; the names of those before it are kept.
        """
        return [
            # first of all: nothing may happen twice, whatever the mail is
            "_step_duplicate",
            # before anything is done with the content
            "_step_too_large",
            # our own mail on its way back is nobody's: it would go round
            "_step_own_mail",
            # somebody decided about this sender, so that nothing about him needs to be found out
            "_step_blocked_sender",
            # who it claims to be counts for all that follows
            "_step_sender_authentication",
            # the mail server looked at the content
            "_step_spam",
            # who it is for may stand below the end of what was read
            "_step_malformed",
            # last, because a mail for nobody here may still be one of those above
            "_step_foreign_domain",
        ]

    @api.model
    def _get_trust_steps(self):
        """Return the steps that a manager overrules when he accepts a mail."""
        return {
            "_step_too_large",
            "_step_own_mail",
            "_step_blocked_sender",
            "_step_sender_authentication",
            "_step_spam",
            "_step_foreign_domain",
        }

    def _process(self):
        """Decide about this mail and deliver it.

        :return Verdict:
        :raise Exception: whatever core raises
        """
        self.ensure_one()
        raw = self._get_source()
        delivery = self._prepare_delivery(raw)
        return self._decide(delivery) or self._deliver(delivery, raw)

    def _decide(self, delivery):
        """Take the steps, and note which.

        :return: the first Verdict, or None
        """
        passed, verdict = [], None
        overruled = self._get_trust_steps() if self.is_accepted else ()
        for step in self._get_steps():
            if step in overruled:
                continue
            verdict = getattr(self, step)(delivery)
            if verdict:
                break
            passed.append(step.removeprefix("_step_").replace("_", " "))
        self.steps_passed = ", ".join(passed)
        return verdict

    # ------------------------------------------------------------
    # WHAT IS KNOWN
    # ------------------------------------------------------------

    def _prepare_delivery(self, raw):
        """Find out for whom this mail is.

        :return Delivery:
        """
        header = source.header_fields(raw)
        envelope = self._get_recipients(header)
        named = header_recipients(header)
        sender = self._get_sender(header)
        delivery = Delivery(InboundMail(fields=header, sender=sender, is_accepted=self.is_accepted))
        delivery.mail.malformed = source.cut_header(raw)[1]
        delivery.mail.automatic = classify(header)
        delivery.mail.resolved = self.env["mail.catchall.recipients"]._resolve_recipients(
            (*envelope, *named), envelope
        )
        delivery.mail.recipients = tuple(map(delivery.mail.get_target, envelope))
        delivery.mail.header_recipients = tuple(map(delivery.mail.get_target, named))
        if not self.message_id and delivery.mail.recipients:
            # its copies cannot be told from other mails: each is for its own recipients alone
            delivery.mail.only = delivery.mail.recipients
        served = None if delivery.mail.only is None else set(delivery.mail.only)
        details = {recipient.detail for recipient in delivery.mail.resolved.values()} - {""}
        self.write(
            {
                "recipients": ", ".join(envelope),
                "alias_ids": [(6, 0, sorted(delivery.mail.get_alias_ids(served)))],
                "subaddress": ", ".join(sorted(details)),
            }
        )
        return delivery

    def _get_recipients(self, header):
        """Return the envelope recipients: as given by the caller, else as the header tells."""
        if self.envelope_to:
            return tuple(map(normalize_address, self.envelope_to.split(", ")))
        server = self.server_id
        names, mailbox_addresses = server._get_recipient_settings()
        found = envelope_recipients(header, names, mailbox_addresses, server.trusted_hops)
        return found.addresses

    @api.model
    def _get_sender(self, header):
        return next(iter(address_fields(header, ("from",))), "")

    @api.model
    def _find_parent(self, delivery):
        """Return the message that a mail answers, if its thread still exists."""
        values = {name.lower(): value for name, value in reversed(delivery.mail.fields)}
        thread = self.env["mail.thread"].with_context(catchall_delivery=delivery)
        parent = thread._get_parent_message(
            {
                "in_reply_to": source.decode_ids(values.get("in-reply-to", "")),
                "references": source.decode_ids(values.get("references", "")),
            }
        )
        if not parent or not parent.res_id or parent.model not in self.env:
            return self.env["mail.message"]
        exists = self.env[parent.model].sudo().browse(parent.res_id).exists()
        return parent if exists else self.env["mail.message"]

    # ------------------------------------------------------------
    # STEPS
    # ------------------------------------------------------------

    def _step_duplicate(self, delivery):
        """A mail that came before, but for recipients whom only this copy tells.

        A catch-all mailbox gets a copy for each of our recipients. Another mailbox, or the same
        after a crash, may have it too. The Message-Id of what a user sends from his own mailbox
        is not that of the message, so that core does not know it again.
        """
        found = self._find_earlier(delivery)
        earlier = found.filtered(lambda inbound: not inbound._is_another_mail(self))
        delivery.mail.has_used_id = found != earlier
        if not earlier:
            return None
        done = earlier.filtered(lambda inbound: inbound.state == "delivered")
        unknown = {recipient.address for recipient in delivery.mail.get_all("unknown")}
        unknown &= set((self.recipients or "").split(", "))
        for inbound in earlier:
            unknown.difference_update((inbound.recipients or "").split(", "))
        self.alias_ids -= done.alias_ids
        same = earlier.filtered(lambda inbound: inbound._get_addressees() == self._get_addressees())
        if not unknown and (not self.alias_ids or same):
            reason = _("Received before, as inbound email %s.", (same or earlier)[0].id)
            return Verdict("duplicate", "ignored", reason)
        if done:
            targets = delivery.mail.get_targets(self.alias_ids.ids)
            delivery.mail.is_copy, delivery.mail.only = True, tuple(sorted(targets))
        return None

    def _find_earlier(self, delivery):
        """Return the rows of this mail that came before and were decided about.

        Without a Message-Id it is the same only to the last octet, its Received lines included: a
        mailbox that was numbered anew (UIDVALIDITY), or a mail server that was not sure.
        """
        domain = [
            ("id", "!=", self.id),
            ("state", "in", ("delivered", "review", "bounced", "discarded")),
        ]
        if self.message_id:
            return self.search([("message_id", "=", self.message_id), *domain], order="id")
        if not any(name.lower() == "received" for name, _value in delivery.mail.fields):
            return self.browse()
        same_size = self.search([("message_id", "=", ""), ("size", "=", self.size), *domain])
        source = self._get_source_attachments()
        same = same_size._get_source_attachments().filtered(lambda a: a.checksum == source.checksum)
        return self.browse(sorted(same.mapped("res_id")))

    def _get_addressees(self):
        """Return whom a mail was delivered for; where nothing tells, whom it names."""
        return self.recipients or (self.email_to, self.email_cc)

    def _is_another_mail(self, other):
        """Tell whether a program gave two different mails the same Message-Id.

        A list changes the subject of a copy, and who sends a mail once more its date: not both.
        """
        dates = {self.date, other.date} - {False}
        return len(dates) == 2 and (self.name or "") != (other.name or "")

    def _step_too_large(self, delivery):
        """A mail that is larger than its mailbox takes."""
        limit = self.server_id.max_message_size
        if not limit or self.size <= limit * MEGABYTE:
            return None
        reason = _(
            "%(size)s MB are more than the %(limit)s MB that the mailbox takes.",
            size=round(self.size / MEGABYTE, 1),
            limit=limit,
        )
        return Verdict("too_large", "review", reason)

    def _step_own_mail(self, delivery):
        """A mail that the gateway wrote itself, or that names it as its sender."""
        mark = self._get_loop_mark()
        fields = ((name.lower(), value) for name, value in delivery.mail.fields)
        if any(name == "x-catchall-loop" and value.strip() == mark for name, value in fields):
            return Verdict("loop", "ignored", _("Our own answer, that came back."))
        domains, users = self.env["mail.alias.domain"], self.env["res.users"]
        if not domains._is_gateway_address(delivery.mail.sender):
            return None
        if users._find_by_alias(delivery.mail.sender):
            return None
        reason = _(
            "Its sender %s is an address of the gateway, and no person's.", delivery.mail.sender
        )
        return Verdict("loop", "ignored", reason)

    def _step_blocked_sender(self, delivery):
        """A sender whose mail somebody does not want."""
        blocked = self.env["mail.catchall.blocked"]._find(delivery.mail.sender)
        if not blocked:
            return None
        reason = _(
            "%(user)s blocked %(sender)s.", user=blocked.create_uid.name, sender=blocked.email
        )
        return Verdict("sender_rejected", "ignored", reason)

    def _step_sender_authentication(self, delivery):
        """A mail from our own people that the mail server could not confirm (RFC 8601)."""
        authserv_id = self.server_id.trusted_authserv_id
        policy, owner = self._get_authentication_policy(delivery) if authserv_id else ("off", "")
        if policy == "off":
            return None
        domain = delivery.mail.sender.rpartition("@")[2]
        found = authenticate(delivery.mail.fields, authserv_id, domain, self.server_id.trusted_hops)
        if found.result == "pass" or (found.result == "none" and policy == "review"):
            return None
        reason = _(
            "It says that %(sender)s (%(owner)s) wrote it, and the mail server could not confirm "
            "that: %(detail)s.",
            sender=delivery.mail.sender,
            owner=owner,
            detail=found.detail or _("no result"),
        )
        return Verdict("sender_rejected", "ignored" if policy == "reject" else "review", reason)

    def _get_authentication_policy(self, delivery):
        """Return the policy for the sender of a mail and who of us he is.

        :return tuple: policy, and the name of the user or domain; ``off`` for anybody else
        """
        domain = self.env["mail.alias.domain"]._find_by_address(delivery.mail.sender)
        if domain:
            return domain.authentication_policy, domain.name
        users = self.env["res.users"].sudo()
        user = (
            users.search([("email_normalized", "=", delivery.mail.sender)])
            if delivery.mail.sender
            else users
        )
        user = user.filtered(lambda u: not u.share)[:1]
        # the second of his own addresses
        user = user or users.browse(users._get_identities().get(delivery.mail.sender, [])[:1])
        domain = user.company_id.alias_domain_id
        return (domain.authentication_policy if domain else "off"), user.name

    def _step_spam(self, delivery):
        """A mail that the mail server marked as spam, where the settings say so."""
        parameters = self.env["ir.config_parameter"].sudo()
        if not parameters.get_param("mail_catchall_gateway.review_spam"):
            return None
        mark = spam_mark(delivery.mail.fields)
        if not mark or self._is_allowed_sender(delivery):
            return None
        return Verdict("spam", "review", _("The mail server marked it: %s.", mark))

    def _is_allowed_sender(self, delivery):
        allowed = self.env["mail.gateway.allowed"].sudo()
        return bool(allowed.search_count([("email_normalized", "=", delivery.mail.sender)]))

    def _step_malformed(self, delivery):
        """A mail whose header is longer than any that people send."""
        return (
            Verdict("malformed", "review", delivery.mail.malformed)
            if delivery.mail.malformed
            else None
        )

    def _step_foreign_domain(self, delivery):
        """A mail that nobody of us is a recipient of, and that answers nothing of ours."""
        if delivery.mail.get_all("alias", "service", "unknown") or not delivery.mail.resolved:
            return None
        if self.server_id.object_id or self._find_parent(delivery):
            return None
        addresses = ", ".join(list(delivery.mail.resolved)[:5])
        reason = _("None of its recipients is in one of our domains: %s.", addresses)
        return Verdict("foreign_domain", "ignored", reason)
