"""What a manager may see of a mail that waits for review: readable, and without any risk."""

import lxml.html

from .repair import repair

#: A larger mail is downloaded, not shown.
MAX_OCTETS = 2 * 1024 * 1024
#: Attributes by which a browser would fetch something from elsewhere: the sender would know that
#: and when his mail was looked at.
_REMOTE = ("src", "srcset", "background", "poster", "data", "longdesc", "lowsrc", "dynsrc")


def block_remote(html):
    """Return sanitized HTML in which nothing is fetched from elsewhere, not even images."""
    if not html.strip():
        return ""
    root = lxml.html.fragment_fromstring(html, create_parent="div")
    for element in list(root.iter()):
        if not isinstance(element.tag, str):
            continue
        if element.tag in ("link", "style", "base", "meta"):
            element.drop_tree()
            continue
        if element.tag == "img":
            element.tag = "span"
            element.text = f"[{element.get('alt') or 'image'}]"
        for name in _REMOTE:
            element.attrib.pop(name, None)
        if "url(" in element.get("style", "").lower():
            del element.attrib["style"]
    return lxml.html.tostring(root, encoding="unicode")


def read_content(raw):
    """Return the text of a message and the names of what is attached. Never raises.

    :param bytes raw: source of the message (RFC 5322)
    :return tuple: (text, whether it is HTML, list of file names); HTML is as the sender wrote it.
        What would keep Odoo busy for long is no text, but a file
    """
    if len(raw) > MAX_OCTETS:
        return "", False, []
    try:
        message = repair(raw).message
        part = message.get_body(("html", "plain"))
        # the message may be nothing but a file
        attachments = message.iter_attachments() if part or message.is_multipart() else [message]
        names = [attached.get_filename() for attached in attachments]
        text = part.get_content() if part else ""
    except Exception:  # it waits for review because nothing could read it
        return "", False, []
    return text, bool(part) and part.get_content_subtype() == "html", list(filter(None, names))
