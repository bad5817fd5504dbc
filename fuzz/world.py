"""The database that mails are thrown at, and what must hold for each of them."""

import binascii
import contextlib
import email
import email.policy
import json
import logging
import re
import time
from pathlib import Path

from sink import HOST, Sink

import odoo

#: What a mail may take.
MAX_CPU_SECONDS = 2.0
MAX_MEMORY = 200 * 1024 * 1024
MAX_LINE = 998  # RFC 5322, 2.1.1
FINAL_STATES = {"delivered", "ignored", "bounced", "review"}
#: Header fields that Odoo, this addon and the sink write; another one was smuggled in.
OWN_FIELDS = {
    *("from", "to", "cc", "subject", "date", "message-id", "reply-to", "references", "in-reply-to"),
    *("mime-version", "content-type", "content-transfer-encoding", "return-path", "return_path"),
    *("auto-submitted", "x-auto-response-suppress", "x-catchall-loop", "x-odoo-objects"),
    *("x-odoo-message-id", "list-unsubscribe", "list-unsubscribe-post", "sender", "x-odoo-object"),
}
ENVELOPES = (None, None, ["john.doe@acme.test"], ["team@acme.test"], ["nobody@acme.test", "x"])


def prepare(database):
    """Make users, aliases, mailboxes and messages that mails can be about; once."""
    with odoo.registry(database).cursor() as cr:
        _prepare(odoo.api.Environment(cr, odoo.SUPERUSER_ID, {}))


def _prepare(env):
    if env["mail.alias.domain"].search([("name", "=", "acme.test")]):
        return
    # the filestore is not what is tried here, and a file for each mail would stay
    parameters = env["ir.config_parameter"]
    parameters.set_param("ir_attachment.location", "db")
    parameters.set_param("database.secret", "fuzz")  # signed addresses are the same every time
    parameters.set_param("mail_catchall_gateway.review_spam", "True")
    parameters.set_param("iap.partner_autocomplete.endpoint", "http://127.0.0.1:9")
    domains = env["mail.alias.domain"]
    names = ("acme.test", "bounce.test", "forward.test", "typo.test")
    for name in names:
        company = env.company if name == "acme.test" else env["res.company"].create({"name": name})
        domain = domains.create({"name": name, "company_ids": [(6, 0, company.ids)]})
        domains |= domain
        env["mail.alias"].create(_alias(env, "team", domain))
    acme, bounce, forward, typo = domains
    acme.write({"accepted_domain_names": "acme.org", "signed_reply_to": True})
    bounce.unrouted_policy = "bounce"
    alias = env["mail.alias"].search([("alias_domain_id", "=", forward.id)], limit=1)
    forward.write({"unrouted_policy": "forward", "unrouted_alias_id": alias.id})
    typo.unrouted_autocorrect = True
    env["mail.alias"].create({**_alias(env, "closed", acme), "alias_contact": "partners"})
    env["mail.alias"].create({**_alias(env, "local", acme), "alias_incoming_local": True})
    for first, last, kind in (("John", "Doe", "inbox"), ("Jane", "Roe", "email")):
        env["res.users"].with_context(no_reset_password=True).create(
            {
                "name": f"{first} {last}",
                "login": first.lower(),
                "email": f"{first.lower()}@home.test",
                "alias_name": f"{first}.{last}".lower(),
                "notification_type": kind,
            }
        )
    mailbox = {"name": "Mailbox", "is_catchall": True, "server_type": "imap"}
    env["fetchmail.server"].create({**mailbox, "user": "catchall@acme.test"})
    env["fetchmail.server"].create(
        {**mailbox, "trusted_authserv_id": "mx.acme.test", "trusted_hops": 1, "original": True}
    )
    partners = env["ir.model"]._get_id("res.partner")
    env["fetchmail.server"].create({**mailbox, "object_id": partners, "attach": False})
    mary = env["res.partner"].create({"name": "Mary", "email": "mary@customer.test"})
    message = mary.message_post(body="Hello", partner_ids=mary.ids, message_type="comment")
    message.message_id = "<known-document@acme.test>"
    conversation = env["mail.catchall.conversation"].create(
        {"name": "Bicycles", "user_ids": [(6, 0, env.ref("base.user_admin").ids)]}
    )
    message = conversation.message_post(body="Hello", message_type="comment")
    message.message_id = "<known-conversation@acme.test>"
    env["mail.mail"].search([]).unlink()
    env["ir.mail_server"].search([]).unlink()


def _alias(env, name, domain):
    model = env["ir.model"]._get_id("res.partner")
    return {"alias_name": name, "alias_domain_id": domain.id, "alias_model_id": model}


