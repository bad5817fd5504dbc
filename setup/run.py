"""The demo behind run.sh: starts the servers, sends three mails and tells where they arrived."""

import argparse
import contextlib
import fcntl
import hashlib
import signal
import sys
import time
from pathlib import Path

import samples
from empty import open_empty
from odoo_process import REPO, Listener, Odoo
from send import send
from server import StackError, exit_on_signals, free_port, wait_for
from stack import MAIL_PASSWORD, Stack

ADDON = "mail_catchall_gateway"
DATABASE = "catchall_demo"
CUSTOMER = "Mary Smith <mary@customer.test>"
DOCUMENTS = {"mail.catchall.conversation": "conversation", "crm.lead": "CRM lead"}
#: subject, To header field, envelope recipient
SAMPLES = (
    ("Hello John", "john.doe@acme.test", "john.doe@acme.test"),
    ("Between us, Jane", "partners@customer.test", "jane.roe@acme.test"),
    ("Please send me an offer", "sales@acme.test", "sales@acme.test"),
)


def say(text: str):
    print(text, flush=True)


@contextlib.contextmanager
def only_one(state: Path):
    """Hold the state folder; two demos in it would fight over the same files."""
    state.mkdir(exist_ok=True)
    with open(state / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"setup: the demo of this clone is already running (it holds {state}/lock)")
        yield


def addon_fingerprint() -> str:
    """Return what changes with any file of the addon."""
    digest = hashlib.sha256()
    for path in sorted((REPO / ADDON).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def make_database(odoo: Odoo):
    stamp = odoo.folder / f"{DATABASE}.stamp"
    if not odoo.exists() or not stamp.exists():  # or half made, when that was interrupted
        say("Creating the database, with CRM for a team alias ...")
        odoo.install(f"{ADDON},crm")
    elif stamp.read_text() != addon_fingerprint():
        say("Updating the database to the addon as it is now ...")
        odoo.run("-u", ADDON)
    stamp.write_text(addon_fingerprint())
    odoo.set_up_demo()


def arrival(call, message_id: str):
    """Return in words where a mail arrived, or None while it is on its way."""
    fields = ["state", "recipients", "reason", "conversation_id", "res_model", "res_id"]
    found = call("mail.catchall.inbound", "search_read", [("message_id", "=", message_id)], fields)
    if not found or found[0]["state"] in ("pending", "processing"):
        return None
    mail = found[0]
    place = f"{mail['state']}: {mail['reason']}"
    if mail["state"] == "delivered":
        place = f"{DOCUMENTS.get(mail['res_model'], mail['res_model'])} {mail['res_id']}"
    return f"{place} (delivered for {mail['recipients']})"


def copies(stack: Stack, address: str) -> int:
    """Return how many mails lie in a mailbox."""
    return sum(1 for _mail in (stack.mail / address / "new").glob("*"))


def send_samples(odoo: Odoo):
    stack = odoo.stack
    say("\nSending three mails by SMTP, as a customer would:")
    before = {who: copies(stack, f"{who}@home.test") for who in ("john", "jane")}
    start = time.monotonic()
    sent = [
        (to, recipient, send(stack.ports["smtp"], CUSTOMER, to, subject, "Hello!", [recipient]))
        for subject, to, recipient in SAMPLES
    ]
    call = odoo.login()
    for to, recipient, message_id in sent:
        how = f"To {to}" if to == recipient else f"Bcc {recipient}"
        where = wait_for(lambda m=message_id: arrival(call, m), f"mail {how}", 150)
        say(f"  {how:<28} -> {where}")
    for who, count in before.items():
        address = f"{who}@home.test"
        wait_for(lambda a=address, c=count: copies(stack, a) > c, f"copy to {address}", 180)
        inbox = odoo.login(who, who)("mail.message", "search_count", [("needaction", "=", True)])
        say(f"  {who.title()}: {inbox} unread in his or her Inbox, a copy in {address}")
    seconds = time.monotonic() - start
    say(f"  {seconds:.1f} s after they were sent: a listener waits for mail (IMAP IDLE).")


def walk_by_hand(stack: Stack, is_check: bool):
    odoo = open_empty(stack, say)
    listener = Listener(odoo, "--idle")  # takes a mailbox up when the guide has logged in to it
    try:
        listener.start()
        if not is_check:
            say("Ctrl-C stops everything.")
            signal.pause()
    finally:
        listener.stop()
        odoo.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument(
        "--empty", action="store_true", help="set nothing up: walk through the setup guide by hand"
    )
    parser.add_argument("--check", action="store_true", help="stop when the mails have arrived")
    args = parser.parse_args()
    exit_on_signals()
    state = args.state / "demo"
    with only_one(state), Stack(state, usual=True) as stack:
        if args.empty:
            return walk_by_hand(stack, args.check)
        odoo = Odoo(stack, DATABASE, free_port(8069))
        make_database(odoo)
        odoo.start()
        listener = Listener(odoo, "--idle", f"--lmtp=127.0.0.1:{odoo.stack.ports['listener']}")
        try:
            listener.start()
            say(f"Odoo: {odoo.url}  admin/admin, john/john, jane/jane, max/max")
            send_samples(odoo)
            samples.answer(odoo, say)
            samples.send_more(odoo, say)
            say(f"\nSend another one: {REPO / 'setup' / 'send.py'} --port {stack.ports['smtp']}")
            say(
                "    --to john.doe@acme.test --subject Hello 'How are you?'   (run it with python3)"
            )
            say(
                f"Read any mailbox: IMAP 127.0.0.1:{stack.ports['imap']}, password {MAIL_PASSWORD},"
            )
            say("    user mary@customer.test, john@home.test, catchall@acme.test ...")
            if not args.check:
                say("Ctrl-C stops everything.")
                signal.pause()
        finally:
            listener.stop()
            odoo.stop()


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"setup: {error}")
