"""How much there is in an image before it is unpacked (CWE-409)."""

import io

from PIL import Image

#: Of one image: eight octets for each are needed to make it smaller.
MAX_PIXELS = 20_000_000
#: Of all images of a mail: a million takes some 15 ms.
MAX_PIXELS_OF_ALL = 60_000_000


def count_pixels(content):
    """Return the number of pixels that an image says it has.

    :param bytes content: of the file
    :return int: 0 where it is no image; more than the limit where Pillow does not open it for that
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except Exception:  # Pillow raises whatever its many formats raise
        return 0
