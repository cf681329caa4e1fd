"""Examples 01 and 04 to 07: their shared functions, and how they read data."""

import gzip
import importlib.util
import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.io import wavfile
from sklearn.datasets import dump_svmlight_file, fetch_file

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE = 8000


def load(name):
    """Import an example, whose name may begin with a number."""
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shared():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)  # where its own helper is
        yield load("_comparison")


@pytest.fixture(scope="module")
def tables(shared):
    return importlib.import_module("_tables")  # `shared` has the examples on the path


@pytest.fixture
def example(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "_comparison", shared)
    return load


def draw_scores(*means):
    """Scores of the four families and the ensemble on eight splits, with a deviation of 0.01."""
    return np.random.default_rng(0).normal(means, 0.01, size=(8, 5))


def make_comparison(shared, first, *metrics):
    """A comparison with scores of shape (n_splits, 5) for each metric."""
    scores = {
        metric: dict(zip([*shared.FAMILIES, shared.ENSEMBLE], values.T, strict=True))
        for metric, values in [first, *metrics]
    }
    chosen = [dict.fromkeys(shared.FAMILIES, (0.0, 0.0))] * len(first[1])
    return shared.Comparison(scores, chosen, 0.5)


def test_corrected_t_test_without_overlap_is_the_paired_t_test(shared):
    one, other = np.random.default_rng(0).normal(size=(2, 12))
    mean, half, p = shared.corrected_t_test(one - other, 0)
    expected = stats.ttest_rel(one, other)
    assert p == pytest.approx(expected.pvalue)
    np.testing.assert_allclose([mean - half, mean + half], expected.confidence_interval(0.95))


