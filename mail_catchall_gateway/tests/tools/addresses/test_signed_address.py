import itertools

from odoo.tests.common import BaseCase

from ....tools.addresses.signed_address import (
    BOUNCE,
    REPLY,
    SignedAddress,
    build_local_part,
    looks_signed,
    parse_local_part,
    split_mailbox,
)

KEY = b"secret of this database"
LARGEST = 2**31 - 1


class TestSignedAddress(BaseCase):
    def test_what_is_built_is_read_in_any_case(self):
        for kind, numbers in itertools.product(
            (REPLY, BOUNCE), [(1, 0, 0, 0), (127, 128, 16383, 16384), (LARGEST,) * 4]
        ):
            signed = SignedAddress(kind, *numbers)
            with self.subTest(signed=signed):
                local_part = build_local_part(KEY, signed)
                # RFC 5321, 4.5.3.1.1; and nothing that a subaddress is divided by
                self.assertLessEqual(len(local_part), 64)
                self.assertRegex(local_part, rf"^{kind}\.[a-z2-7]+$")
                for spelling in (local_part, local_part.upper(), local_part.title()):
                    self.assertEqual(parse_local_part(KEY, spelling), signed)
                self.assertTrue(looks_signed(local_part))

    def test_no_other_character_will_do(self):
        local_part = build_local_part(KEY, SignedAddress(BOUNCE, 4711, 87, 12, 3))
        for position, character in itertools.product(range(len(local_part)), "a7.x="):
            altered = local_part[:position] + character + local_part[position + 1 :]
            if altered != local_part:
                self.assertIsNone(parse_local_part(KEY, altered), altered)

    def test_what_is_not_ours(self):
        local_part = build_local_part(KEY, SignedAddress(REPLY, 4711, 87, 12))
        rows = [
            *(local_part[:length] for length in range(len(local_part))),  # truncated
            *(local_part + more for more in ("a", "aaaaaaaa", "=", " ", "\n", ".a")),
            local_part.replace("reply", "bounce"),
            " " + local_part,
            build_local_part(b"another database", SignedAddress(REPLY, 4711, 87, 12)),
            "reply.ſ" + local_part[7:],  # upper case of this letter is S
            *("", "reply", "reply.", "bounce.a", "reply.a" + "a" * 56, "reply.a" + "7" * 100000),
        ]
        for row in rows:
            with self.subTest(row=row[:80]):
                self.assertIsNone(parse_local_part(KEY, row))

    def test_numbers_that_are_no_ids(self):
        for number in (-1, LARGEST + 1):
            with self.subTest(number=number), self.assertRaises(ValueError):
                build_local_part(KEY, SignedAddress(REPLY, number))

    def test_a_mailbox_is_split_around_its_address(self):
        for text, parts in {
            "a@acme.com": ("", "a@acme.com", ""),
            '"Acme, Ltd" <a@acme.com>': ('"Acme, Ltd" <', "a@acme.com", ">"),
            "=?utf-8?b?SsO8?= <a@acme.com>": ("=?utf-8?b?SsO8?= <", "a@acme.com", ">"),
            "a@acme.com, b@acme.com": ("a@acme.com, b@acme.com", "", ""),
            '"Bike@Home" <a@acme.com>': ('"Bike@Home" <', "a@acme.com", ">"),
            r'"x\" <b@acme.com>, \"y" <a@acme.com>': (
                r'"x\" <b@acme.com>, \"y" <',
                "a@acme.com",
                ">",
            ),
            '"x" <a@acme.com>, "y" <b@acme.com>': ('"x" <a@acme.com>, "y" <b@acme.com>', "", ""),
            '"' * 100000 + "@": ('"' * 100000 + "@", "", ""),
            "a@acme.com (Acme)": ("a@acme.com (Acme)", "", ""),
            "Acme": ("Acme", "", ""),
            "": ("", "", ""),
            "<" * 100000 + "@": ("<" * 100000 + "@", "", ""),
        }.items():
            with self.subTest(text=text[:40]):
                self.assertEqual(split_mailbox(text), parts)

    def test_names_of_people_do_not_look_signed(self):
        for local_part in ("reply.team", "bounce.house", "reply", "bounce.test", "john.doe"):
            self.assertFalse(looks_signed(local_part))
