"""Configures the documentation's site, which `make docs` builds with Sphinx, MyST and Furo."""

from pathlib import Path

project = "signald"
copyright = "the signald contributors, MIT licence"
_package = Path(__file__).parents[1].joinpath("signald", "__init__.py").read_text("utf-8")
release = _package.partition('__version__ = "')[2].partition('"')[0]
version = release

extensions = ["myst_parser"]
# `#…` links to headings are checked, three levels deep, with the anchors that GitHub gives to them.
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"signald {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# Icons of the theme are in the pages; no font, script or picture comes from another host.
html_theme_options = {"footer_icons": []}