def test_corrected_t_test_adds_the_ratio_of_test_to_training_rows(shared):
    """Mean 2.5, s^2 = 5/3: the variance is (1/4 + 1/2) 5/3 = 1.25, t = 2.236 on three degrees."""
    mean, half, p = shared.corrected_t_test(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    assert mean == 2.5
    assert half == pytest.approx(3.182446 * np.sqrt(1.25), rel=1e-6)  # from a table of t
    # The distribution function of t on three degrees is known in closed form.
    x = np.sqrt(5) / np.sqrt(3)
    assert p == pytest.approx(1 - 2 / np.pi * (x / (1 + x**2) + np.arctan(x)), rel=1e-9)


def test_every_family_has_its_part_of_the_grid(shared):
    parts = shared.parts_of_the_grid([0.0, 0.2, 0.4], [0.0, 0.1])
    assert list(parts) == shared.FAMILIES
    for family, places in {
        "neither": [(0, 0)],
        "dropout": [(1, 0), (2, 0)],
        "L2": [(0, 1)],
        "both": [(1, 1), (2, 1)],
    }.items():
        assert [tuple(place) for place in np.argwhere(parts[family])] == places


def test_the_winner_of_a_family_has_the_best_mean_over_folds(shared):
    scores = np.full((3, 3, 2), -5.0)
    scores[0, 0] = -9  # the only candidate of neither
    scores[2, 0] = -1, -3  # a mean of -2, the best of dropout alone
    scores[1, 0] = 0, -5  # the best fold of all, with a worse mean
    scores[0, 1] = -4
    scores[2, 2] = -1
    chosen = shared.winners(scores, [0.0, 0.3, 0.6], [0.0, 1e-3, 1e-2])
    assert chosen == {
        "neither": (0.0, 0.0),
        "dropout": (0.6, 0.0),
        "L2": (0.0, 1e-3),
        "both": (0.6, 1e-2),
    }


def test_separate_splits_share_no_row(tables):
    y = np.repeat(["a", "b", "c"], [200, 100, 60])
    splits = tables.separate_splits(y, n_splits=6, n_train=36)
    rows = np.concatenate([rows for split in splits for rows in split])
    assert len(rows) == len(np.unique(rows)) == len(y)
    for train, test in splits:
        assert (len(train), len(test)) == (36, 24)
        np.testing.assert_array_equal(np.unique(y[train], return_counts=True)[1], [20, 10, 6])


def test_both_is_compared_with_the_family_that_is_better_in_the_first_metric(shared):
    losses = draw_scores(1.0, 0.5, 0.7, 0.4, 0.3)
    hits = draw_scores(0.5, 0.6, 0.9, 0.6, 0.7)
    by_loss = make_comparison(shared, ("log loss", losses), ("accuracy", hits))
    assert list(shared.contrasts(by_loss, "accuracy"))[-2] == ("both", "dropout")
    by_hits = make_comparison(shared, ("accuracy", hits), ("log loss", losses))
    assert list(shared.contrasts(by_hits, "log loss"))[-2] == ("both", "L2")
    assert list(shared.contrasts(by_hits, "log loss"))[-1] == ("ensemble", "both")
    mean, half, p, below = shared.contrasts(by_loss, "log loss")["both", "neither"]
    assert (mean, half, p) == shared.corrected_t_test(losses[:, 3] - losses[:, 0], 0.5)
    assert below == 8


@pytest.fixture
def comparison(shared):
    return make_comparison(
        shared,
        ("log loss", draw_scores(1.0, 0.5, 0.7, 0.5, 0.2)),
        ("accuracy", draw_scores(0.5, 0.6, 0.9, 0.6, 0.6)),
    )


def test_the_words_of_a_comparison_follow_its_intervals(shared, comparison):
    words = shared.in_words("toy", comparison)
    against_neither, against_single, of_ensemble = words.split("; ")
    assert re.match(r"toy, both against neither: log loss lower \(-0\.\d+ to -0", against_neither)
    assert "accuracy higher (+0." in against_neither
    assert against_single.startswith("both against dropout: log loss no clear difference (-0.")
    assert of_ensemble.startswith("ensemble against both: log loss lower (-0.")


def test_a_comparison_is_printed_in_80_columns_and_ends_with_its_words(shared, comparison, capsys):
    shared.tell("toy", comparison)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert " ".join(printed.split()).endswith(shared.in_words("toy", comparison))


@pytest.mark.parametrize("grouped", [True, False])
def test_a_table_is_read_from_a_compressed_file(tables, tmp_path, grouped):
    rows = ["1,2.5,speaker 1,x\n", "3,-4e-1,speaker 2,very #y\n"]
    lines = ["a,b,group,target\n", *rows]
    if not grouped:
        lines = [re.sub(r",(group|speaker \d)", "", line) for line in lines]
    with gzip.open(tmp_path / "toy.csv.gz", "wt") as file:
        file.writelines(lines)
    table = tables.read_table(tmp_path, "toy")
    np.testing.assert_array_equal(table.X, [[1, 2.5], [3, -0.4]])
    assert list(table.y) == ["x", "very #y"]
    assert (list(table.groups) == ["speaker 1", "speaker 2"]) if grouped else table.groups is None


def test_a_missing_table_names_the_option_data(tables, tmp_path):
    with pytest.raises(SystemExit, match=r"no .*toy\.csv\.gz.*--data takes a folder"):
        tables.read_table(tmp_path, "toy")


def test_a_download_that_fails_names_the_option_data(tables):
    def fail(url):
        raise OSError("no route to host")

    with pytest.raises(SystemExit, match=r"(?s)a\.zip.*no route.*--data FOLDER reads toy\.csv\.gz"):
        tables.download(fail, "toy", url="https://localhost/a.zip")


def make_tone(hertz, seconds, loudness=0.5):
    return loudness * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)


@pytest.fixture
def speech(example):
    return example("04_speech_recognition")


def test_mel_filters_have_values_from_0_to_1(speech):
    filters = speech.mel_filters(RATE, 256, 16)
    assert filters.shape == (16, 129)
    assert filters.min() == 0
    assert (filters.max(axis=1) > 0).all()
    assert filters.max() <= 1


LOW, HIGH = 300, 3000  # hertz


def find_band(hertz):
    """The number of the mel filter that has its maximum at a frequency."""
    mel = 2595 * np.log10(1 + np.array([hertz, RATE / 2]) / 700)
    return round(mel[0] / mel[1] * 17) - 1


