import email
import email.header
import email.message
import email.policy
import string

from hypothesis import assume, given

from odoo import tools
from odoo.tests.common import BaseCase

from ....tools.addresses import signed_address as signed_tool
from ....tools.addresses.signed_address import SignedAddress, build_local_part, parse_local_part
from ....tools.judging.automatic import classify, may_answer, spam_mark
from ....tools.judging.sender_authentication import MAX_LENGTH, authenticate
from ....tools.mailbox.round_trip import examine
from ....tools.sending.from_policy import (
    DYNAMIC,
    FORCED,
    FromPolicy,
    Sender,
    apply_policy,
    choose_envelope,
    choose_policy,
    encapsulate,
)
from ....tools.sending.refusal import explain
from ....tools.sending.sendable import MAX_LINE, PlainField, as_plain
from ...properties import addresses, anything, checked, domains, fields, names, st

OURS = "outgoing@acme.test"


class TestSendableProperties(BaseCase):
    @checked
    @given(st.text(string.printable, max_size=60) | names, addresses)
    def test_what_is_written_as_it_is_says_the_same(self, name, address):
        value = tools.formataddr((name, address))
        field = as_plain("From", value)
        assume(isinstance(field, PlainField))
        message = email.message.EmailMessage(policy=email.policy.SMTP)
        message["From"] = field
        raw = message.as_bytes()
        self.assertLessEqual(max(map(len, raw.splitlines())), MAX_LINE)
        arrived = email.message_from_bytes(raw, policy=email.policy.default)
        self.assertEqual(arrived.keys(), ["From"])
        (mailbox,) = arrived["From"].addresses
        self.assertEqual((mailbox.display_name, mailbox.addr_spec), (name, address))


class TestFromPolicyProperties(BaseCase):
    def parse(self, sender):
        """Return the only mailbox in From, as a mail server sees it."""
        self.assertTrue(sender.header.isascii())
        source = f"From: {sender.header}\nSubject: x\n\n"
        message = email.message_from_string(source, policy=email.policy.default)
        self.assertEqual(message.keys(), ["From", "Subject"])
        (mailbox,) = message["From"].addresses
        self.assertEqual(mailbox.addr_spec, sender.address)
        return mailbox

    @checked
    @given(
        anything | st.builds('"{}" <{}>'.format, names, addresses),
        st.sampled_from([DYNAMIC, FORCED]),
    )
    def test_who_it_is_from_is_one_of_ours(self, value, name):
        sender = apply_policy(FromPolicy(name, OURS), value, {"acme.test"})
        self.assertEqual(self.parse(sender).domain, "acme.test")
        if name == FORCED:
            self.assertEqual(sender.address, OURS)

    @checked
    @given(names, addresses)
    def test_the_name_is_kept(self, name, address):
        assume(name.lower() != address and "\N{HORIZONTAL ELLIPSIS}" not in name)
        sender = Sender(encapsulate(name, address, OURS), OURS)
        found = self.parse(sender).display_name
        if sender.header.startswith("=?"):  # Python 3.11 puts a space between two encoded words
            octets, charset = email.header.decode_header(sender.header)[0]
            found = octets.decode(charset)
        self.assertEqual(found, f"{name} ({address})")

    @checked
    @given(anything, domains)
    def test_the_envelope_is_ours(self, proposed, domain):
        sender = Sender(OURS, OURS)
        found = choose_envelope(sender, proposed, {"acme.test"})
        self.assertTrue(found == OURS or found.lower().rstrip(". ").endswith("@acme.test"), found)
        self.assertEqual(choose_envelope(sender, f"b@{domain}", {domain}), f"b@{domain}")

    @checked
    @given(anything, anything)
    def test_the_policy_is_one_that_can_be_applied(self, forced, dynamic):
        policy = choose_policy(forced=forced, dynamic=dynamic)
        self.assertTrue(policy.is_native or "@" in policy.address)


