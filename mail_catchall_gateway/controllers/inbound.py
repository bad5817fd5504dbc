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
        files = [(f"email-{inbound.id}.eml", inbound._open_source()) for inbound in inbounds]
        name, content = files[0] if len(files) == 1 else ("emails.zip", self._zip(files))
        headers = [
            # opened by a mail program, never by the browser
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", content_disposition(name)),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(content))),
        ]
        return request.make_response(content, headers=headers)

    def _zip(self, files):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for file in files:
                target.writestr(*file)
        return archive.getvalue()
