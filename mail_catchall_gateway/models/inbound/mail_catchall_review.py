import logging

from markupsafe import Markup

from odoo import _, api, models, tools
from odoo.exceptions import UserError
from odoo.service.model import PG_CONCURRENCY_ERRORS_TO_RETRY

from ...tools.addresses.recipients import header_recipients
from ...tools.judging.delivery import Delivery
from ...tools.judging.verdict import Verdict
from ...tools.message.header_text import storable
from ...tools.message.preview import block_remote, read_content
from ...tools.message.source import header_fields

_logger = logging.getLogger(__name__)


class MailCatchallReview(models.AbstractModel):
    """What managers decide about mail that the gateway could not, or would not, deliver.

    The buttons stand on ``mail.catchall.inbound`` and its dialogs; here is what they do.
    """

    _name = "mail.catchall.review"
    _description = "Review of Inbound Emails"

    @api.model
    def _review(self, inbounds, action, process, note=""):
        """Do something with each mail, note the user who did it, and write its state.

        :param str action: what was done, in a word
        :param process: function of this model and one mail, as superuser, that returns a Verdict
        :param str note: details for the log
        :raise AccessError: if the user is no manager of this mail
        :raise UserError: if there is nothing to decide about a mail
        """
        inbounds._check_reviewable()
        # sudo: managers write no inbound email themselves
        for inbound in inbounds.sudo():
            if not self.env["mail.catchall.queue"]._lock_for_transaction(inbound):
                raise UserError(
                    _("A copy of “%s” is being processed. Try again in a moment.", inbound.name)
                )
            verdict = self._try(inbound, process)
            inbound._finish(verdict)
            inbound._log(action, note or verdict.reason)
        self.env["mail.catchall.queue"]._trigger_mail_queue()

    @api.model
    def _try(self, inbound, process):
        """Return the verdict of a function; an error stops only this mail, and loses nothing."""
        # sudo: as OdooBot, whoever pressed the button: nothing becomes theirs
        row = inbound.with_user(self.env.ref("base.user_root")).sudo()
        try:
            with self.env.cr.savepoint():
                return process(row.env[self._name], row)
        except UserError:
            raise
        except Exception as error:
            if getattr(error, "pgcode", None) in PG_CONCURRENCY_ERRORS_TO_RETRY:
                raise
            inbound.invalidate_recordset()
            _logger.warning("Mail with Message-Id %s failed", inbound.message_id, exc_info=True)
            return Verdict("error", "failed", str(error))

    @api.model
    def _render_preview(self, inbound):
        """Return what a manager sees of a mail: its text without its images, its files' names."""
        try:
            text, is_html, names = read_content(inbound._get_source())
        except UserError as error:
            return Markup("<p><i>%s</i></p>") % error
        if is_html:
            html = tools.html_sanitize(
                text, sanitize_attributes=True, strip_style=True, strip_classes=True
            )
            body = Markup(block_remote(storable(str(html))))
        else:
            body = tools.plaintext2html(storable(text)) if text.strip() else ""
        if not body and inbound.size:
            body = Markup("<p><i>%s</i></p>") % _("It has no text that could be shown.")
        if names:
            attached = _("Attachments: %s", storable(", ".join(names)))
            body += Markup("<p><i>%s</i></p>") % attached
        return body

    @api.model
    def _get_written_to(self, inbound):
        """Return for whom a mail was delivered, or else the recipients that it names."""
        recipients = inbound._split_recipients()
        return recipients or list(header_recipients(header_fields(inbound._get_source())))

    @api.model
    def _get_recipients(self, inbound):
        """Return what the addresses of :meth:`_get_written_to` stand for."""
        resolve = self.env["mail.catchall.recipients"]._resolve_recipients
        return resolve(self._get_written_to(inbound)).values()

    @api.model
    def _get_unknown(self, inbound):
        """Return the unknown ones of a mail's recipients."""
        return [r.address for r in self._get_recipients(inbound) if r.kind == "unknown"]

    @api.model
    def _check_may_redirect(self, inbound, alias=None):
        """Raise if a letter to others, which no manager has to look into, would go elsewhere.

        It belongs to its recipients. A manager would read it by delivering it to themselves.
        """
        recipients = [r for r in self._get_recipients(inbound) if r.kind == "alias"]
        is_copy = inbound.verdict_code == "duplicate"
        if inbound.is_open or not (recipients or is_copy):
            return
        if alias and any(alias.id in recipient.alias_ids for recipient in recipients):
            return
        name = inbound.name or inbound.message_id
        if is_copy:
            raise UserError(_("“%s” was delivered: its copies go to nobody else.", name))
        raise UserError(_("“%s” can only be delivered to the addresses it was written to.", name))

    @api.model
    def _prepare_accepted(self, inbound):
        """Return what is known about a mail that a manager wants to be delivered."""
        inbound.is_accepted = True
        return self.env["mail.catchall.gateway"]._prepare_mail(inbound, inbound._get_source())

    @api.model
    def _route_to(self, inbound, alias):
        """Deliver a mail to an alias, whatever its recipients."""
        self._check_may_redirect(inbound, alias)
        mail = self._prepare_accepted(inbound)
        return self.env["mail.catchall.gateway"]._deliver_to(inbound, mail, alias)

    @api.model
    def _attach_to(self, inbound, document):
        """Post a mail on a document, whatever its recipients."""
        self._check_may_redirect(inbound)
        mail = self._prepare_accepted(inbound).redirected()
        gateway = self.env["mail.catchall.gateway"]
        delivery = gateway._run_core(inbound, mail, document._name, document.id)
        return gateway._conclude(inbound, delivery)

    @api.model
    def _send_back(self, inbound, body):
        """Tell the sender of a mail by this text that it has no receiver."""
        mail = self.env["mail.catchall.gateway"]._prepare_mail(inbound, inbound._get_source())
        delivery = Delivery(mail)
        delivery.outcome.rejection_code = f"manual-{inbound.id}"
        if not self.env["mail.catchall.rejection"]._send(inbound, delivery, body):
            why = delivery.outcome.silence
            raise UserError(_("“%(subject)s”: %(why)s", subject=inbound.name, why=why))
        return Verdict(inbound.verdict_code, "bounced", _("Sent back by hand."))
