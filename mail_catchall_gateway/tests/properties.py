"""Shared by the property tests: what hypothesis makes values of, and how many it tries."""

import os
import string
import tempfile

from hypothesis import configuration, settings
from hypothesis import strategies as st

# it would write into the folder that odoo-bin is called in
configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))

#: Examples for each property: the same ones in each run, or more, at random.
EXAMPLES = os.environ.get("MCG_EXAMPLES")
checked = settings(
    deadline=None,
    max_examples=int(EXAMPLES or 150),
    derandomize=not EXAMPLES,
    database=None,
)

#: What addresses and header fields are built and broken with.
special = st.text(
    "()<>@,;:\\\"'.[]{}=?_+*/%& \r\n\t\0\x85\u2028\u202eaZé日\U0001f6b2\udcff", max_size=40
)
anything = st.one_of(st.text(st.characters(), max_size=80), special)
octets = st.one_of(
    st.binary(max_size=200), special.map(lambda s: s.encode("utf-8", "surrogateescape"))
)

atoms = st.text(string.ascii_lowercase + string.digits + "-_+'", min_size=1, max_size=12)
local_parts = st.lists(atoms, min_size=1, max_size=3).map(".".join)
_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
domains = st.lists(_labels, min_size=2, max_size=3).map(".".join)
addresses = st.builds("{}@{}".format, local_parts, domains)

#: Display names: what people are called, on one line.
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30
)
#: Fields of a header that mean something to one of the tools, with any value.
field_names = st.sampled_from(
    (
        *("From", "To", "Cc", "Sender", "Reply-To", "Return-Path", "Subject", "Date", "Message-Id"),
        *("References", "In-Reply-To", "Resent-To", "Resent-From", "Delivered-To", "X-Original-To"),
        *("Received", "Authentication-Results", "Auto-Submitted", "Precedence", "List-Id"),
        *("X-Spam-Flag", "X-Autoreply", "Content-Type", "Content-Disposition", "Mime-Version"),
        *(
            "Content-Transfer-Encoding",
            "Content-Id",
            "X-Failed-Recipients",
            "X-Auto-Response-Suppress",
        ),
    )
)
_values = st.one_of(
    anything,
    addresses,
    st.builds('"{}" <{}>'.format, names, addresses),
    st.sampled_from(
        (
            *("auto-replied", "bulk", "yes", "<>", "multipart/report; report-type=delivery-status"),
            *('multipart/mixed; boundary="b"', "text/html; charset=utf-16", "base64", "8bit"),
            *("from a by mx.acme.test for <john@acme.test>; x", "Automatic reply: x", "x-uuencode"),
            *("mx.acme.test; dmarc=pass header.from=acme.test", "attachment; filename=a.eml"),
            *("=?utf-8?q?=0D=0AX-Injected:_yes?=", "=?utf-16?b?/w==?=", "message/rfc822", "<1@x>"),
        )
    ),
)
fields = st.lists(st.tuples(field_names, _values), max_size=12)


def _source(header, blocks):
    lines = (f"{name}: {value}" for name, value in header)
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\r\n\r\n" + b"\r\n".join(blocks)


#: Mails: header fields, and bodies in which boundaries and the fields of parts occur.
sources = st.builds(
    _source,
    fields,
    st.lists(
        st.one_of(
            octets,
            st.sampled_from(
                (b"--b", b"--b--", b"", b"<p>Two</p>", b"begin 644 x", b"> two", b"/w==")
            ),
            st.builds("{}: {}\r\n".format, field_names, _values).map(
                lambda line: line.encode("utf-8", "surrogateescape")
            ),
        ),
        max_size=10,
    ),
)


def is_storable(text):
    """Tell whether PostgreSQL takes a text (NUL, lone surrogates)."""
    return "\0" not in text and not any(0xD800 <= ord(char) <= 0xDFFF for char in text)


__all__ = ["st"]
