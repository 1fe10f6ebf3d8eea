from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.prompting import Item, render_answer
from annotator.core.schema import schema_from_json
from llm_labeler.parse import MAX_ITEMS, parse_answer

SCHEMA = schema_from_json(
    {
        "labels": [{"name": "Problem", "definition": "p"}, {"name": "Test", "definition": "t"}],
        "attributes": [{"name": "assertion", "values": ["present", "absent"], "labels": ["Problem"]}],
    }
)
QUOTES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda quote: bool(quote.strip())
)
ITEMS = st.builds(
    Item,
    text=st.one_of(QUOTES, st.tuples(QUOTES, QUOTES)),
    label=st.just("Problem"),
    attributes=st.sampled_from([{}, {"assertion": "absent"}]),
)


@given(st.lists(ITEMS, max_size=6))
def test_what_was_rendered_is_parsed_back(items: list[Item]) -> None:
    answer = render_answer(items, schema=SCHEMA)
    parsed = parse_answer(answer, SCHEMA)
    assert parsed.problems == ()
    assert [item.quotes for item in parsed.items] == [(i.text,) if isinstance(i.text, str) else i.text for i in items]
    for item in parsed.items:
        assert answer[slice(*item.label_place)] == item.label
        written = [json.loads(f'"{answer[slice(*place)]}"') for place in item.quote_places]
        assert tuple(written) == item.quotes


@given(st.lists(ITEMS, min_size=1, max_size=5), st.data())
def test_a_cut_answer_gives_its_whole_items_and_says_so(items: list[Item], data: st.DataObject) -> None:
    answer = render_answer(items, schema=SCHEMA)
    cut = answer[: data.draw(st.integers(0, len(answer) - 1))]
    parsed = parse_answer(cut, SCHEMA)
    whole = parse_answer(answer, SCHEMA).items
    assert parsed.items == whole[: len(parsed.items)]
    assert parsed.problems


PLAIN_ITEMS = st.lists(
    st.builds(
        Item,
        text=st.one_of(QUOTES, st.tuples(QUOTES, QUOTES)),
        label=st.sampled_from(["Problem", "Test"]),
    ),
    min_size=1,
    max_size=6,
)
GARBAGE = st.text(st.sampled_from("ab01 \n\\.:,\"'{}[]")) | st.sampled_from(
    ["```", '{"', '"}', "},{", '","', "}]", "…"]
)


@given(PLAIN_ITEMS, GARBAGE, st.data())
def test_items_that_the_damage_has_not_touched_survive_it(items: list[Item], garbage: str, data: st.DataObject) -> None:
    answer = render_answer(items, schema=SCHEMA)
    whole = parse_answer(answer, SCHEMA).items
    starts = [answer.rindex('{"text":', 0, item.label_place[0]) for item in whole]
    hit = data.draw(st.integers(0, len(items) - 1))
    end = starts[hit + 1] - 1 if hit + 1 < len(items) else len(answer)
    first = data.draw(st.integers(starts[hit], end))
    last = data.draw(st.integers(first, end))
    broken = answer[:first] + garbage + answer[last:]
    found = parse_answer(broken, SCHEMA).items
    assert found[:hit] == whole[:hit]
    n_behind = len(items) - hit - 1
    kept = found[len(found) - n_behind :] if n_behind else ()
    assert [(item.quotes, item.label) for item in kept] == [(item.quotes, item.label) for item in whole[hit + 1 :]]
    moved = len(broken) - len(answer)
    assert [item.label_place[0] - moved for item in kept] == [item.label_place[0] for item in whole[hit + 1 :]]
    for item in found:
        assert broken[slice(*item.label_place)].strip().casefold() == item.label.casefold()


@given(st.text(st.sampled_from('[]{}",:\\ textlab01-e\n')))
def test_no_answer_breaks_the_parser(answer: str) -> None:
    for item in parse_answer(answer, SCHEMA).items:
        assert all(item.quotes) and item.label in SCHEMA.label_names


@pytest.mark.parametrize(
    "answer",
    [
        "[" * 100_000,
        "[{" * 50_000,
        '[{"text":' + "[" * 100_000,
        '[{"text":' + '{"a":' * 50_000,
        '[{"' * 30_000,
        "[{'" * 30_000,
        '[{"text":"' + "a" * 1_000_000,
        '[{"text":\'' + "'a" * 500_000,
        '[{"text":["' + '","' * 300_000,
        "[{" + " " * 1_000_000,
        '{"a' * 300_000,
        '[{"text":"' + '\\"' * 500_000,
        '[{"text":"a' + '"b' * 300_000,
        "<unused94>" * 100_000,
        "]" * 500_000 + "[" * 500_000,
    ],
    ids=lambda answer: answer[:12],
)
def test_a_hostile_answer_is_a_problem_not_a_crash(answer: str) -> None:
    parsed = parse_answer(answer, SCHEMA)
    assert parsed.items == ()
    assert parsed.problems


