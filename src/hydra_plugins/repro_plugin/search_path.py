"""Papers' own `conf/` and one in the working folder join the configuration search path: no component needs a fork."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from repro.paths import conf_dirs, own_conf


class OwnConf(SearchPathPlugin):
    """Appends `experiments/*/conf` and `./conf`; of files of one name the first wins, and repro's own come first."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folders that there are."""
        for folder in conf_dirs()[1:]:
            search_path.append(provider=folder.parent.name, path=f"file://{folder}")
        if own := own_conf():
            search_path.append(provider="working folder", path=f"own://{own}")
