"""Uses the last released addon, piped into its ``odoo-bin shell`` by ``setup/released.py``.

Its demo data brings mail that was delivered, ignored and kept for review, conversations, aliases
and a blocked sender. This adds settings that are not the defaults, and what is still open.
"""

import datetime
import logging

logging.getLogger("odoo.addons").setLevel(logging.CRITICAL)  # mails that fail on purpose
env = env  # noqa: F821, B018, PLW0127 (given by the shell)
inbounds = env["mail.catchall.inbound"]
LATER = datetime.datetime.now() + datetime.timedelta(hours=20)


def receive(name, recipient):
    """Take a mail in, and return it."""
    source = (
        f"From: Sue <sue.{name}@customer.example>\nTo: {recipient}\nSubject: {name}\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-Id: <{name}@customer.example>\n"
        f"\nThis mail is called {name}.\n"
    )
    return inbounds.browse(inbounds.receive(source.encode(), [recipient]))


# settings
parameters = {
    "mail_catchall_gateway.automatic_alias": "True",
    "mail_catchall_gateway.reply_days": "17",
    "mail.gateway.loop.threshold": "33",
    "mail.gateway.loop.minutes": "44",
    "mail.catchall.domain.allowed": "upgrade.example",
}
for key, value in parameters.items():
    env["ir.config_parameter"].set_param(key, value)
domain = env["mail.alias.domain"].create(
    {
        "name": "upgrade.example",
        "accepted_domain_names": "upgrade.test, former.example",
        "subaddress_separator": "-",
        "unrouted_autocorrect": True,
        "from_policy": "dynamic",
        "from_address": "outgoing@upgrade.example",
        "signed_reply_to": True,
        "authentication_policy": "reject",
    }
)
env["ir.mail_server"].create(
    {"name": "Relay", "smtp_host": "127.0.0.1", "from_policy": "forced", "active": False}
)
env["fetchmail.server"].create(
    {
        "name": "Mailbox of upgrade.example",
        "server_type": "imap",
        "server": "imap.upgrade.example",
        "user": "mailbox@upgrade.example",
        "is_catchall": True,
        "folder": "Catch-all",
        "after_fetch": "move",
        "archive_folder": "Done",
        "recipient_headers": "Delivered-To, X-Upgrade",
        "trusted_hops": 2,
        "trusted_authserv_id": "mx.upgrade.example",
        "max_message_size": 7,
        "batch_size": 11,
    }
)
env["mail.catchall.blocked"].create({"email": "bad@customer.example"})

# aliases
users = env["res.users"].with_context(no_reset_password=True)
olga = users.create({"name": "Olga", "login": "olga", "email": "olga@home.example"})
olga.alias_name = "olga"
olga.write({"alias_copy_to_mailbox": False, "further_alias_ids": [(0, 0, {"alias_name": "o"})]})
left = users.create({"name": "Left", "login": "left", "alias_name": "left"})
left.write({"alias_delegate_id": olga.id, "active": False})
broken = env["mail.alias"].create(
    {
        "alias_name": "broken",
        "alias_domain_id": domain.id,
        "alias_model_id": env["ir.model"]._get_id("res.partner"),
        "alias_defaults": "{'no_such_field': 1}",
    }
)
domain.write({"unrouted_policy": "forward", "unrouted_alias_id": broken.id})
env.cr.commit()

# what is still open: a mail that failed for good, one that is tried again, one in the hands of a
# worker that died, one that nobody looked at yet, and one that no mail server takes for now
failed = receive("failed", "broken@upgrade.example")
env.cr.commit()
while failed.state == "pending":
    failed.next_attempt = False
    env.cr.commit()
    inbounds._process_waiting()
    failed.invalidate_recordset()
assert failed.state == "failed", failed.state
retried = receive("retried", "broken@upgrade.example")
env.cr.commit()
inbounds._process_waiting()
retried.invalidate_recordset()
assert (retried.state, retried.attempt_count) == ("pending", 1), retried.state
retried.next_attempt = LATER
taken = receive("taken", olga.alias_id.alias_full_name)
taken.write({"state": "processing", "attempt_count": 1, "next_attempt": LATER})
receive("waiting", olga.alias_id.alias_full_name)
env["mail.mail"].create(
    {
        "subject": "Not taken yet",
        "email_to": "sue@customer.test",
        "catchall_attempts": 3,
        "scheduled_date": LATER,
    }
)
env.cr.commit()
