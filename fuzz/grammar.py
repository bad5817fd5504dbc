"""Mails made by a grammar (RFC 5322, RFC 2045-2047, RFC 3464): sound, odd and hostile ones."""

import base64
import quopri

from vocabulary import (
    CHARSETS,
    DATES,
    ENCODINGS,
    FIELDS,
    FILES,
    HTMLS,
    IDS,
    NAMES,
    OURS,
    SUBJECTS,
    TEXTS,
    THEIRS,
    TYPES,
)


class Grammar:
    """Makes one mail after the other from a source of random numbers.

    Arguments:
        random (random.Random): decides everything
        addresses (tuple): addresses of ours that the database makes, beside those of
            ``vocabulary.py``
    """

    def __init__(self, random, addresses=()):
        self.random = random
        self.ours = (*OURS, *addresses)
        self.boundary = 0

    def mail(self):
        header, body = self.random.choice((*[self.letter] * 4, self.report, self.letter))()
        lines = [*self.header(), *header]
        if self.random.random() < 0.2:
            self.random.shuffle(lines)
        text = "\n".join(lines) + "\n\n"
        ends = self.random.choice(("\r\n", "\r\n", "\r\n", "\n", "\r"))
        return text.replace("\n", ends).encode("utf-8", "surrogateescape") + body.replace(
            b"\n", ends.encode()
        )

    def pick(self, values, usual=0.6):
        """Return the first value most of the time, or else any."""
        return values[0] if self.random.random() < usual else self.random.choice(values)

    def some(self, values, most):
        return [self.random.choice(values) for _number in range(self.random.randint(0, most))]

    # header

    def header(self):
        for name, values in self.some(FIELDS, 6):
            yield f"{name}: {self.random.choice(values)}"
        if self.random.random() < 0.95:
            yield f"From: {self.mailbox(self.pick((THEIRS, OURS, THEIRS)))}"
        if self.random.random() < 0.95:
            yield f"To: {self.mailboxes(3)}"
        if self.random.random() < 0.3:
            yield f"Cc: {self.mailboxes(4)}"
        yield f"Subject: {self.pick(SUBJECTS)}"
        if self.random.random() < 0.9:
            number = self.random.randrange(10**9)
            yield f"Message-Id: {self.pick((f'<{number}@customer.test>', *IDS), 0.85)}"
        if self.random.random() < 0.3:
            yield f"References: {self.pick((' ', ',', chr(10) + ' ')).join(self.some(IDS, 6))}"
        if self.random.random() < 0.8:
            yield f"Date: {self.pick(DATES)}"

    def mailboxes(self, most):
        separator = self.pick((", ", ";", ",\n ", ",,", " "))
        count = self.random.choice((1, 1, 1, 2, most, most, 60))
        return separator.join(self.mailbox(self.pick((self.ours, THEIRS))) for _n in range(count))

    def mailbox(self, addresses):
        address, name = self.random.choice(addresses), self.random.choice(NAMES)
        form = self.pick(("{0} <{1}>", "{1}", "<{1}>", "{1} ({0})", "g: {1};", "{0} <{1}", "{0}"))
        return form.format(name, address)

    # bodies

    def letter(self, depth=0):
        """Return the fields that describe a body, and the body."""
        kinds = [self.text, self.html, self.alternative, self.mixed, self.forward, self.leaf]
        return self.random.choice(kinds[:2] if depth > 4 else kinds)(depth)

    def text(self, _depth):
        return self.encode("text/plain", "".join(self.some(TEXTS, 4)))

    def html(self, _depth):
        return self.encode("text/html", "".join(self.some(HTMLS, 4)))

    def leaf(self, _depth):
        octets = self.pick((b"%PDF-1.4 x", b"", self.random.randbytes(300), b"x" * 20_000))
        return self.encode(self.random.choice(TYPES), octets, self.random.choice(FILES))

    def encode(self, content_type, content, filename=""):
        charset, encoding = self.pick(CHARSETS), self.random.choice(ENCODINGS)
        if isinstance(content, str):
            try:
                content = content.encode(charset)
            except (LookupError, ValueError):
                content = content.encode("utf-8", "surrogateescape")
        if "base64" in encoding.lower():
            content = self.pick((base64.encodebytes(content), base64.b64encode(content), content))
        elif encoding == "quoted-printable":
            content = self.pick((quopri.encodestring(content), content))
        form = self.pick(
            (
                "{}; charset={}",
                '{}; charset="{}"',
                "{};;charset*=us-ascii'en'{}",
                "{}; charset*0={}",
            )
        )
        fields = [f"Content-Type: {form.format(content_type, charset)}"]
        if self.random.random() < 0.7:
            fields.append(f"Content-Transfer-Encoding: {encoding}")
        if filename and self.random.random() < 0.8:
            disposition = self.pick(("attachment", "inline", "x"))
            form = self.pick(
                ('filename="{}"', "filename={}", "filename*=utf-8''{}", "filename*0*={}")
            )
            fields.append(f"Content-Disposition: {disposition}; {form.format(filename)}")
            fields.append("Content-Id: <i@x>")
        return fields, content

    def alternative(self, depth):
        return self.multipart("alternative", [self.text(depth), self.html(depth)])

    def mixed(self, depth):
        parts = [self.letter(depth + 1) for _number in range(self.random.choice((0, 1, 2, 3, 5)))]
        subtype = self.pick(("mixed", "related", "signed", "digest", "form-data", "encrypted", ""))
        return self.multipart(subtype, parts)

    def forward(self, depth):
        fields, body = self.letter(depth + 1)
        source = "\n".join([*self.header(), *fields]).encode("utf-8", "surrogateescape")
        kind = self.pick(("message/rfc822", "message/global", "text/rfc822-headers"))
        fields, content = [f"Content-Type: {kind}"], source + b"\n\n" + body
        if self.random.random() < 0.15:
            fields.append("Content-Transfer-Encoding: base64")
            content = base64.encodebytes(content)
        return fields, content

    def multipart(self, subtype, parts, parameters=""):
        self.boundary += 1
        boundary = self.pick((f"b{self.boundary}", "b0", "", "x" * 70, "a b", "--", "'()+_,-./:=?"))
        body = self.pick((b"", b"preamble\n", b"\xff\n"))
        for fields, content in parts:
            header = "\n".join(fields).encode("utf-8", "surrogateescape")
            body += b"--" + boundary.encode() + b"\n" + header + b"\n\n" + content + b"\n"
        if self.random.random() < 0.9:
            body += b"--" + boundary.encode() + b"--\n"
        form = self.pick(('; boundary="{}"', "; boundary={}", "", "; boundary*=''{}"), 0.9)
        return [f"Content-Type: multipart/{subtype}{parameters}{form.format(boundary)}"], body

    # reports

    def report(self):
        """Return a report on a mail that was sent (RFC 3464, RFC 8098, RFC 5965), or nearly one."""
        kind = self.pick(("delivery-status", "disposition-notification", "feedback-report", ""))
        block = "\n".join(
            self.pick((f"{name}: {self.random.choice(values)}", f"{name}", ""), 0.85)
            for name, values in (
                ("Reporting-MTA", ("dns; mx.test", "")),
                ("", ("",)),
                (
                    "Original-Recipient",
                    ("rfc822; mary+2Bx@customer.test", "utf-8; \\x{110000}@x", ""),
                ),
                ("Final-Recipient", ("rfc822; mary@customer.test", "rfc822;" + "a@b" * 900, ";")),
                ("Action", ("failed", "delayed", "delivered", "x")),
                ("Status", ("5.1.1", "4.7.0 (x)", "9", "5.1.1" * 300)),
                (
                    "Diagnostic-Code",
                    ("smtp; 550 5.1.1 no\n 550 5.1.1 such user", "x;" + " 550 " * 300),
                ),
                ("Disposition", ("manual/MDN-sent; displayed", "x; deleted/error", "")),
                ("Feedback-Type", ("abuse", "auth-failure", "")),
                ("Original-Message-ID", IDS),
                ("Original-Rcpt-To", THEIRS),
            )
        )
        parts = [
            self.text(0),
            ([f"Content-Type: message/{kind}"], block.encode("utf-8", "surrogateescape") + b"\n"),
            self.forward(3),
        ]
        return self.multipart("report", parts, f"; report-type={kind}")
