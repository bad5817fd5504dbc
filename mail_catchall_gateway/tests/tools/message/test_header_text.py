import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

from odoo.tests.common import BaseCase

from ....tools.message.header_text import safe_value


def word(text, charset="utf-8"):
    return f"=?{charset}?b?{base64.b64encode(text.encode(charset)).decode()}?="


EVIL = "Mary\r\nX-Evil: yes"

#: Texts that must not add a field, and what is read of them where that is sure.
TEXTS = [
    ("Mary", "Mary"),
    ("", ""),
    (word("Jürgen"), "Jürgen"),
    ("=?utf-8?q?J=C3=BCrgen?=", "Jürgen"),
    (f"a {word('ü')} b", "a ü b"),
    (EVIL, "Mary X-Evil: yes"),
    ("Mary\nX-Evil: yes", "Mary X-Evil: yes"),
    ("Mary\rX-Evil: yes", "Mary X-Evil: yes"),
    ("Mary\x85X-Evil: yes\u2028X-Evil: yes", "Mary X-Evil: yes X-Evil: yes"),
    (word(EVIL), "Mary X-Evil: yes"),
    (word(EVIL, "utf-16"), "Mary X-Evil: yes"),
    ("=?utf-8?q?Mary=0D=0AX-Evil:_yes?=", "Mary X-Evil: yes"),
    ("=?UTF-8?Q?Mary=0AX-Evil:_yes?=", "Mary X-Evil: yes"),
    ("=?utf-8?q?=0D=0A?= X-Evil: yes", None),
    (f"{word('Mary')} {word(chr(10) + 'X-Evil: yes')}", None),
    (word(word(EVIL)), None),
    ("=?utf-8*en?q?Mary=0D=0AX-Evil:_yes?=", None),
    ("=?nothing?q?Mary=0D=0AX-Evil:_yes?=", None),
    ("=??q?Mary=0D=0AX-Evil:_yes?=", None),
    ("=?utf-8?q?Mary=0D=0AX-Evil: yes?=", None),
    ("=?utf-8?q?Mary=0D=0AX-Evil:_yes", None),
    ("x=?utf-8?q?Mary=0D=0AX-Evil:_yes?=x", None),
    ("=?utf-8?b?TWFyeQ0KWC1FdmlsOiB5ZXM?=", None),  # no padding
    ("=?utf-8?b?TWFyeQ0KWC1FdmlsOiB5ZXM=====?=", None),
    ("=?=?utf-8?q?Mary=0D=0AX-Evil:_yes?=", None),
]


class TestHeaderText(BaseCase):
    def test_no_text_adds_a_field(self):
        for text, expected in TEXTS:
            for name, value in [
                ("Subject", text),
                ("To", f'"{text}" <mary@customer.example>'),
                ("From", f"{text} <mary@customer.example>"),
                ("filename", text),
            ]:
                with self.subTest(name=name, text=text):
                    raw = self.make(name, safe_value(value))
                    self.assertNotRegex(raw, rb"(?m)^X-Evil")
                    if name == "Subject" and expected is not None:
                        self.assertEqual(
                            str(message_from_bytes(raw, policy=SMTP)["Subject"]), expected
                        )

    def make(self, name, value):
        message = EmailMessage(policy=SMTP)
        if name == "filename":
            message.add_attachment(b"x", "text", "plain", filename=value)
        else:
            message[name] = value
        return message.as_bytes()

    def test_what_is_no_text_stays(self):
        for value, expected in [(None, None), (False, False), (["a\nb", None], ["a b", None])]:
            self.assertEqual(safe_value(value), expected)
