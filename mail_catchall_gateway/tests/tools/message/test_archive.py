import io
import zipfile

from odoo.tests.common import BaseCase

from ....tools.message.archive import MAX_ELEMENTS, MAX_OCTETS, may_be_read

DOCUMENTS = ("word/document.xml", "ppt/slides/slide12.xml", "xl/sharedStrings.xml", "content.xml")
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>"


def pack(**members):
    """Return an archive; two underscores in a name are a dot."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


class TestArchive(BaseCase):
    def test_what_may_be_read(self):
        document = pack(document__xml="<x>text</x>", image__png=b"\x89PNG")
        for name, content, expected in [
            ("document", document, True),
            ("text", b"text", True),
            ("nothing", b"", True),
            ("document behind a mail", b"From: x\r\n\r\n" + document, True),
            ("large document", pack(document__xml=" " * (MAX_OCTETS - 100)), True),
            ("bomb", pack(document__xml=" " * (MAX_OCTETS + 1)), False),
            (
                "bomb in parts",
                pack(a=" " * (MAX_OCTETS // 2), b=" " * (MAX_OCTETS // 2 + 1)),
                False,
            ),
            ("bomb behind a mail", b"From: x\r\n\r\n" + pack(a=" " * (MAX_OCTETS + 1)), False),
            ("entities", pack(document__xml=LAUGHS), False),
            ("entities in UTF-16", pack(document__xml=LAUGHS.encode("utf-16")), False),
            ("entities in small letters", pack(document__xml=LAUGHS.lower()), False),
            ("many members", pack(**{f"m{number}": "" for number in range(10_001)}), False),
            ("damaged", document[:20] + b"x" * 20 + document[40:], False),
        ]:
            with self.subTest(name):
                self.assertEqual(may_be_read(content), expected)

    def test_a_document_has_a_number_of_elements_and_a_depth(self):
        for name in DOCUMENTS:
            for xml, expected in [
                ("<x>" + "<w:p>text</w:p>" * 100_000 + "</x>", True),
                ("<x>" + "<w:p>text</w:p>" * (MAX_ELEMENTS + 1) + "</x>", False),
                ("<x>" * 30 + "text " * 100_000 + "</x>" * 30, True),
                ("<x>" * 900 + "text " * 100_000 + "</x>" * 900, False),
                ("<x>", False),
            ]:
                with self.subTest(name, xml=xml[:30], size=len(xml)):
                    self.assertEqual(may_be_read(pack(**{name: xml})), expected)
        sheet = "<x>" + "<c>1</c>" * (MAX_ELEMENTS + 1) + "</x>"
        self.assertTrue(may_be_read(pack(**{"xl/worksheets/sheet1.xml": sheet})), "is not parsed")

    def test_no_pdf_file_is_read(self):
        self.assertFalse(may_be_read(b"%PDF-1.4\n"))
