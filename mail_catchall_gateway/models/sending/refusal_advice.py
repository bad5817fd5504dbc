"""What to change after a mail server refused a mail, by what it does not like."""

from odoo import _lt

from ...tools.sending import refusal

#: %s is the name of the outgoing server.
ADVICE = {
    refusal.SENDER: _lt(
        "The mail server does not let its account send as this address. On the outgoing "
        "server “%s” choose “Replace other people's addresses”, or “Replace every address” "
        "if the account may use no other one, and let it send as its own address. Or "
        "allow the account at your provider to send as all addresses of your domain."
    ),
    refusal.UNVERIFIED: _lt(
        "The mail service sends only for addresses and domains that were confirmed there. "
        "Confirm your domain with it, and on the outgoing server “%s” replace the "
        "addresses of others by one in that domain."
    ),
    refusal.POLICY: _lt(
        "The owner of the domain in From forbids that others send for it. On the outgoing "
        "server “%s” choose “Replace other people's addresses”. If the domain is your own, "
        "let its SPF and DKIM records name the mail server."
    ),
    refusal.RELAY: _lt(
        "The mail server does not know Odoo as one that may send for you. Allow the "
        "address of this machine there, and check that the outgoing server “%s” sends as "
        "an address in your domain."
    ),
    refusal.LOGIN: _lt("Check username and password of the outgoing server “%s”."),
    refusal.SIZE: _lt("The mail is larger than the mail server takes: send its files as links."),
}
