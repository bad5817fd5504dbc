"""Finds what was set up before, and leaves a working stock Odoo behind."""

import contextlib

from odoo.exceptions import ValidationError

ALLOWED_DOMAINS = "mail.catchall.domain.allowed"


def post_init_hook(env):
    """Let what was set up before count, and tell the administrators what that is."""
    parameters = env["ir.config_parameter"]
    allowed = parameters.get_param(ALLOWED_DOMAINS) or ""
    if allowed.strip(" ,"):
        # written before core normalized it (odoo 16 and earlier)
        parameters.set_param(ALLOWED_DOMAINS, allowed)
    _lower_domain_names(env)
    env["mail.catchall.setup.servers"]._announce_found()


def _lower_domain_names(env):
    """Let mail for Acme.com find its aliases: core keeps the name as it is, and finds none."""
    domains = env["mail.alias.domain"].search([])  # pylint: disable=no-search-all
    names = domains.mapped("name")
    for domain in domains.filtered(lambda d: d.name.lower() not in names):
        # what a user's own address speaks against is said afterwards, and can be mended
        with contextlib.suppress(ValidationError), env.cr.savepoint():
            domain.name = domain.name.lower()


def uninstall_hook(env):
    """Delete the messaging aliases.

    They point to a model that goes away, and ``res_users.alias_id`` restricts their deletion for
    as long as its column exists.
    """
    domains = env["mail.alias.domain"].search([("unrouted_alias_id", "!=", False)])
    domains.write({"unrouted_policy": "review", "unrouted_alias_id": False})
    aliases = env["mail.alias"].search([("is_user_alias", "=", True)])
    users = (
        env["res.users"].with_context(active_test=False).search([("alias_id", "in", aliases.ids)])
    )
    users.write({"alias_id": False})
    aliases.unlink()
    parameters = env["ir.config_parameter"]
    parameters.search([("key", "=like", "mail_catchall_gateway.%")]).unlink()
    # on a table of core's, so that they would stay
    env.cr.execute(
        "DROP INDEX IF EXISTS mail_alias_domain_name_length,"
        " mail_alias__alias_parent_thread_id_index"
    )
