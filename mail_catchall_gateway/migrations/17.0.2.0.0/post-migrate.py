from odoo import SUPERUSER_ID, api

#: Scheduled action: former code, model, code. Their records are not updated by themselves.
ACTIONS = {
    "ir_cron_process_inbound": (
        "model._process_waiting()",
        "mail.catchall.queue",
        "model._process_waiting()",
    ),
    "ir_cron_digest": (
        "model._send_catchall_digests()",
        "mail.catchall.digest",
        "model._send_all()",
    ),
}


def migrate(cr, version):
    """Point the scheduled actions to the models that do their work now, and drop what is unused.

    An action that an administrator deleted, or gave other code, stays as it is.
    """
    # what listeners wrote about themselves; systemd watches them now
    cr.execute("DROP TABLE IF EXISTS mail_catchall_listener, mail_catchall_setup_folder")
    # an upgrade runs as the system
    env = api.Environment(cr, SUPERUSER_ID, {})
    for name, (former_code, model, code) in ACTIONS.items():
        action = env.ref(f"mail_catchall_gateway.{name}", raise_if_not_found=False)
        if action and (action.code or "").strip() == former_code:
            action.write({"model_id": env["ir.model"]._get_id(model), "code": code})