class Complaints(logging.Handler):
    """Collects what Odoo logs as an error, and warnings with a traceback."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.found = []

    def emit(self, record):
        if record.levelno >= logging.ERROR or record.exc_info:
            text = logging.Formatter().format(record)
            if "SMTPRecipientsRefused" in text:
                return  # whatever the sender calls himself
            self.found.append(f"{record.name}: {text}")


class World:
    """One process's view of the database: each mail in a transaction that is rolled back."""

    def __init__(self, database):
        self.registry = odoo.registry(database)
        self.sink = Sink()
        self.complaints = Complaints()
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.CRITICAL)
        logging.getLogger().addHandler(self.complaints)
        logging.getLogger("odoo.addons").setLevel(logging.INFO)
        with self.registry.cursor() as cr:
            # found only now that Odoo knows the folder of the addon
            from odoo.addons.mail_catchall_gateway.tools.addresses import signed_address

            env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
            self.addresses = self._sign(env, signed_address)
            self.server_ids = [False, *env["fetchmail.server"].search([]).ids]

    def _sign(self, env, tool):
        """Return addresses that were made for a mail."""
        message = env["mail.message"].search([("message_id", "like", "known-document")])
        domains = env["mail.alias.domain"]
        return tuple(
            domains._sign_address(
                "catchall@acme.test",
                tool.SignedAddress(kind, message.id, partner_id=message.partner_ids.id),
                domains._get_signer("res.partner"),
            )
            for kind in (tool.REPLY, tool.BOUNCE)
        )

    def try_mail(self, raw, random):
        """Take a mail the whole way, and roll back.

        :return tuple: (verdict code, CPU seconds, octets of memory, list of what is wrong)
        """
        self.complaints.found.clear()
        self.sink.taken.clear()
        cr = self.registry.cursor()
        before, start = _reset_peak(), time.process_time()
        code, wrong = "", []
        try:
            env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
            code = self._take(env, raw, random, wrong)
        except Exception as error:
            logging.getLogger().exception("%s got out", type(error).__name__)
        finally:
            cpu, memory = time.process_time() - start, _memory("VmHWM") - before
            cr.rollback()
            cr.close()
            # what is cached else stays, as it does in a worker after a mail that failed
            self.registry.reset_changes()
        wrong += self.complaints.found
        if cpu > MAX_CPU_SECONDS:
            wrong.append(f"took {cpu:.1f} s")
        if memory > MAX_MEMORY:
            wrong.append(f"took {memory // 2**20} MB")
        return code, cpu, memory, wrong

    def _take(self, env, raw, random, wrong):
        inbounds = env["mail.catchall.inbound"]
        inbound = inbounds.browse(
            inbounds.receive(raw, random.choice(ENVELOPES), random.choice(self.server_ids))
        )
        inbound.write({"state": "processing", "attempt_count": 1})
        inbound.env["mail.catchall.queue"]._process_locked(inbound)
        env.flush_all()
        code = inbound.verdict_code
        if inbound.state not in FINAL_STATES or not code or code == "error":
            wrong.append(f"no verdict: {inbound.state} {code}")
        self._look(env, inbound)
        if inbound.state == "review" and random.random() < 0.5:
            # accepted by a manager: what was not looked into before, is now
            inbound.write({"is_accepted": True, "state": "processing"})
            inbound.env["mail.catchall.queue"]._process_locked(inbound)
            self._look(env, inbound)
        self._send(env, raw, wrong)
        return code

    def _look(self, env, inbound):
        """Read what the screens show."""
        env.flush_all()
        env.invalidate_all()
        fields = ["name", "email_from", "email_to", "reason", "header_text", "preview"]
        json.dumps(inbound.read(fields), default=str).encode()
        messages = inbound.mail_message_ids
        json.dumps(messages.message_format(), default=str).encode()

    def _send(self, env, raw, wrong):
        """Send what the mail causes, and look at what leaves."""
        mails = env["mail.mail"].search([("state", "=", "outgoing")])
        env["ir.mail_server"].create(
            {"name": "Sink", "smtp_host": HOST, "smtp_port": self.sink.port}
        )
        mails.send(auto_commit=False, raise_exception=False)
        for mail in mails.exists():
            is_refused = "5.1.3" in (mail.failure_reason or "")  # whatever the sender calls himself
            if mail.state == "exception" and not is_refused:
                wrong.append(f"not sent: {mail.failure_type} {mail.failure_reason}")
        for _sender, recipients, content in self.sink.taken:
            message = email.message_from_bytes(content, policy=email.policy.compat32)
            smuggled = {name.lower() for name in message.keys()} - OWN_FIELDS
            if smuggled:
                wrong.append(f"smuggled into the header: {sorted(smuggled)}")
            lines = content.split(b"\r\n")
            for before, line in zip([b"", *lines], lines, strict=False):
                if len(line) > MAX_LINE or b"\n" in line or b"\r" in line:
                    text = f"{before[:60]} {line[:60]}"
                    wrong.append(f"a line of {len(line)} octets left: {text}")
                    break
            if len(message.get_all("From", ())) != 1:
                wrong.append("left with another number of From than one")
            outside = not any(address.endswith("@home.test") for address in recipients)
            if outside and b"home.test" in content and not _mentions(raw, b"home.test"):
                wrong.append(f"an own address left for {recipients}")


def _mentions(raw, text):
    """Tell whether a mail has a text in it, in whatever encoding."""
    parts = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    contents = [raw, *(part.get_payload(decode=True) or b"" for part in parts)]
    # an attached mail in base64 is another one to Python, whose text is base64
    return any(text in content or text in _from_base64(content) for content in contents)


def _from_base64(octets):
    with contextlib.suppress(binascii.Error):
        return binascii.a2b_base64(octets + b"===")
    return b""


def _reset_peak():
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024
