"""Images that travel inside a mail (RFC 2392), instead of links to a server."""

import re

_LINK = re.compile(r"(?P<url>(?:https?://[^\s\"'<>/]+)?/web/image/(?P<id>\d+)[^\s\"'<>?]*"
                   r"\?access_token=(?P<token>[\w-]+)[^\s\"'<>]*)")  # fmt: skip


def find_image_links(html):
    """Return the links to images of Odoo in a text.

    :param str html: body of a mail
    :return dict: (attachment id, access token) by URL
    """
    return {match["url"]: (int(match["id"]), match["token"]) for match in _LINK.finditer(html)}


def embed_images(part, images):
    """Put images into a mail, in the place of links to them.

    :param email.message.EmailMessage part: its text/html part; becomes multipart/related
    :param dict images: (name, mimetype, content as bytes) by URL
    """
    html = part.get_content()
    contents = {}
    for number, (url, image) in enumerate(sorted(images.items(), key=lambda i: -len(i[0]))):
        cid = f"image{number}@odoo"
        contents[cid] = image
        html = html.replace(url, f"cid:{cid}")
    part.set_content(html, subtype="html", charset="utf-8")
    for cid, (name, mimetype, content) in contents.items():
        maintype, _slash, subtype = mimetype.partition("/")
        part.add_related(
            content, maintype, subtype, cid=f"<{cid}>", filename=name, disposition="inline"
        )
