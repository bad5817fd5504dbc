from odoo import api, models, tools

from ...tools.addresses.addresses import normalize_address, normalize_domain
from ...tools.addresses.signed_address import (
    Signer,
    build_local_part,
    parse_local_part,
    split_mailbox,
)


class MailAliasDomain(models.Model):
    """Addresses made for one mail each, see ``tools/signed_address.py``.

    They are understood for ever, also after ``signed_reply_to`` is switched off.
    """

    _inherit = "mail.alias.domain"

    @api.model
    @tools.ormcache()
    def _get_signing_domains(self):
        """Return the alias domains whose mail carries signed addresses.

        :return dict: name of the alias domain by its name, and by that of each accepted domain
        """
        domains = self.sudo().search([("signed_reply_to", "=", True)])
        signing = {normalize_domain(domain.name) for domain in domains}
        names = ((name, domain) for name, (domain, _sep) in self._get_domain_map().items())
        return {name: domain for name, domain in names if normalize_domain(domain) in signing}

    @api.model
    @tools.ormcache()
    def _get_ownership_test(self):
        """Return a function that tells at once of most addresses that they are not ours.

        For what is asked for each mail that leaves.
        """
        names, service = self._get_domain_map(), self._get_service_addresses()
        return lambda address: address.rpartition("@")[2] in names or address in service

    @api.model
    @tools.ormcache()
    def _get_signing_key(self):
        scope = "mail_catchall_gateway-signed-address"
        return tools.hmac(self.env(su=True), scope, "1").encode()

    @api.model
    @tools.ormcache("model")
    def _get_signer(self, model):
        """Return what signs the mails about documents of a model.

        One look-up for each mail, as each costs as much as a signature.

        :param str model: its name, or nothing
        :return Signer: None where mail carries no signed addresses
        """
        domains = self._get_signing_domains()
        if not domains:
            return None
        is_thread = model in self.env and hasattr(self.env[model], "message_update")
        return Signer(
            key=self._get_signing_key(),
            domains=domains,
            service=self._get_service_addresses(),
            model_id=self.env["ir.model"]._get_id(model) if is_thread else 0,
        )

    @api.model
    def _sign_address(self, email, signed, signer):
        """Return a signed address in place of one of our addresses.

        :param str email: with or without a name
        :param SignedAddress signed: what it stands for
        :param Signer signer: see ``_get_signer``
        :return str: with the same name; ``email`` where it is not to be signed
        """
        begin, address, end = split_mailbox(email or "")
        address = normalize_address(address)
        domain = signer.domains.get(address.rpartition("@")[2])
        if not domain:
            return email
        if address not in signer.service and not self._is_gateway_address(address):
            return email
        return f"{begin}{build_local_part(signer.key, signed)}@{domain}{end}"

    @api.model
    def _parse_signed(self, address):
        """Return what a signed address stands for, None if it is not one of ours.

        :param str address: normalized
        :return SignedAddress:
        """
        local_part, _at, name = address.rpartition("@")
        if not local_part.startswith(("reply.", "bounce.")) or name not in self._get_domain_map():
            return None
        return parse_local_part(self._get_signing_key(), local_part)

    @api.model
    def _is_service_address(self, address):
        """Tell whether an address is the gateway's itself, and so nobody's.

        :param str address: normalized
        """
        return address in self._get_service_addresses() or bool(self._parse_signed(address))

    @api.model
    def _is_gateway_address(self, email):
        return bool(email and self._parse_signed(email)) or super()._is_gateway_address(email)
