"""Sphinx extension of this site: formulas, links to scikit-learn, docstrings, the gallery.

Nothing here needs a network, neither to build the site nor to read it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

SKLEARN = "https://scikit-learn.org/stable"
# Labels and terms in docstrings that scikit-learn's mixins bring along.
SKLEARN_PAGES = {
    "metadata_routing": "metadata_routing.html",
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "r2_score": "modules/model_evaluation.html#r2-score",
    "meta-estimator": "glossary.html#term-meta-estimator",
}


def visit_inline_math(self, node):
    """Write a formula inside a line as MathML, which browsers draw without a script."""
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_display_math(self, node):
    """Write a formula on a line of its own."""
    self.body.append(f'<div class="math-block">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def link_to_sklearn(app, env, node, contnode):
    """Return a link to scikit-learn's documentation, or None for any other target."""
    target = node["reftarget"]
    if target in SKLEARN_PAGES:
        page = SKLEARN_PAGES[target]
    elif node.get("refdomain") == "py" and target.startswith("sklearn."):
        page = f"modules/generated/{target}.html"
    else:
        return None
    return nodes.reference("", "", contnode, internal=False, refuri=f"{SKLEARN}/{page}")


def mark_up_types(app, what, name, obj, options, lines):
    """Mark names such as n_iter_ in types as literals; RST takes them for targets of links.

    A method may cite the references of its class, which are not on its own entry.
    """
    for number, line in enumerate(lines):
        if entry := re.match(r"(\w+ : )(.*)", line):
            marked = re.sub(r"(?<![`\w])(\w+_)(?![`\w])", r"``\1``", entry.group(2))
            lines[number] = entry.group(1) + marked
        elif what in ("method", "function") and "References" not in lines:
            lines[number] = re.sub(r" \[\d+\]_", "", line)


def trim_code_blocks(app, doctree):
    """Remove the blank line that a doctest in Markdown needs before the end of its block."""
    for block in doctree.findall(nodes.literal_block):
        block.rawsource = block.rawsource.rstrip("\n")
        block.children[:] = [nodes.Text(block.rawsource)] if block.rawsource else block.children


def gallery_arguments(gallery_conf, script_vars):
    """Return the arguments of a script that is run with `-D plot_gallery=1`, as `.ci/full` does."""
    figure = Path(tempfile.gettempdir(), Path(script_vars["src_file"]).stem).with_suffix(".png")
    return ["--quick", "--output", str(figure)]


def setup(app):
    """Register everything; types are marked up before numpydoc reads the docstrings."""
    app.add_html_math_renderer("mathml", (visit_inline_math, None), (visit_display_math, None))
    app.connect("missing-reference", link_to_sklearn)
    app.connect("doctree-read", trim_code_blocks)
    app.connect("autodoc-process-docstring", mark_up_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
