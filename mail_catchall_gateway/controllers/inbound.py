import io
import zipfile

from odoo import http
from odoo.http import content_disposition, request


class InboundController(http.Controller):
    @http.route("/mail_catchall_gateway/source/<string:ids>", type="http", auth="user")
    def download_source(self, ids):
        """Return the source of a mail that a manager has to review as a file, of many as a zip.

        :param str ids: ids of inbound emails, separated by commas
        """
        if not all(number.isdecimal() for number in ids.split(",")):
            raise request.not_found()
        model = request.env["mail.catchall.inbound"]
        inbounds = model.browse(map(int, ids.split(","))).exists()
        if not inbounds:
            raise request.not_found()
        files = {f"email-{inbound.id}.eml": inbound._open_source() for inbound in inbounds}
        if len(files) == 1:
            return self._make_download(*files.popitem())
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for name, content in files.items():
                target.writestr(name, content)
        return self._make_download("emails.zip", archive.getvalue())

    def _make_download(self, name, content):
        headers = [
            # opened by a mail program, never by the browser
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", content_disposition(name)),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(content))),
        ]
        return request.make_response(content, headers=headers)