@pytest.mark.parametrize(
    "answer",
    [
        '<unused94>thought\n[{"text":"no","label":"Test"}]<unused95>[{"text":"rash","label":"Problem"}]',
        '```json\n[\n  {"text": "rash", "label": "Problem"}\n]\n```',
        'Here you are: [{"text":"rash","label":"Problem"},]',
        '{"text":"rash","label":"Problem"}]',
        '{"spans":[{"label":"problem","text":"rash"}]}',
        '[ {"text":"rash","label":" PROBLEM "} ]',
        '<think>[{"text":"no","label":"Test"}]</think>\n[{"text":"rash","label":"Problem"}]',
        '<unused94>a<unused95><unused94>b<unused95>[{"text":"rash","label":"Problem"}]',
        '{"spans": [ {"text":"rash","label":"Problem"} ], "n": 1}',
        '[[{"text":"rash","label":"Problem"}]]',
        '[{"text":"rash" "label":"Problem"}]',
        "[{'text': 'rash', 'label': 'Problem'}]",
        '[{"text":"rash","label":"Problem","label":"Test"}]',
        '[{"text":"rash","label":"Problem","start":1.5}]',
    ],
)
def test_what_surrounds_the_items_is_passed_over(answer: str) -> None:
    parsed = parse_answer(answer, SCHEMA)
    assert [(item.quotes, item.label) for item in parsed.items] == [(("rash",), "Problem")]
    assert answer[slice(*parsed.items[0].label_place)].strip().casefold() == "problem"


@pytest.mark.parametrize(
    "answer",
    [
        '[{"text":"ECG","label":"Test"},{"text":"Hb","label":"Test"',
        '[{"text":"ECG","label":"Test","text":"Hb","label":"Test"}]',
        '[{"text":"ECG","label":"Test"},"text":"Hb","label":"Test"}]',
        '[{"text":"ECG","label":"Test",{"text":"Hb","label":"Test"]',
        '[{"text":"ECG","label":"Test"}],{"text":"Hb","label":"Test"}]',
        '[{"text":"ECG","label":"Test"}]\n[{"text":"Hb","label":"Test"}]',
        '[{"label":"Test","text":"ECG"}]\n\n[{"label":"Test","text":"Hb"}]',
        '[{"text":"ECG","label":"Test"}]\n[{"start":5,"text":"Hb","label":"Test"}]',
        '{"text":"ECG","label":"Test"}\n{"text":"Hb","label":"Test"}',
        '[{"text":"ECG","label":"Test"} and {"text":"Hb","label":"Test"}]',
        '[{"text":"ECG","label":"Test","x":["a"},{"text":"Hb","label":"Test"}]',
    ],
)
def test_an_item_needs_neither_end_nor_beginning(answer: str) -> None:
    assert [item.quotes for item in parse_answer(answer, SCHEMA).items] == [("ECG",), ("Hb",)]


@pytest.mark.parametrize(
    "answer",
    [
        '[{"text":"rash","label":"Problem"',
        '[{"text":"rash","label":"Problem",',
        '[{"text":"rash","label":"Problem","assertion":"abs',
        '[{"text":"rash","label":"Problem","text":"Hb',
    ],
)
def test_an_item_that_may_lack_an_attribute_is_lost(answer: str) -> None:
    parsed = parse_answer(answer, SCHEMA)
    assert parsed.items == ()
    assert "attribute" in parsed.problems[0]


def test_an_item_without_text_behind_the_list_is_reported() -> None:
    parsed = parse_answer('[{"text":"ECG","label":"Test"}]\n[{"label":"Test"}]', SCHEMA)
    assert len(parsed.items) == 1
    assert parsed.problems == ("item 2: 'text' must be a text, or 2 to 8 pieces of one",)


def test_what_is_no_item_behind_the_list_is_passed_over() -> None:
    parsed = parse_answer('{"items":[{"text":"ECG","label":"Test"}],"meta":{"n":1}} {not this}', SCHEMA)
    assert (len(parsed.items), parsed.problems) == (1, ())


def test_an_item_with_all_attributes_need_not_be_closed() -> None:
    parsed = parse_answer('[{"text":"rash","label":"Problem","assertion":"absent"', SCHEMA)
    assert parsed.items[0].attributes == {"assertion": "absent"}


