from odoo.tests.common import BaseCase

from ....tools.addresses.addresses import split_subaddress


class TestSubaddress(BaseCase):
    def test_local_parts_and_their_details(self):
        for local_part, separator, expected in [
            ("john.doe+invoices", "+", ("john.doe", "invoices")),
            ("ken+sieve", "+", ("ken", "sieve")),  # RFC 5233, abstract
            ("john.doe", "+", ("john.doe", "")),
            ("john+", "+", ("john", "")),  # RFC 5233, 4: an empty detail
            ("john+a+b", "+", ("john", "a+b")),  # Postfix: the first one divides
            ("john++a", "+", ("john", "+a")),
            ("+x", "+", ("+x", "")),  # Postfix: no user is left
            ("+x+y", "+", ("+x+y", "")),
            ("+", "+", ("+", "")),
            ("", "+", ("", "")),
            ("john+a", "", ("john+a", "")),  # off
            ("john+a", False, ("john+a", "")),  # off, as the ORM has it
            ("john+a", "-", ("john+a", "")),
            ("john-lists-odoo", "-", ("john", "lists-odoo")),  # qmail
            ("john=a", "=", ("john", "a")),
            ("list--request", "--", ("list", "request")),  # Dovecot Pigeonhole
            ("anne-marie--a", "--", ("anne-marie", "a")),
            ("anne-marie", "--", ("anne-marie", "")),
            ("john---a", "--", ("john", "-a")),
            ("--john", "--", ("--john", "")),
            ("john+-a", "-+", ("john+-a", "")),  # in this order, not any of them
            ("john.doe", ".", ("john", "doe")),  # a separator, not a pattern
            ('"john doe+a"', "+", ('"john doe+a"', "")),
            ('"a+b@c"', "+", ('"a+b@c"', "")),
            ("prvs=john/1a2b3c", "+", ("prvs=john/1a2b3c", "")),  # BATV
            ("jürgen+größe", "+", ("jürgen", "größe")),  # RFC 6531
            ("\ud800+\0", "+", ("\ud800", "\0")),
        ]:
            with self.subTest(local_part=local_part, separator=separator):
                self.assertEqual(split_subaddress(local_part, separator), expected)

    def test_a_long_local_part_is_split_all_the_same(self):
        self.assertEqual(split_subaddress("a" + "+" * 10**6, "+"), ("a", "+" * (10**6 - 1)))
