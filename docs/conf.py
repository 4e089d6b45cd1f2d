"""Sphinx configuration: `sphinx-build -W --keep-going -b html docs docs/_build/html`.

Pages are the Markdown files of this folder, as they are. What stands elsewhere is put beside them at build time by the
extensions in `_ext`: files of the repository that pages link to, a page per command, the classes that are registered.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from slicebench.version import __version__

project = "slicebench"
author = "The slicebench developers"
copyright = author  # noqa: A001 - Sphinx's name
release = version = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "command_pages",
    "docstrings",
    "registered",
    "repository",
]
exclude_patterns = ["_build", "images", "**/.ipynb_checkpoints"]
smartquotes = False  # two hyphens are an option
nitpicky = False  # annotations name types of other projects, whose inventories are not fetched

html_theme = "furo"
html_title = "slicebench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": "{{path}}"}

nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "model_config"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False

copybutton_exclude = ".linenos, .gp, .go"
