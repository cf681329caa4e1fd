"""Configuration of the Sphinx site."""

import sys
from pathlib import Path

import skreg

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skreg"
author = "The skreg developers"
copyright = f"2026, {author}"
version = release = skreg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "skreg_docs",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "code"
smartquotes = False  # strings such as "relu" are code
toc_object_entries_show_parents = "hide"

# Markdown
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# API reference
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_class_members_toctree = False

# gallery; its figures are in the repository, and the output of quick runs means nothing
sphinx_gallery_conf = {
    "plot_gallery": "False",
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"(\d\d|guide)_\w+\.py$",
    "ignore_pattern": r"(^|[/\\])_\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_argv": "skreg_docs.gallery_arguments",
    "image_scrapers": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
}

# HTML
html_theme = "pydata_sphinx_theme"
html_title = "skreg"
html_static_path = ["_static"]
html_css_files = ["skreg.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skreg"},
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": [], "benchmarks": [], "changelog": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
