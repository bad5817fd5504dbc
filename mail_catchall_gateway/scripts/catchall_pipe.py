#!/usr/bin/env python3
r"""Hands a mail from the mail server over to Odoo: reads it from standard input.

    catchall_pipe.py CONFIG RECIPIENT...

CONFIG is a file that only the user of this program may read:

    [odoo]
    url = https://odoo.acme.com
    database = acme
    login = mail-receiver
    password = its password or API key
    mailbox = 3

``mailbox``, which may be left out, is the number of the incoming mail server in Odoo whose
settings count. The user needs the group "Catch-all: Hand Mail Over", and should have no other.

Postfix, in master.cf:

    odoo unix - n n - 5 pipe
      flags=Rq user=nobody null_sender=
      argv=/usr/local/bin/catchall_pipe.py /etc/catchall_pipe.conf ${original_recipient}

Exim, a transport. It refuses what an outsider wrote in the arguments of a command, and sends the
mail back; so the address comes by the environment, and every failure keeps the mail:

    odoo:
      driver = pipe
      command = /bin/sh -c 'exec /usr/local/bin/catchall_pipe.py \
        /etc/catchall_pipe.conf "\$RECIPIENT"'
      user = nobody
      message_prefix =
      message_suffix =
      return_path_add
      temp_errors = *

A sendmail alias: ``|.../catchall_pipe.py ...``.

It ends with 0 when the mail is safe in Odoo's database, and else with 75 (EX_TEMPFAIL): the mail
server keeps the mail and tries again, also when this program is set up wrongly, for a mail that is
sent back is lost. It needs nothing but Python 3.8.
"""

import configparser
import os
import socket
import sys
import xmlrpc.client

EX_OK, EX_TEMPFAIL = 0, 75
TIMEOUT = 120  # seconds; the mail server waits for longer


def hand_over(config, raw, recipients):
    """Store a mail (bytes) in Odoo for its envelope recipients, and return its number there."""
    url = config["url"].rstrip("/")
    socket.setdefaulttimeout(TIMEOUT)
    database, password = config["database"], config["password"]
    common = xmlrpc.client.ServerProxy(url + "/xmlrpc/2/common")
    uid = common.authenticate(database, config["login"], password, {})
    if not uid:
        raise PermissionError("Odoo does not know this login and password")
    models = xmlrpc.client.ServerProxy(url + "/xmlrpc/2/object", allow_none=True)
    mailbox = int(config.get("mailbox") or 0) or False
    arguments = [xmlrpc.client.Binary(raw), recipients, mailbox]
    return models.execute_kw(database, uid, password, "mail.catchall.inbound", "receive", arguments)


def main(arguments):
    """Return the exit code."""
    try:
        file, *recipients = arguments
        config = configparser.ConfigParser(interpolation=None)
        with open(file, encoding="utf-8") as stream:
            config.read_file(stream)
        raw = sys.stdin.buffer.read()
        if not raw:
            raise ValueError("no mail on standard input")
        hand_over(config["odoo"], raw, recipients)
    except xmlrpc.client.Fault as error:
        # the last line of a traceback: the mail server logs what is printed
        lines = error.faultString.strip().splitlines() or [""]
        return _keep(f"Odoo refused the mail: {lines[-1]}")
    except Exception as error:
        return _keep(f"{type(error).__name__}: {error}")
    return EX_OK


def _keep(reason):
    sys.stderr.write(f"catchall_pipe: {reason[:500]}\n")
    return EX_TEMPFAIL


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # nothing at exit may change it