class TestSignedAddressProperties(BaseCase):
    numbers = st.integers(0, 2**31 - 1)
    signed = st.builds(
        SignedAddress,
        st.sampled_from([signed_tool.REPLY, signed_tool.BOUNCE]),
        *[numbers] * 4,
    )

    @checked
    @given(st.binary(min_size=1), signed)
    def test_round_trip(self, key, signed):
        local_part = build_local_part(key, signed)
        self.assertLessEqual(len(local_part), 64)
        self.assertRegex(local_part, r"^[a-z]+\.[a-z2-7]+$")
        self.assertEqual(parse_local_part(key, local_part), signed)
        self.assertEqual(parse_local_part(key, local_part.upper()), signed)
        self.assertTrue(signed_tool.looks_signed(local_part))
        self.assertIsNone(parse_local_part(key + b"x", local_part))

    @checked
    @given(signed, st.data())
    def test_whoever_alters_a_character_is_found_out(self, signed, data):
        local_part = build_local_part(b"key", signed)
        position = data.draw(st.integers(0, len(local_part) - 1))
        letters = string.ascii_lowercase + string.digits + ".-+=é"
        letter = data.draw(st.sampled_from(letters))
        assume(letter != local_part[position])
        for altered in (
            local_part[:position] + letter + local_part[position + 1 :],
            local_part[:position] + letter + local_part[position:],
            local_part[:position] + local_part[position + 1 :],
        ):
            self.assertIsNone(parse_local_part(b"key", altered))

    @checked
    @given(anything)
    def test_nothing_else_is_one(self, text):
        self.assertIsNone(parse_local_part(b"key", text))
        self.assertEqual("".join(signed_tool.split_mailbox(text)), text)


class TestMachineProperties(BaseCase):
    @checked
    @given(fields, st.data())
    def test_neither_order_nor_case_of_fields_matters(self, header, data):
        header = list({name.lower(): (name, value) for name, value in header}.values())
        shuffled = [(name.upper(), value) for name, value in data.draw(st.permutations(header))]
        self.assertEqual(classify(shuffled).kind, classify(header).kind)
        self.assertEqual(may_answer(shuffled), may_answer(header))
        self.assertEqual(bool(spam_mark(shuffled)), bool(spam_mark(header)))

    @checked
    @given(fields)
    def test_what_told_is_one_short_line(self, header):
        for text in (classify(header).mark, spam_mark(header)):
            self.assertLessEqual(len(text), 100)
            self.assertEqual(text, " ".join(text.split()))
        if classify(header).kind:
            self.assertFalse(may_answer(header))

    @checked
    @given(anything)
    def test_a_refusal_is_explained_in_a_word(self, text):
        self.assertRegex(explain(text), "^[a-z]*$")
        self.assertEqual(explain(f"553 5.7.1 {text}: not owned by user"[-4000:]), "sender")


class TestAuthenticationProperties(BaseCase):
    def authenticate(self, header, **values):
        return authenticate(header, "mx.acme.test", "acme.test", **values)

    @checked
    @given(fields, anything, anything)
    def test_there_is_a_result(self, header, authserv_id, domain):
        found = authenticate(header, authserv_id, domain)
        self.assertIn(found.result, ("pass", "fail", "none"))
        self.assertLessEqual(len(found.detail), 200)

    @checked
    @given(anything, st.sampled_from(["spf=fail smtp.mailfrom=x@acme.test", "dmarc=fail"]))
    def test_what_somebody_else_wrote_changes_nothing(self, value, result):
        ours = [("Authentication-Results", f"mx.acme.test; {result}")]
        forged = [("Received", "x"), ("Authentication-Results", value)]
        forged.append(("Authentication-Results", "mx.acme.test; dmarc=pass header.from=acme.test"))
        self.assertEqual(self.authenticate(ours + forged), self.authenticate(ours))
        self.assertEqual(self.authenticate(ours).result, "fail")

    @checked
    @given(anything)
    def test_what_a_sender_calls_himself_is_no_result(self, text):
        quoted = text.replace("\\", "").replace('"', "")[: MAX_LENGTH // 2]
        value = f'mx.acme.test; dmarc=fail (x) header.from="{quoted}"'
        self.assertEqual(self.authenticate([("Authentication-Results", value)]).result, "fail")

    @checked
    @given(fields, addresses)
    def test_a_test_mail_is_examined_without_an_error(self, header, address):
        found = examine(header, "<1@x>", address, (), (), "imap.acme.test")
        self.assertIn(found.authentication, ("pass", "fail", "none"))
        self.assertTrue(not found.authserv_id or found.authentication == "pass")
