from __future__ import annotations

from annotator.core.clusters import Differing, Settled, clusters, disagreements

BOTH = frozenset({"Problem", "Symptom"})


def test_the_same_words_between_the_same_labels_are_told_once() -> None:
    found = clusters(
        [
            Settled("a", 1, "Nausea", "Symptom", BOTH),
            Settled("b", 1, "nausea", "Symptom", BOTH),
            Settled("c", 2, "nausea", "Symptom", BOTH),
            Settled("d", 2, "nausea", "Problem", BOTH),
            Settled("e", 2, "fatigue", "Symptom", BOTH, is_proposed=True),
        ]
    )
    assert [
        (each.keys[0], each.words, each.label, each.instead, each.n_places, each.n_documents) for each in found
    ] == [
        ("e", "fatigue", "Symptom", ("Problem",), 1, 1),  # proposed
        ("a", "nausea", "Symptom", ("Problem",), 3, 2),
        ("d", "nausea", "Problem", ("Symptom",), 1, 1),
    ]


def test_disagreements_come_together_whichever_reader_says_which() -> None:
    given = [
        Differing(5, 1, "b", frozenset({"Test", ""})),
        Differing(4, 1, "a", frozenset({"Test", "Problem"})),
        Differing(3, 1, "a", frozenset({"Problem", "Test"})),
        Differing(2, 2, "a", frozenset({"Problem", "Test"})),
        Differing(1, 2, "a", frozenset({"Test", ""})),
    ]
    found = disagreements(given)
    assert [(each.keys, each.labels, each.n_documents) for each in found] == [
        ((4, 3, 2), ("Problem", "Test"), 2),
        ((5,), ("", "Test"), 1),
        ((1,), ("", "Test"), 1),
    ]
