import re
import secrets
import time

from odoo import _, api, models, tools
from odoo.tools import consteq

_PROBE = re.compile(r"probe\.([0-9a-f]{12})\.([0-9a-f]{32})@.+")
#: Seconds in which a mail server may still report about a test mail.
REPORT_SECONDS = 24 * 3600
#: A report quotes the header of what it is about, which stands in its beginning.
REPORT_OCTETS = 200_000


class Probe(models.AbstractModel):
    """The test mails of the setup guide: known by their address, which only we can make."""

    _name = "mail.catchall.setup.probe"
    _description = "tmp"

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
    def _recognize(self, inbound, mail):
        addresses = [recipient.address for recipient in mail.get_all("alias", "unknown")]
        if addresses and all(map(self._is_probe_address, addresses)):
            return _("The test mail of the setup guide.")
        if mail.automatic.kind and self._is_probe_report(inbound):
            return _("A report on the test mail of the setup guide.")
        return ""

    def _is_probe_report(self, inbound):
        start = time.time() - REPORT_SECONDS
        guides = self.env["mail.catchall.setup"].sudo().search([("probe_started", ">", start)])
        addresses = [guide.probe_address.encode() for guide in guides if guide.probe_address]
        if not addresses:
            return False
        source = inbound._get_source()[:REPORT_OCTETS].lower()
        return any(address in source for address in addresses)
