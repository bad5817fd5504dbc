"""Uninstalls the addon, piped into ``odoo-bin shell``."""

module = env["ir.module.module"].search(  # noqa: F821 (given by the shell)
    [("name", "=", "mail_catchall_gateway")]
)
module.button_immediate_uninstall()
