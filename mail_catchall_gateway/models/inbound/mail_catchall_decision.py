from odoo import _, api, models

from ...tools.judging.automatic import spam_mark
from ...tools.judging.sender_authentication import authenticate
from ...tools.judging.verdict import Verdict

MEGABYTE = 1024 * 1024


class MailCatchallDecision(models.AbstractModel):
    """What is decided about a mail before core sees it: one list of steps.

    Other addons extend it by ``_inherit``. A step takes the row and what is known of the mail
    (:class:`InboundMail`), and returns a :class:`Verdict` or None.
    """

    _name = "mail.catchall.decision"
    _description = "Decisions about Inbound Emails"

    @api.model
    def _get_steps(self):
        """Return the names of the steps, in order. The first verdict ends the processing."""
        return [
            # before all others: our own test mail has no receiver, and is of no other kind
            "_step_probe",
            # first of all: nothing may happen twice, whatever the mail is
            "_step_duplicate",
            # before anything is done with the content
            "_step_too_large",
            # our own mail on its way back has no receiver: it would go round
            "_step_own_mail",
            # a manager decided about this sender: nothing about them needs to be found out
            "_step_blocked_sender",
            # the sender that it claims counts for all that follows
            "_step_sender_authentication",
            # the mail server looked at the content
            "_step_spam",
            # its recipients may stand below the end of what was read
            "_step_malformed",
            # last, because a mail without a receiver here may still be one of those above
            "_step_foreign_domain",
        ]

    @api.model
    def _get_trust_steps(self):
        """Return the steps that a manager overrules when they accept a mail."""
        return {
            "_step_too_large",
            "_step_own_mail",
            "_step_blocked_sender",
            "_step_sender_authentication",
            "_step_spam",
            "_step_foreign_domain",
        }

    @api.model
    def _decide(self, inbound, mail):
        """Return the first Verdict of the steps, or None; note on the row which it passed."""
        passed, verdict = [], None
        overruled = self._get_trust_steps() if mail.is_accepted else ()
        for step in self._get_steps():
            if step in overruled:
                continue
            verdict = getattr(self, step)(inbound, mail)
            if verdict:
                break
            passed.append(step.removeprefix("_step_").replace("_", " "))
        inbound.steps_passed = ", ".join(passed)
        return verdict

    def _step_probe(self, inbound, mail):
        """A test mail of the setup guide, or what a mail server reports about one."""
        reason = self.env["mail.catchall.setup.probe"]._recognize(inbound, mail)
        return Verdict("probe", "ignored", reason) if reason else None

    def _step_duplicate(self, inbound, mail):
        """A mail that came before, for recipients who have it."""
        if not mail.duplicate_of:
            return None
        reason = _("Received before, as inbound email %s.", mail.duplicate_of)
        return Verdict("duplicate", "ignored", reason)

    def _step_too_large(self, inbound, mail):
        """A mail that is larger than its mailbox takes."""
        limit = inbound.server_id.max_message_size
        if not limit or inbound.size <= limit * MEGABYTE:
            return None
        reason = _(
            "%(size)s MB are more than the %(limit)s MB that the mailbox takes.",
            size=round(inbound.size / MEGABYTE, 1),
            limit=limit,
        )
        return Verdict("too_large", "review", reason)

    def _step_own_mail(self, inbound, mail):
        """A mail that the gateway wrote itself, or that names it as its sender."""
        mark = self.env["mail.catchall.rejection"]._get_loop_mark()
        fields = ((name.lower(), value) for name, value in mail.fields)
        if any(name == "x-catchall-loop" and value.strip() == mark for name, value in fields):
            return Verdict("loop", "ignored", _("Our own answer, that came back."))
        domains, users = self.env["mail.alias.domain"], self.env["res.users"]
        if not domains._is_gateway_address(mail.sender) or users._find_by_alias(mail.sender):
            return None
        reason = _("Its sender %s is an address of the gateway, and no person's.", mail.sender)
        return Verdict("loop", "ignored", reason)

    def _step_blocked_sender(self, inbound, mail):
        """A sender whom a manager blocked."""
        blocked = self.env["mail.catchall.blocked"]._find(mail.sender)
        if not blocked:
            return None
        reason = _(
            "%(user)s blocked %(sender)s.", user=blocked.create_uid.name, sender=blocked.email
        )
        return Verdict("sender_rejected", "ignored", reason)

    def _step_sender_authentication(self, inbound, mail):
        """A mail from our own people that the mail server could not confirm (RFC 8601)."""
        server = inbound.server_id
        authserv_id = server.trusted_authserv_id
        policy, owner = self._get_authentication_policy(mail.sender) if authserv_id else ("off", "")
        if policy == "off":
            return None
        domain = mail.sender.rpartition("@")[2]
        found = authenticate(mail.fields, authserv_id, domain, server.trusted_hops)
        if found.result == "pass" or (found.result == "none" and policy == "review"):
            return None
        reason = _(
            "It says that %(sender)s (%(owner)s) wrote it, and the mail server could not confirm "
            "that: %(detail)s.",
            sender=mail.sender,
            owner=owner,
            detail=found.detail or _("no result"),
        )
        return Verdict("sender_rejected", "ignored" if policy == "reject" else "review", reason)

    def _get_authentication_policy(self, sender):
        """Return the policy for a sender, and the name of the user or domain they claim to be."""
        domain = self.env["mail.alias.domain"]._find_by_address(sender)
        if domain:
            return domain.authentication_policy, domain.name
        # sudo: whose own address the sender is; the name stands in the reason, for managers
        users = self.env["res.users"].sudo()
        user = users.search([("email_normalized", "=", sender)]) if sender else users
        user = user.filtered(lambda u: not u.share)[:1]
        # the second of their own addresses
        user = user or users.browse(users._get_identities().get(sender, [])[:1])
        domain = user.company_id.alias_domain_id
        return (domain.authentication_policy if domain else "off"), user.name

    def _step_spam(self, inbound, mail):
        """A mail that the mail server marked as spam, where the settings say so."""
        # sudo: a switch among the system parameters
        parameters = self.env["ir.config_parameter"].sudo()
        if not parameters.get_param("mail_catchall_gateway.review_spam"):
            return None
        mark = spam_mark(mail.fields)
        # sudo: core's list of allowed senders; yes or no
        allowed = self.env["mail.gateway.allowed"].sudo()
        if not mark or allowed.search_count([("email_normalized", "=", mail.sender)]):
            return None
        return Verdict("spam", "review", _("The mail server marked it: %s.", mark))

    def _step_malformed(self, inbound, mail):
        """A mail whose header is longer than any that people send."""
        return Verdict("malformed", "review", mail.malformed) if mail.malformed else None

    def _step_foreign_domain(self, inbound, mail):
        """A mail without a recipient in our domains, that answers nothing of ours."""
        if mail.get_all("alias", "service", "unknown") or not mail.resolved:
            return None
        if inbound.server_id.object_id or self.env["mail.catchall.parent"]._find(mail):
            return None
        addresses = ", ".join(list(mail.resolved)[:5])
        reason = _("None of its recipients is in one of our domains: %s.", addresses)
        return Verdict("foreign_domain", "ignored", reason)
