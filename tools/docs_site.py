"""What `make docs` shows: pages and figures where they stand in the clone, so that their links are those on GitHub."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

CLONE = Path(__file__).parent.parent
PAPERS = "The papers"
PAGES = "experiments/*/README.md"
SHOWN = ("*.md", "docs/*.md", "docs/*.png", "docs/site/*", PAGES, "results/README.md", "results/*/*/*.svg")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Every paper's page is in the navigation, behind the ledger."""
    assert config.nav is not None
    for section in config.nav:
        if PAPERS in section:
            section[PAPERS] += [{title(p): p.relative_to(CLONE).as_posix()} for p in sorted(CLONE.glob(PAGES))]
    return config


def title(page: Path) -> str:
    """The first heading of a page; what stands above it would hide it from MkDocs."""
    return next(line.removeprefix("# ") for line in page.read_text().splitlines() if line.startswith("# "))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the site: those of the theme, and of the clone what `SHOWN` names."""
    own = [
        File(path.relative_to(CLONE).as_posix(), str(CLONE), config.site_dir, config.use_directory_urls)
        for pattern in SHOWN
        for path in sorted(CLONE.glob(pattern))
    ]
    return Files([*(file for file in files if file.src_dir != config.docs_dir), *own])
