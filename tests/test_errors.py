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


def test_what_a_stranger_wrote_cannot_move_the_cursor_or_begin_a_line() -> None:
    message = str(RequestError("two\nlines, \x1b[31mred, \x9b2J, \u202ebackwards, \udcff"))
    assert message == "two\\nlines, \\x1b[31mred, \\x9b2J, \\u202ebackwards, \\udcff"
    assert str(RequestError(message)) == message


def test_a_long_message_is_cut_and_still_says_what_to_do() -> None:
    message = str(RequestError("x" * 10**6 + ". Shorten it."))
    assert len(message) < 2_100
    assert message.endswith(". Shorten it.")


def test_a_value_is_shown_without_being_written_out() -> None:
    laughs: object = "ha"
    for _ in range(200):  # 10^200 times ha
        laughs = [laughs] * 10
    assert len(str(not_allowed("alpha", laughs, "a number"))) < 400
    own: list[object] = []
    own.append(own)
    assert len(str(not_allowed("alpha", own, "a number"))) < 400
    assert "0xffff" in str(not_allowed("seeds", 2**100_000 - 1, "smaller"))


@pytest.mark.parametrize("value", [[], (), {}, (1,), (1, "a"), {"a": [1, {"b": (2.5, None)}]}, "it's", b"a", -3, True])
def test_a_short_value_is_shown_as_python_writes_it(value: object) -> None:
    assert str(not_allowed("x", value, "y")) == f"x={value!r} is not allowed: it must be y."
