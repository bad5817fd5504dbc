"""How long a run may take: no model."""

from odoo import tools

from ...tools.time_limit import smallest_limit


def get_time_limit():
    """Return how many seconds a run may take, well before Odoo ends the worker."""
    names = ("limit_time_real", "limit_time_real_cron", "limit_time_cpu")
    return 0.75 * smallest_limit((tools.config[name] for name in names), 600)
