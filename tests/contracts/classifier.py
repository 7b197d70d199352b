"""What every classifier must do; a classifier's test module inherits it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load, save

from shopvision.classifiers.base import METADATA, Classifier, Examples, classifier_from_bytes


class ClassifierContract:
    """Give fixtures ``classifier`` and ``examples`` (five or more, with all the modalities it needs)."""

    tolerance = 1e-5  # what a probability may differ by within a batch

    @pytest.fixture
    def classifier(self) -> Classifier:
        pytest.fail("a test module gives the classifier")

    @pytest.fixture
    def examples(self) -> Examples:
        pytest.fail("a test module gives the examples")

    def test_each_example_has_a_row_that_sums_to_one(
        self, classifier: Classifier, examples: Examples
    ) -> None:
        found = classifier.probabilities(examples)
        assert (found.shape, found.dtype) == ((len(examples), len(classifier.labels)), np.float32)
        assert found.min() >= 0
        assert found.sum(1) == pytest.approx(1.0, abs=1e-5)

    def test_it_knows_its_doubt(self, classifier: Classifier, examples: Examples) -> None:
        known = classifier.known(examples)
        assert (known.shape, known.dtype) == ((len(examples),), np.float32)
        assert known.min() >= 0
        assert known.max() <= 1

    def test_no_examples_give_no_rows(self, classifier: Classifier, examples: Examples) -> None:
        nothing = examples.take(np.array([], int))
        assert classifier.probabilities(nothing).shape == (0, len(classifier.labels))
        assert classifier.known(nothing).shape == (0,)

    def test_an_example_alone_is_judged_as_among_others(
        self, classifier: Classifier, examples: Examples
    ) -> None:
        together = classifier.probabilities(examples)
        for row in range(len(examples)):
            alone = classifier.probabilities(examples.take(np.array([row])))
            np.testing.assert_allclose(alone[0], together[row], atol=self.tolerance)

    def test_rows_follow_the_order_of_the_examples(self, classifier: Classifier, examples: Examples) -> None:
        backwards = np.arange(len(examples))[::-1]
        np.testing.assert_allclose(
            classifier.probabilities(examples.take(backwards)),
            classifier.probabilities(examples)[backwards],
            atol=self.tolerance,
        )
        np.testing.assert_allclose(
            classifier.known(examples.take(backwards)),
            classifier.known(examples)[backwards],
            atol=10 * self.tolerance,
        )

    def test_it_survives_its_bytes(self, classifier: Classifier, examples: Examples) -> None:
        data = classifier.to_bytes()
        again = classifier_from_bytes(data)
        assert type(again) is type(classifier)
        assert (again.kind, again.labels, again.needs) == (
            classifier.kind,
            classifier.labels,
            classifier.needs,
        )
        assert (again.to_bytes(), again.digest) == (data, classifier.digest)
        np.testing.assert_array_equal(again.probabilities(examples), classifier.probabilities(examples))
        np.testing.assert_array_equal(again.known(examples), classifier.known(examples))

    def test_other_bytes_are_refused(self, classifier: Classifier) -> None:
        data = classifier.to_bytes()
        length = int.from_bytes(data[:8], "little")
        record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][METADATA])
        newer = save(load(data), {METADATA: json.dumps({**record, "format": 99})})
        for wrong in (b"", data[: len(data) // 2], newer):
            with pytest.raises(ValueError, match=r"no classifier|format 99"):
                classifier_from_bytes(wrong)

    def test_a_missing_modality_is_named(self, classifier: Classifier, examples: Examples) -> None:
        for name in classifier.needs:
            without = {one: getattr(examples, one) for one in examples.given - {name}}
            with pytest.raises(ValueError, match=name):
                classifier.probabilities(Examples(**without))
            with pytest.raises(ValueError, match=name):
                classifier.known(Examples(**without))

    def test_threads_do_not_disturb_each_other(self, classifier: Classifier, examples: Examples) -> None:
        expected = classifier.probabilities(examples)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda _: classifier.probabilities(examples), range(8)):
                np.testing.assert_allclose(found, expected, atol=self.tolerance)
