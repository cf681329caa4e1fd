"""Configuration of the Sphinx site. The build needs no network."""

import os
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx_gallery.sorting import FileNameSortKey

import skreg

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
]
exclude_patterns = ["_build", "auto_examples/*.md5"]
templates_path = ["_templates"]
default_role = "code"

# -- Markdown ------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

# -- API reference -------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = True
numpydoc_class_members_toctree = False
numpydoc_attributes_as_param_list = True

# -- gallery -------------------------------------------------------------------------------------


def gallery_arguments(gallery_conf, script_vars):
    """Arguments of a script that the gallery runs: quick, unless SKREG_GALLERY is "full".

    The figures on the pages are the committed ones of the full runs, so the one that a script
    writes is not kept.
    """
    name = Path(script_vars["src_file"]).stem + ".png"
    output = ["--output", str(Path(tempfile.gettempdir()) / name)]
    return output if os.environ.get("SKREG_GALLERY") == "full" else ["--quick", *output]


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(\d\d|guide)_",
    "ignore_pattern": r"/_",
    "within_subsection_order": FileNameSortKey,
    "reset_argv": gallery_arguments,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "plot_gallery": "True",
}

# -- HTML ----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "skreg"
html_static_path = ["_static"]
html_css_files = ["skreg.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skreg"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": [], "benchmarks": [], "changelog": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


# -- formulas: MathML, which browsers draw without a script from elsewhere -------------------------


def visit_inline_math(self, node):
    """Write a formula inside a line."""
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_display_math(self, node):
    """Write a formula on lines of its own."""
    self.body.append(f'<div class="math-block">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


# -- links to scikit-learn, without its inventory ---------------------------------------------------

SKLEARN = "https://scikit-learn.org/stable"
SKLEARN_PAGES = {"metadata_routing": f"{SKLEARN}/metadata_routing.html"}


def link_to_sklearn(app, env, node, contnode):
    """Return a link to a page of scikit-learn's documentation, or None."""
    target = node["reftarget"]
    if target in SKLEARN_PAGES:
        address = SKLEARN_PAGES[target]
    elif node.get("refdomain") == "py" and target.startswith("sklearn."):
        address = f"{SKLEARN}/modules/generated/{target}.html"
    else:
        return None
    reference = nodes.reference("", "", internal=False, refuri=address)
    reference += contnode
    return reference


def setup(app):
    """Register the writer of formulas and the links."""
    app.add_html_math_renderer("mathml", (visit_inline_math, None), (visit_display_math, None))
    app.connect("missing-reference", link_to_sklearn)


html_math_renderer = "mathml"
