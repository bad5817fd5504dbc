from markupsafe import Markup

from odoo.tests.common import BaseCase

from ..tools.addresses import normalize_address, replace_address


class TestAddresses(BaseCase):
    def test_addresses_of_one_mailbox_normalize_to_the_same(self):
        for address, expected in [
            ("John.Doe@ACME.test", "john.doe@acme.test"),
            (" john@acme.test ", "john@acme.test"),
            ("john@acme.test.", "john@acme.test"),
            ('"john.doe"@acme.test', "john.doe@acme.test"),
            ('"john doe"@acme.test', '"john doe"@acme.test'),
            ('"a@b"@acme.test', '"a@b"@acme.test'),
            ("john@bücher.test", "john@xn--bcher-kva.test"),
            ("john@" + "ü" * 80 + ".test", "john@" + "ü" * 80 + ".test"),
        ]:
            with self.subTest(address=address):
                self.assertEqual(normalize_address(address), expected)

    def test_an_address_is_replaced_wherever_it_stands(self):
        for text, expected in [
            ("From: john@home.test wrote", "From: j@acme.test wrote"),
            ("<john@home.test>", "<j@acme.test>"),
            ("Write to John@Home.Test.", "Write to j@acme.test."),
            ('<a href="mailto:john@home.test">x</a>', '<a href="mailto:j@acme.test">x</a>'),
            ("john@home.test, john@home.test", "j@acme.test, j@acme.test"),
        ]:
            with self.subTest(text=text):
                self.assertEqual(replace_address(text, "john@home.test", "j@acme.test"), expected)

    def test_a_longer_address_is_another_one(self):
        for text in (
            "xjohn@home.test",
            "a.john@home.test",
            "john@home.test.org",
            "john@home.tests",
        ):
            with self.subTest(text=text):
                self.assertEqual(replace_address(text, "john@home.test", "j@acme.test"), text)

    def test_html_stays_html(self):
        replaced = replace_address(Markup("<b>a@b.c</b>"), "a@b.c", "d@e.f")
        self.assertIsInstance(replaced, Markup)
        self.assertEqual(replaced, "<b>d@e.f</b>")
