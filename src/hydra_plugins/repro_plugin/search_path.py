"""A `conf/` in the working folder joins the configuration search path, so that one's own components need no fork."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from repro.paths import conf_dir


class OwnConf(SearchPathPlugin):
    """Appends `./conf`; files of the same name in repro's own `conf/` win."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder when there is one and it is not repro's own."""
        own = Path.cwd() / "conf"
        if own.is_dir() and own.resolve() != conf_dir().resolve():
            search_path.append(provider="working folder", path=f"own://{own}")
