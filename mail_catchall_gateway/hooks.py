"""Leaves a working stock Odoo behind."""


def uninstall_hook(env):
    """Delete the messaging aliases.

    They point to a model that goes away, and ``res_users.alias_id`` restricts their deletion for
    as long as its column exists.
    """
    aliases = env["mail.alias"].search([("is_user_alias", "=", True)])
    users = (
        env["res.users"].with_context(active_test=False).search([("alias_id", "in", aliases.ids)])
    )
    users.write({"alias_id": False})
    aliases.unlink()
