from . import res_config_settings
from . import res_config_settings_domain
from . import res_config_settings_fetch
from . import res_config_settings_state
