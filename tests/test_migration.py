"""The page for those who come from elsewhere: its blocks run, and score alike."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "migration" / "keras.md"
START, *SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_blocks_of_a_section_score_alike(section):
    names, scores = {}, []
    (start,) = blocks(START)
    exec(start, names)
    for block in blocks(section):
        exec(block, names)
        scores.append(float(names.pop("score")))
    assert len(scores) >= 2
    assert min(scores) > 0.9
    assert max(scores) - min(scores) < 0.06


def test_the_page_has_a_section_for_each_who_comes():
    titles = " ".join(section.splitlines()[0] for section in SECTIONS)
    assert all(name in titles for name in ("Keras", "scikeras", "MLPClassifier", "back"))
