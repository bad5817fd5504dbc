"""Mails made worse: each function takes a source and returns another."""

import base64
import re

#: What breaks programs that read mail.
TOKENS = (
    *(b"\0", b"\r", b"\n", b"\r\n\r\n", b"\xff", b"\xe2\x80\xae", b"=?", b"?=", b"=?utf-8?q?=0A?="),
    *(b"--", b"--b0", b"--b1--", b"\t", b" ", b"(", b")", b'"', b"<", b">", b",", b";", b":", b"@"),
    *(b"Content-Type: multipart/mixed; boundary=b0\r\n", b"Content-Type: text/html\r\n", b"\\"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16", b"charset*0*=x''%00", b"*1*="),
    *(b"MIME-Version: 1.0\r\n", b"From ", b">From ", b"\x1b$B", b"+ADw-", b"&#0;", b"<!--", b"]]>"),
    *(b"\x85", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c", b"\x7f", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    *(
        b"Subject:",
        b"From:",
        b"To:\r\n",
        b"Message-Id:\r\n",
        b"X-Fuzz-Injected: yes\r\n",
        b"\r\r\n",
    ),
)


class Mutator:
    """Arguments:
    random (random.Random): decides everything
    seeds (list): other mails, to take pieces of
    """

    def __init__(self, random, seeds):
        self.random = random
        self.seeds = seeds

    def mutate(self, raw):
        """Return the mail after some changes."""
        for _number in range(self.random.choice((1, 1, 2, 3, 5, 10, 30))):
            change = self.random.choice(
                (
                    *(self.insert, self.insert, self.delete, self.flip, self.copy, self.cut),
                    *(self.splice, self.replace_value, self.repeat_line, self.swap_ends),
                    *(self.wrap, self.move_line, self.grow_value),
                )
            )
            raw = change(raw)[:500_000]
        return raw

    def span(self, raw, most=200):
        start = self.random.randint(0, len(raw))
        return start, min(len(raw), start + self.random.randint(1, most))

    def insert(self, raw):
        start, _end = self.span(raw)
        return (
            raw[:start]
            + self.random.choice(TOKENS) * self.random.choice((1, 1, 1, 2, 9))
            + raw[start:]
        )

    def delete(self, raw):
        start, end = self.span(raw)
        return raw[:start] + raw[end:]

    def flip(self, raw):
        changed = bytearray(raw)
        for _number in range(min(len(raw), self.random.choice((1, 3, 20)))):
            changed[self.random.randrange(len(raw))] = self.random.randrange(256)
        return bytes(changed)

    def copy(self, raw):
        start, end = self.span(raw, 500)
        place, _end = self.span(raw)
        return raw[:place] + raw[start:end] * self.random.choice((1, 1, 2, 20)) + raw[place:]

    def cut(self, raw):
        return raw[: self.span(raw)[0]] if self.random.random() < 0.3 else raw

    def splice(self, raw):
        other = self.random.choice(self.seeds)
        start, end = self.span(other, 2000)
        place, _end = self.span(raw)
        return raw[:place] + other[start:end] + raw[place:]

    def _lines(self, raw):
        return raw.split(b"\n")

    def move_line(self, raw):
        lines = self._lines(raw)
        lines.insert(
            self.random.randrange(len(lines)), lines.pop(self.random.randrange(len(lines)))
        )
        return b"\n".join(lines)

    def repeat_line(self, raw):
        lines = self._lines(raw)
        position = self.random.randrange(len(lines))
        lines[position:position] = [lines[position]] * self.random.choice((1, 1, 5, 100))
        return b"\n".join(lines)

    def replace_value(self, raw):
        """Give a field of a header the value of another."""
        fields = list(re.finditer(rb"(?m)^[\w-]+:(.*)$", raw))
        if not fields:
            return raw
        field, other = self.random.choice(fields), self.random.choice(fields)
        return raw[: field.start(1)] + other[1] + raw[field.end(1) :]

    def grow_value(self, raw):
        """Make a token of a header field long."""
        words = list(re.finditer(rb"[\w=?()<>@;,\"*%+/-]+", raw[:5000]))
        if not words:
            return raw
        word = self.random.choice(words)
        times = self.random.choice((2, 10, 100, 1000))
        longer = word[0] * times
        if self.random.random() < 0.3:  # that no index can compress
            octets = self.random.randbytes(times * 5)
            longer = self.random.choice((base64.b64encode(octets), octets))
        return raw[: word.start()] + longer + raw[word.end() :]

    def swap_ends(self, raw):
        old, new = self.random.sample((b"\r\n", b"\n", b"\r", b"\n\n"), 2)
        return raw.replace(old, new)

    def wrap(self, raw):
        """Make it a part of another mail, encoded or not."""
        header, end, body = raw.partition(b"\r\n\r\n")
        head = b"From: mary@customer.test\r\nTo: john.doe@acme.test\r\n"
        kind = self.random.choice(
            (b"message/rfc822", b"text/html", b"multipart/mixed; boundary=b1")
        )
        head += b"Content-Type: " + kind + b"\r\n"
        if self.random.random() < 0.3:
            head += b"Content-Transfer-Encoding: base64\r\n"
            raw = base64.encodebytes(raw)
        elif self.random.random() < 0.3:
            raw = header + end + b"--b1\r\n" + body + b"\r\n--b1--\r\n"
        return head + b"\r\n" + raw
