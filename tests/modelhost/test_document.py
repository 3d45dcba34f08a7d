"""Documents: the JSON of a model's text, as jsonb holds it."""

import orjson
import pytest

from pglore_host.errors import HostError
from pglore_host.generation import document


@pytest.mark.parametrize(
    "text", ["123456789012345678901234567890", '{"n": 12.50}', "7" * 400, "0." + "3" * 60, "[" * 300 + "]" * 300]
)
def test_numbers_keep_their_digits_and_depth_is_no_matter(text):
    assert orjson.dumps({"parsed": document.written(text)}).decode() == f'{{"parsed":{text}}}'


def test_what_jsonb_cannot_hold_is_read_first():
    assert document.written(r'{"a": "x\u0000y"}') == {"a": "x\0y"}
    assert document.written("0." + "3" * 20000) == pytest.approx(1 / 3)


@pytest.mark.parametrize("text", ["7" * 20000, "1e9999", "[" * 5000 + "]" * 5000])
def test_what_nothing_could_read_is_an_error_of_the_list(text):
    with pytest.raises(HostError) as caught:
        document.written(text)
    assert caught.value.code == "LO105" and caught.value.hint


@pytest.mark.parametrize("text", ["no JSON", '"\\ud800"', "", "[1"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        document.written(text)
