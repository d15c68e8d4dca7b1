"""The error family, and the wording of a refusal: what was given, what is allowed, what to do."""

from __future__ import annotations

import pytest

from distillab.errors import DistillabError, RequestError, WorkError, not_allowed, unknown


def test_a_refusal_says_what_was_given_what_is_allowed_and_what_to_do() -> None:
    error = not_allowed("temperature", 0, "greater than 0", "To train on labels alone use alpha=1.")
    assert str(error) == (
        "temperature=0 is not allowed: it must be greater than 0. To train on labels alone use alpha=1."
    )


def test_a_rule_that_says_it_all_is_followed_by_nothing() -> None:
    assert str(not_allowed("model", "cnn", "a word")) == "model='cnn' is not allowed: it must be a word."


def test_an_unknown_name_is_refused_with_the_nearest_one_and_all_that_exist() -> None:
    error = unknown("data set", "mnsit", ["mnist", "digits"])
    assert str(error) == "There is no data set 'mnsit'. Did you mean 'mnist'? Known: digits, mnist."


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert str(unknown("data set", "zzz", ["mnist", "digits"])) == "There is no data set 'zzz'. Known: digits, mnist."


def test_the_known_names_may_be_any_iterable() -> None:
    assert str(unknown("key", "b", iter(["a"]))).endswith("Known: a.")


@pytest.mark.parametrize("make", [lambda: not_allowed("a", 1, "b"), lambda: unknown("a", "b", [])])
def test_a_wrong_request_exits_with_2_and_is_a_value_error(make) -> None:
    error = make()
    assert isinstance(error, RequestError)
    assert isinstance(error, ValueError)
    assert error.exit_code == 2


def test_failed_work_exits_with_1_and_is_a_runtime_error() -> None:
    assert issubclass(WorkError, RuntimeError)
    assert WorkError.exit_code == DistillabError.exit_code == 1


def test_one_clause_catches_the_family() -> None:
    for kind in (RequestError, WorkError):
        with pytest.raises(DistillabError, match=r"^said$"):
            raise kind("said")