@pytest.mark.parametrize(
    ("written", "quote"),
    [
        (r'"says "ouch" often"', 'says "ouch" often'),
        (r'"5\% w/v"', r"5\% w/v"),
        (r'"a\u12"', r"a\u12"),
        ('"a\tb\nc"', "a\tb\nc"),
        ("'patient\\'s \"rash\"'", 'patient\'s "rash"'),
        ("'patient's rash'", "patient's rash"),
    ],
)
def test_a_quote_that_is_not_valid_json_is_read(written: str, quote: str) -> None:
    answer = f'[{{"text":{written},"label":"Test"}},{{"text":"Hb","label":"Test"}}]'
    parsed = parse_answer(answer, SCHEMA)
    assert [item.quotes for item in parsed.items] == [(quote,), ("Hb",)]
    assert answer[slice(*parsed.items[0].quote_places[0])] == written[1:-1]


def test_a_thought_that_does_not_end_holds_no_answer() -> None:
    assert parse_answer('<unused94>thought\n[{"text":"Hb","label":"Test"}]', SCHEMA).items == ()


def test_a_quoted_end_of_a_thought_hides_nothing() -> None:
    answer = '[{"text":"Hb","label":"Test"},{"text":"<unused95>","label":"Test"},{"text":"</think>","label":"Test"}]'
    assert len(parse_answer(answer, SCHEMA).items) == 3


def test_an_answer_without_end_is_read_up_to_a_bound() -> None:
    parsed = parse_answer("[" + '{"text":"Hb","label":"Test"},' * (MAX_ITEMS + 1), SCHEMA)
    assert len(parsed.items) == MAX_ITEMS
    assert len(parsed.problems) == 1


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ('{"text":"a","label":"Disease"}', "not in the schema"),
        ('{"text":"","label":"Problem"}', "'text'"),
        ('{"text":[],"label":"Problem"}', "'text'"),
        ('{"text":7,"label":"Problem"}', "'text'"),
        ('{"label":"Problem"}', "'text'"),
        ('{"text":"a"}', "'label'"),
        ('{"text":"a","label":["Problem"]}', "'label'"),
        ('{"text":"a","label":"Problem"', "attribute"),
        ('{"text":"a","label":"Problem","x":{"y":1}}', "attribute"),
        ('{"text":{"x":1},"label":"Problem"}', "JSON"),
        ('{"text":"a,"label":"Problem"}', "JSON"),
        ('{"text:"a","label":"Problem"}', "JSON"),
        ('{"text":"a","label":Problem}', "JSON"),
        ('{"text":"a" "b","label":"Problem"}', "JSON"),
    ],
)
def test_a_broken_item_costs_only_itself(broken: str, named: str) -> None:
    parsed = parse_answer(f'[{broken},{{"text":"rash","label":"Problem"}}]', SCHEMA)
    assert [item.quotes for item in parsed.items] == [("rash",)]
    assert named in parsed.problems[0]
    assert parsed.problems[0].startswith("item 1: ")


def test_attributes_outside_the_schema_are_reported_and_left_out() -> None:
    parsed = parse_answer('[{"text":"a","label":"Problem","assertion":"maybe","side":"left"}]', SCHEMA)
    assert parsed.items[0].attributes == {"assertion": "present"}
    assert len(parsed.problems) == 2


def test_an_attribute_is_spelt_as_in_the_schema() -> None:
    parsed = parse_answer('[{"text":"a","label":"Problem","Assertion":"ABSENT"}]', SCHEMA)
    assert parsed.items[0].attributes == {"assertion": "absent"}


def test_problems_hold_no_text_of_the_answer() -> None:
    parsed = parse_answer(
        '[{"text":"secret","label":"secret","secret":"secret"},{"text":"secret","label":"Problem","secret":"x"}', SCHEMA
    )
    assert parsed.problems
    assert "secret" not in " ".join(parsed.problems)


def test_what_no_database_holds_is_replaced() -> None:
    assert parse_answer('[{"text":"a\\u0000\\ud800b","label":"Test"}]', SCHEMA).items[0].quotes == ("a\ufffd\ufffdb",)


@pytest.mark.parametrize(("given", "start"), [("5", 5), ("-1", None), ("true", None), ('"5"', None)])
def test_a_hinted_start_is_a_whole_number(given: str, start: int | None) -> None:
    item = parse_answer(f'[{{"text":"a","label":"Test","start":{given},"kind":"test_name"}}]', SCHEMA).items[0]
    assert (item.start, item.kind) == (start, "test_name")


@pytest.mark.parametrize("answer", ["", "  \n", "I cannot do that."])
def test_an_answer_without_a_list_is_a_problem(answer: str) -> None:
    parsed = parse_answer(answer, SCHEMA)
    assert parsed.items == ()
    assert len(parsed.problems) == 1
