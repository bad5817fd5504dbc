import concurrent.futures
import errno
import os

from odoo import _, api, models
from odoo.exceptions import AccessError

from ...tools.judging.delivery import delivery_of

#: A disk syncs many files in about the time of one, if it is asked for them together.
SYNC_THREADS = 8
#: A folder of somebody else's, a disk that was mounted read-only after an error.
READ_ONLY_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS)


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    def check(self, mode, values=None):
        """Keep administrators from sending the sources of mail, which hold other people's letters.

        They cannot read one for a record rule; but here, where core checks what is attached to a
        message, it neither looks at rules nor at the groups of the field.
        """
        if self and not self.env.su and self.env.is_system():
            domain = [("res_model", "=", "mail.catchall.inbound"), ("res_field", "=", "raw")]
            # sudo: a rule hides the sources from who is asked about here
            if self.sudo().search_count([("id", "in", self.ids), *domain]):
                raise AccessError(_("The source of an inbound email cannot be read this way."))
        return super().check(mode, values=values)

    @api.model
    def _file_write(self, bin_value, checksum):
        """Let a mail wait (OSError) until its files are whole: core only logs a full disk."""
        if not self._is_guarded():
            return super()._file_write(bin_value, checksum)
        try:
            fname = super()._file_write(bin_value, checksum)
            _check_whole(self._full_path(fname), len(bin_value))
        except OSError as error:
            if error.errno not in READ_ONLY_ERRORS:
                raise
            text = _("Odoo may not write into its filestore %s.", self._filestore())
            raise OSError(error.errno, text) from error
        return fname

    @api.model
    def _index(self, bin_data, file_type, checksum=None):
        """Read no text out of what comes by mail: a small file may fill the memory when unpacked.

        Nor out of sources: nobody may search in them.
        """
        if self._is_guarded():
            return False
        return super()._index(bin_data, file_type, checksum=checksum)

    @api.model
    def _is_guarded(self):
        """Tell whether what is written is a mail or came with one.

        Anybody may put the key for sources into the context: writing only becomes stricter.
        """
        return bool(self.env.context.get("catchall_source")) or delivery_of(self.env) is not None

    @api.model
    def _store_sources(self, inbounds, sources):
        """Store the sources of inbound emails, safe on disk when the transaction is committed.

        Not through the binary field: it takes base64, which needs the memory of a large mail twice.

        :param list sources: bytes, in the order of ``inbounds``
        :raise OSError: if one is not whole on disk
        """
        values = {
            "name": "raw",
            "res_model": inbounds._name,
            "res_field": "raw",
            "mimetype": "message/rfc822",
        }
        vals_list = []
        for inbound, raw in zip(inbounds, sources, strict=True):
            self._remove_torn_file(raw)
            vals_list.append({**values, "res_id": inbound.id, "raw": raw})
        # sudo: nobody has a right to create sources
        self._sync_to_disk(self.sudo().with_context(catchall_source=True).create(vals_list))

    @api.model
    def _remove_torn_file(self, raw):
        """Remove what a process left that was killed while it wrote this very file.

        Core would take it for another content with the same checksum, and refuse the mail for ever.
        """
        checksum = self._compute_checksum(raw)
        path = self._full_path(f"{checksum[:2]}/{checksum}")
        if os.path.isfile(path) and os.path.getsize(path) != len(raw):
            os.unlink(path)

    @api.model
    def _sync_to_disk(self, attachments):
        """Outlive a power failure: PostgreSQL syncs at commit, the filestore does not."""
        paths = [self._full_path(fname) for fname in attachments.mapped("store_fname") if fname]
        with concurrent.futures.ThreadPoolExecutor(SYNC_THREADS) as pool:
            list(pool.map(_sync, {*paths, *map(os.path.dirname, paths)}))


def _check_whole(path, size):
    """Raise OSError if a file is not there or has another size."""
    folder = os.path.dirname(path)
    if not os.path.exists(path) and not os.access(folder, os.W_OK):
        raise OSError(errno.EROFS, "The filestore is read-only", folder)
    if os.path.getsize(path) != size:
        os.unlink(path)  # or the next attempt would find it, and not write it anew
        raise OSError(errno.ENOSPC, "The disk of the filestore is full")


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
