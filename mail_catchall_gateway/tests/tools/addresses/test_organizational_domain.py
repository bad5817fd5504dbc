from odoo.tests.common import BaseCase

from ....tools.addresses.organizational_domain import organizational_domain


class TestOrganizationalDomain(BaseCase):
    def test_domains_and_who_registered_them(self):
        for domain, expected in [
            ("acme.com", "acme.com"),
            ("mx1.mail.acme.com", "acme.com"),
            ("MX.Acme.Com.", "acme.com"),
            # suffixes of two labels
            ("acme.co.uk", "acme.co.uk"),
            ("mx.acme.co.uk", "acme.co.uk"),
            ("mx.acme.com.au", "acme.com.au"),
            ("mx.acme.asso.fr", "acme.asso.fr"),
            ("mx.acme.com.vn", "acme.com.vn"),
            # a wildcard and its exception
            ("a.acme.x.kobe.jp", "acme.x.kobe.jp"),
            ("a.city.kobe.jp", "city.kobe.jp"),
            # each customer of a private suffix is somebody else
            ("john.github.io", "john.github.io"),
            ("www.john.github.io", "john.github.io"),
            # a public suffix has no owner below it
            ("co.uk", "co.uk"),
            ("github.io", "github.io"),
            ("com", "com"),
            # not on the list
            ("mx.acme.test", "acme.test"),
            ("mail.intern.lan", "intern.lan"),
            ("localhost", "localhost"),
            # IDN, in either form
            ("mx.bücher.de", "xn--bcher-kva.de"),
            ("mx.xn--bcher-kva.de", "xn--bcher-kva.de"),
            ("a.b.公司.cn", "b.xn--55qx5d.cn"),
            ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
            # no domains
            ("", ""),
            (None, ""),
            ("a..b", "a..b"),
            ("\ud800.example", "\ud800.example"),
        ]:
            with self.subTest(domain=domain):
                self.assertEqual(organizational_domain(domain), expected)

    def test_a_long_name_is_handled_all_the_same(self):
        self.assertEqual(organizational_domain("a." * 10**5 + "acme.co.uk"), "acme.co.uk")