@pytest.fixture
def sound():
    """A low tone, a pause and a high tone."""
    return np.concatenate([make_tone(LOW, 0.4), np.zeros(RATE * 4 // 10), make_tone(HIGH, 0.4)])


def test_a_tone_has_its_maximum_in_its_band(speech, sound):
    features = speech.log_mel(sound, RATE).reshape(8, 16)
    assert (features[[0, 1]].argmax(axis=1) == find_band(LOW)).all()
    assert (features[[6, 7]].argmax(axis=1) == find_band(HIGH)).all()


def test_a_pause_has_the_smallest_features(speech, sound):
    features = speech.log_mel(sound, RATE).reshape(8, 16)
    np.testing.assert_allclose(features[[3, 4]], np.log(1e-8))


def test_features_of_twice_the_amplitude_are_log_4_larger(speech, sound):
    features, louder = (speech.log_mel(f * sound, RATE).reshape(8, 16) for f in (1, 2))
    band = find_band(LOW)
    assert louder[0, band] - features[0, band] == pytest.approx(np.log(4), rel=1e-3)


@pytest.mark.parametrize("n_values", [1, 100, 759, 760, 761, 10_000])
def test_recordings_of_any_length_have_the_same_number_of_features(speech, n_values):
    features = speech.log_mel(np.ones(n_values), RATE)
    assert features.shape == (128,)
    assert np.isfinite(features).all()


@pytest.fixture
def archived(speech, tables, tmp_path):
    """The table of an archive with two recordings, and their features."""
    (tmp_path / "copies").mkdir()
    sounds = {"7_theo_0": make_tone(300, 0.3), "0_lucas_12": make_tone(2000, 0.2)}
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("digits-1.0/README.md", "no recording")
        for name, sound in sounds.items():
            file = BytesIO()
            wavfile.write(file, RATE, (sound * 2**15).astype(np.int16))
            archive.writestr(f"digits-1.0/recordings/{name}.wav", file.getvalue())
    options = {"url": f"file://localhost{tmp_path}/source.zip", "folder": tmp_path / "copies"}
    table = speech.read_recordings(tables.download(fetch_file, "toy", **options))
    features = [speech.log_mel(sounds[name], RATE) for name in ("0_lucas_12", "7_theo_0")]
    return table, np.array(features)


def test_digits_and_speakers_are_read_from_the_names_of_an_archive(archived):
    table, _ = archived
    assert list(table.y) == ["0", "7"]
    assert list(table.groups) == ["lucas", "theo"]


def test_features_of_an_archive_are_those_of_its_sounds(archived):
    table, features = archived
    np.testing.assert_allclose(table.X, features, atol=1)  # sounds are rounded to 16 bits
    loud = features > -5
    np.testing.assert_allclose(table.X[loud], features[loud], atol=0.01)


def test_two_files_of_rankings_are_read_as_one_table_with_queries(example, tmp_path):
    search = example("06_search_engine")
    generator = np.random.default_rng(0)
    X = generator.normal(size=(9, 5)).round(3)
    X[:, 2] = 0  # a column of zeros is left out
    grades = generator.integers(0, 5, size=9)
    tables, sizes = [], []
    for number, (rows, queries) in enumerate([(slice(0, 6), [2, 1, 3]), (slice(6, 9), [3])]):
        tables.append(str(tmp_path / f"{number}.txt"))
        dump_svmlight_file(X[rows], grades[rows], tables[-1], zero_based=False)
        sizes.append(tmp_path / f"{number}.query")
        sizes[-1].write_text("".join(f"{size}\n" for size in queries))
    table = search.read_ranking(tables, sizes)
    np.testing.assert_array_equal(table.X, X[:, [0, 1, 3, 4]])
    np.testing.assert_array_equal(table.y, grades)
    np.testing.assert_array_equal(table.groups, [0, 0, 1, 2, 2, 2, 3, 3, 3])


def test_ndcg_is_the_mean_over_queries_that_can_be_ranked(example):
    """A query of one row or without a relevant row does not count."""
    mean_ndcg = example("06_search_engine").mean_ndcg
    gains = np.array([0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 7.0])
    scores = np.array([2.0, 1.0, 1.0, 2.0, 1.0, 2.0, 1.0])
    queries = np.array([0, 0, 1, 1, 2, 2, 3])  # none is relevant in the third; the last has one row
    assert mean_ndcg(gains, scores, queries) == pytest.approx((1 / np.log2(3) + 1) / 2)


def test_rows_are_ranked_by_their_expected_gain(example, tables):
    """Grade 1 has a gain of 1. Grade 4 has 15, so that with probability 0.2 its row is first."""
    search = example("06_search_engine")
    probabilities = np.array([[0.0, 1.0, 0.0], [0.8, 0.0, 0.2]])
    model = SimpleNamespace(classes_=np.array([0, 1, 4]), predict_proba=lambda X: probabilities)
    table = tables.Table(np.zeros((2, 1)), np.array([1, 4]), np.array([0, 0]))
    scores = search.measure(model, table, np.array([0, 1]))
    assert scores["NDCG@10"] == 1
    assert scores["log loss"] == pytest.approx(-np.log(0.2) / 2, rel=1e-6)
