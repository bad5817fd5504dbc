"""Sets the demo up, piped into ``odoo-bin shell`` by run.py.

Everything here is what an administrator does in the settings screens.
"""

import os

ports = {name: int(os.environ[name]) for name in ("SMTP_PORT", "IMAP_PORT")}
env = env(context=dict(env.context, no_reset_password=True))  # noqa: F821 (given by the shell)

domain = env["mail.alias.domain"].search([("name", "=", "acme.test")])
if not domain:
    env.company.name = "Acme"
    domain = env["mail.alias.domain"].create({"name": "acme.test"})
    for first, last in (("John", "Doe"), ("Jane", "Roe"), ("Max", "Power")):
        env["res.users"].create(
            {
                "name": f"{first} {last}",
                "login": first.lower(),
                "password": first.lower(),
                "email": f"{first.lower()}@home.test",
                "alias_name": f"{first}.{last}".lower(),
                "notification_type": "inbox",
            }
        )
    env.ref("sales_team.team_sales_department").write({"alias_name": "sales"})
    env.ref("mail.ir_cron_mail_gateway_action").interval_number = 1
    # what is not plainly for somebody: see samples.py
    env["ir.config_parameter"].set_param("mail_catchall_gateway.review_spam", "True")
    env["mail.catchall.blocked"].create({"email": "pushy.test"})
    # CRM would ask a service on the internet about each new lead
    env["ir.config_parameter"].set_param("crm.iap.lead.enrich.setting", "manual")

# the ports may be others than at the last start
mailbox = env["fetchmail.server"].search([("user", "=", "catchall@acme.test")])
mailbox_values = {
    "name": "Catch-all mailbox",
    "server_type": "imap",
    "server": "127.0.0.1",
    "port": ports["IMAP_PORT"],
    "user": "catchall@acme.test",
    "password": os.environ["MAIL_PASSWORD"],
    "is_catchall": True,
    "trusted_authserv_id": "mx.acme.test",
    "max_message_size": 1,
}
if mailbox:
    mailbox.write(mailbox_values)
else:
    mailbox = mailbox.create(mailbox_values)
mailbox.button_confirm_login()

relay = env["ir.mail_server"].search([("name", "=", "Postfix")])
relay_values = {
    "name": "Postfix",
    "smtp_host": "127.0.0.1",
    "smtp_port": ports["SMTP_PORT"],
    "smtp_encryption": "none",
    "from_filter": "acme.test",
}
if relay:
    relay.write(relay_values)
else:
    relay.create(relay_values)
env.cr.commit()
