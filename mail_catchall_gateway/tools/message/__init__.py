from . import header_text
from . import preview
from . import repair
from . import repair_charsets
from . import repair_fields
from . import repair_parts
from . import source
from . import text_size
