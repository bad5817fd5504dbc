from . import from_policy
from . import inline_images
from . import refusal
from . import sendable
from . import smtp_failure
