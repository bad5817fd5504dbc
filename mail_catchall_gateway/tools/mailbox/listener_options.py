"""The command line of the listener."""

import argparse
import ipaddress
import re

PROGRAM = "odoo-bin catchall-listen"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def parse_options(arguments):
    """Return what the listener is to do (namespace), and the list of arguments that are Odoo's.

    :raise SystemExit: with what is wrong, as argparse does
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Take mail in as soon as it is there, beside a running Odoo.",
        epilog="All other options are Odoo's own: -c FILE, -d DATABASE, --logfile and so on.",
    )
    add = parser.add_argument
    add("--idle", action="store_true", help="watch the catch-all mailboxes that are read by IMAP")
    add("--lmtp", type=endpoint, metavar="HOST:PORT|unix:PATH", help="take mail from a mail server")
    who = "who may connect, where --lmtp is not on loopback or a socket"
    add("--peers", type=networks, default=(), metavar="ADDRESS,NETWORK...", help=who)
    add("--workers", type=number, default=2, help="threads that process mail (%(default)s)")
    add("--mailbox", type=number, help="number of the mailbox whose settings count for LMTP")
    add("--connections", type=number, default=200, help="LMTP, at the same time (%(default)s)")
    add("--recipients", type=number, default=100, help="LMTP, of one mail (%(default)s)")
    add("--timeout", type=number, default=300, help="LMTP, seconds for a command (%(default)s)")
    add("--socket-mode", type=octal, default=0o660, help="rights of the socket (660)")
    add("--renew", type=renewal, default=540, help="seconds that one IDLE lasts (%(default)s)")
    add("--poll", type=number, default=30, help="seconds between looks without IDLE (%(default)s)")
    options, rest = parser.parse_known_args(arguments)
    if not (options.idle or options.lmtp):
        parser.error("nothing to listen to: use --idle, --lmtp or both")
    if options.lmtp and options.lmtp[0] not in ("unix", *_LOOPBACK) and not options.peers:
        parser.error(f"name with --peers who may connect to {options.lmtp[0]}")
    return options, rest


def endpoint(text):
    """Return (host, port), or ("unix", path)."""
    if text.startswith("unix:/"):
        return "unix", text.removeprefix("unix:")
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/]+)):(\d{1,5})", text)
    if not match or not 0 < int(match[3]) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is neither HOST:PORT nor unix:/PATH")
    return match[1] or match[2], int(match[3])


def networks(text):
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def number(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number above zero")
    return int(text)


def renewal(text):
    if number(text) >= 29 * 60:
        raise argparse.ArgumentTypeError("a server may end an IDLE after 29 minutes (RFC 2177)")
    return int(text)


def octal(text):
    if not re.fullmatch("[0-7]{3}", text):
        raise argparse.ArgumentTypeError(f"{text} is no file mode like 660")
    return int(text, 8)
