"""`repro.experiments.<paper>.<module>`: the code that a paper brings along, wherever its folder lies.

Nothing in this package imports from there; a configuration's `_target_` and a paper's own modules name it.
"""

from repro.paths import experiments_dir

__path__ = [str(experiments_dir())]
