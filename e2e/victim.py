"""A process that fetches and is killed at a named point: ``victim.py CONFIG DATABASE POINT``."""

import os
import signal
import sys

import odoo


def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def before(function):
    """Die instead of calling it."""
    return die


def after(function):
    """Die when it has returned."""

    def wrapper(*args, **kwargs):
        function(*args, **kwargs)
        die()

    return wrapper


#: point: model or class, method, where
POINTS = {
    "before store": ("mail.catchall.inbound", "_store", before),
    "in store": ("mail.catchall.inbound", "_store", after),
    "between store and acknowledge": ("ImapMailbox", "acknowledge", before),
    "acknowledged": ("ImapMailbox", "acknowledge", after),
    "between acknowledge and processing": ("mail.catchall.queue", "_process_waiting", before),
    "claimed": ("mail.catchall.queue", "_claim", after),
    "while processing": ("mail.catchall.inbound", "_finish", after),
    "after processing": ("mail.catchall.inbound", "_process_in_transaction", after),
}


def main(config, database, point):
    odoo.tools.config.parse_config([f"--config={config}", "--log-level=warn"])
    with odoo.registry(database).cursor() as cr:
        env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
        model, method, where = POINTS[point]
        if model == "ImapMailbox":
            # found only now that Odoo knows the folder of the addon
            from odoo.addons.mail_catchall_gateway.tools.mailbox.imap_mailbox import (
                ImapMailbox as cls,
            )
        else:
            cls = type(env[model])
        setattr(cls, method, where(getattr(cls, method)))
        env["fetchmail.server"]._fetch_mails()


if __name__ == "__main__":
    main(*sys.argv[1:])
