"""``run.sh --empty``: a database where nothing is set up, to walk through the guide by hand."""

from odoo_process import REPO, Odoo
from server import free_port
from stack import MAIL_PASSWORD, Stack

ADDON = "mail_catchall_gateway"
DATABASE = "catchall_empty"
EMPLOYEES = ("John Doe", "Jane Roe", "Max Power")
GUIDE = """
Odoo: {odoo.url}  admin/admin
Nothing is set up: no domain, no mailbox, no SMTP account, and nobody has an alias.
Open Email Gateway / Configuration / Setup Guide, and enter:

  1 Domain            acme.test  (Create)
  2 Catch-all Mailbox IMAP Server 127.0.0.1, IMAP Port {ports[imap]}, SSL/TLS off
                      User catchall@acme.test, Password {password}
  3 SMTP Account      SMTP Server 127.0.0.1, SMTP Port {ports[smtp]}, Encryption None
                      no user, no password
  4 Aliases           give them to {employees}
  5 Round-trip Test   press the button: the test mail is back in seconds

Then write to one of them:
  python3 {send} --port {ports[smtp]} --to john.doe@acme.test
A listener waits for mail (IMAP IDLE): it is in his Inbox at once. He logs in as john/john.
"""


def open_empty(stack: Stack, say) -> Odoo:
    """Make the database afresh, and say what to type into the guide.

    :return Odoo: started
    """
    odoo = Odoo(stack, DATABASE, free_port(8069))
    say("Creating a database where nothing is set up ...")
    odoo.install(ADDON)
    odoo.start()
    hire(odoo.login())
    say(
        GUIDE.format(
            odoo=odoo,
            ports=stack.ports,
            password=MAIL_PASSWORD,
            employees=", ".join(EMPLOYEES),
            send=REPO / "setup" / "send.py",
        )
    )
    return odoo


def hire(call):
    """Create employees, who have a mailbox of their own and no alias."""
    for name in EMPLOYEES:
        login = name.partition(" ")[0].lower()
        values = {"name": name, "login": login, "password": login}
        values.update(email=f"{login}@home.test", notification_type="inbox")
        call("res.users", "create", values, context={"no_reset_password": True})
