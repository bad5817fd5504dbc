"""Images that travel inside a mail (RFC 2392), instead of links to a server."""

import re

_LINK = re.compile(r"(?P<url>(?:https?://[^\s\"'<>/]+)?/web/image/(?P<id>\d+)[^\s\"'<>?]*"
                   r"\?access_token=(?P<token>[\w-]+)[^\s\"'<>]*)")  # fmt: skip


def find_image_links(html):
    """Return the links to images of Odoo in a text: (attachment id, access token) by URL."""
    return {match["url"]: (int(match["id"]), match["token"]) for match in _LINK.finditer(html)}


def embed_images(part, images):
    """Put images into a mail, in the place of links to them.

    :param email.message.EmailMessage part: its text/html part; becomes multipart/related
    :param dict images: (name, mimetype, content as bytes) by URL
    """
    html = part.get_content()
    urls = sorted(images, key=len, reverse=True)  # one may begin like another
    for number, url in enumerate(urls):
        html = html.replace(url, f"cid:image{number}@odoo")
    part.set_content(html, subtype="html", charset="utf-8")
    for number, url in enumerate(urls):
        name, mimetype, content = images[url]
        options = {"cid": f"<image{number}@odoo>", "filename": name, "disposition": "inline"}
        part.add_related(content, *mimetype.split("/", 1), **options)
