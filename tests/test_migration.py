"""The page about migration from Keras: its code runs, and the scores of a section agree."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "migration" / "keras.md"
START, *SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)


def find_code_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.full  # the Keras code builds and traces models
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_code_of_a_section_has_similar_scores(section):
    names, scores = {}, []
    (start,) = find_code_blocks(START)
    exec(start, names)
    for block in find_code_blocks(section):
        exec(block, names)
        scores.append(float(names.pop("score")))
    assert len(scores) >= 2
    assert min(scores) > 0.9
    assert max(scores) - min(scores) < 0.06


@pytest.mark.parametrize("name", ["Keras", "scikeras", "MLPClassifier", "back"])
def test_the_page_has_a_section_with_this_word_in_its_title(name):
    assert any(name in section.splitlines()[0] for section in SECTIONS)
