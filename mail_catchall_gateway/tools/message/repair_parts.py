"""What the repair of odd mail does with a part of it."""


def choose_type(part):
    """Keep one Content-Type: that of a multipart, as the others hide its parts."""
    if [name.lower() for name in part.keys()].count("content-type") > 1:
        types = [str(value) for value in part.get_all("Content-Type")]
        multiparts = [value for value in types if value.lower().startswith("multipart/")]
        set_field(part, "Content-Type", (multiparts or types)[0])


def get_encoding(part):
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower()


def is_attachment(part):
    """Tell whether core takes a part for an attachment, whatever is in it."""
    disposition = str(part.get("Content-Disposition", ""))
    return bool(part.get_filename() or disposition.strip().startswith("attachment"))


def is_raw_utf16(part, charset):
    """Tell whether a text has octets in its lines that no line may have (RFC 2045, 2.8)."""
    is_encoded = get_encoding(part) in ("base64", "quoted-printable")
    return not is_encoded and str(charset).lower().startswith(
        ("utf-16", "utf-32", "utf16", "utf_16")
    )


def set_field(part, name, value):
    del part[name]
    part[name] = value


def set_payload(part, octets):
    set_field(part, "Content-Transfer-Encoding", "8bit")
    part.set_payload(octets)


def set_text(part, text):
    subtype = part.get_content_subtype()
    known = subtype if part.depth or subtype == "html" else "plain"
    set_field(part, "Content-Type", f'text/{known}; charset="utf-8"')
    set_payload(part, text.encode())


def set_filename(part, filename):
    del part["Content-Disposition"]
    part.add_header("Content-Disposition", "attachment", filename=filename)
