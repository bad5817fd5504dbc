from . import delivery_report
from . import report_parts
from . import report_text
