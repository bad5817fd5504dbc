import functools
import logging

from odoo import api, models
from odoo.service.model import retrying

from ...tools.addresses.addresses import normalize_address
from ...tools.mailbox.lmtp_reply import refuse_recipient

_logger = logging.getLogger(__name__)


class MailCatchallInbound(models.Model):
    """What the listener (``cli/``) asks when a mail server hands mail over by LMTP."""

    _inherit = "mail.catchall.inbound"

    @api.model
    def _refuse_recipient(self, address, server):
        """Return why mail for an address is refused while it is being handed over (RFC 2033).

        Only what would be rejected afterwards for sure: an address of a domain that tells senders
        so, that nobody has, and that no setting delivers elsewhere.

        :param str address: envelope recipient
        :param server: mailbox whose settings count, or none
        :return str: reply, or an empty one
        """
        address = normalize_address(address)
        aliases = self.env["mail.alias"]
        recipients = self.env["mail.catchall.recipients"]
        recipient = recipients._resolve_recipients((address,), (address,))[address]
        domain = self.env["mail.alias.domain"]._find_by_address(address)
        if domain.unrouted_policy != "bounce" or server.object_id:
            return ""
        found = aliases.sudo().browse(recipient.alias_ids)
        if recipient.kind not in ("unknown", "alias") or not self._has_left(found):
            return ""
        alias, is_typo = recipients._find_similar(address)
        if is_typo and domain.unrouted_autocorrect:
            return ""
        return refuse_recipient((alias - found).alias_full_name)

    @api.model
    def _has_left(self, aliases):
        """Tell whether nobody gets the mail of these aliases; so of none."""
        return all(alias.is_user_alias and not alias._get_receiving_user() for alias in aliases)

    @api.model
    def _receive_by_lmtp(self, raw, sender, recipients, server_id):
        """Take in a mail, one row for all recipients of the transaction, and commit it.

        :return str: reply to each recipient
        """
        receive = functools.partial(self.receive, raw, recipients, server_id)
        inbound = self.browse(retrying(receive, self.env))
        _logger.info(
            "Mail from %s to %s with Message-Id %s: stored as email %s",
            sender,
            ", ".join(recipients),
            inbound.message_id,
            inbound.id,
        )
        return f"250 2.1.5 Stored as email {inbound.id}"
