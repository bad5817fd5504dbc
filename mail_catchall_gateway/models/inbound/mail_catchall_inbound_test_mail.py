import re
import secrets
import time

from odoo import _, api, fields, models, tools
from odoo.tools import consteq

from ...tools.judging.verdict import Verdict

_PROBE = re.compile(r"probe\.([0-9a-f]{12})\.([0-9a-f]{32})@.+")
#: Seconds in which a mail server may still report about a test mail.
REPORT_SECONDS = 24 * 3600
#: A report quotes the header of what it is about, which stands in its beginning.
REPORT_OCTETS = 200_000


class MailCatchallInbound(models.Model):
    """The test mails of the setup guide: known by their address, which only we can make."""

    _inherit = "mail.catchall.inbound"

    verdict_code = fields.Selection(selection_add=[("probe", "Test Mail")])

    @api.model
    def _make_probe_address(self, domain_name):
        """Return a new address for a test mail: a random number and its HMAC (RFC 2104).

        Its characters are none that divides a subaddress, and its case does not matter.
        """
        number = secrets.token_hex(6)
        return f"probe.{number}.{self._sign_probe(number)}@{domain_name}"

    @api.model
    def _sign_probe(self, number):
        return tools.hmac(self.env(su=True), "mail_catchall_gateway-probe", number)[:32]

    @api.model
    def _is_probe_address(self, address):
        match = _PROBE.fullmatch(address)
        return bool(match) and consteq(self._sign_probe(match[1]), match[2])

    @api.model
    def _get_steps(self):
        # before all others: our own test mail is nobody's, and of no other kind
        return ["_step_probe", *super()._get_steps()]

    def _step_probe(self, delivery):
        """A test mail of the setup guide, or what a mail server reports about one."""
        addresses = [recipient.address for recipient in delivery.mail.get_all("alias", "unknown")]
        # one who saw such an address must not be able to hide a mail to others with it
        if addresses and all(map(self._is_probe_address, addresses)):
            return Verdict("probe", "ignored", _("The test mail of the setup guide."))
        if delivery.mail.automatic.kind and self._is_probe_report():
            return Verdict("probe", "ignored", _("A report on the test mail of the setup guide."))
        return None

    def _is_probe_report(self):
        """Tell whether this mail quotes a test mail that was sent a short time ago."""
        start = time.time() - REPORT_SECONDS
        guides = self.env["mail.catchall.setup"].sudo().search([("probe_started", ">", start)])
        addresses = [guide.probe_address.encode() for guide in guides if guide.probe_address]
        if not addresses:
            return False
        source = self._get_source()[:REPORT_OCTETS].lower()
        return any(address in source for address in addresses)
