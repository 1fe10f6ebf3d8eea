"""An export of Label Studio: two people and a model speak of two notes."""

from __future__ import annotations

from typing import Any


def _answer(by: str, *marks: tuple[int, int, str], **more: Any) -> dict[str, Any]:
    """What one person or model said of a task of Label Studio."""
    results = [
        {"type": "labels", "value": {"start": start, "end": end, "labels": [label]}} for start, end, label in marks
    ]
    return {"completed_by": by, "result": results} | more


TASKS = [
    {
        "id": 71,
        "data": {"text": "No chest pain on exertion. On metformin 500 mg twice daily, well tolerated.", "ward": "W3"},
        "annotations": [
            _answer("bob@ward.example", (3, 13, "Problem"), (30, 39, "Drug")),
            _answer("eve@ward.example", (3, 25, "Problem")),
        ],
        "predictions": [_answer("", (3, 13, "Problem"), (30, 39, "Drug"), model_version="ner 2.1", score=0.8)],
        "drafts": [{}],
    },
    {
        "id": 72,
        "data": {"text": "Type 2 diabetes. Hypertension, treated with lisinopril.", "ward": "W4"},
        "annotations": [
            _answer("bob@ward.example", (0, 15, "Problem"), (17, 29, "Problem"), (44, 54, "Drug")),
            _answer("eve@ward.example", was_cancelled=True),
        ],
        "predictions": [_answer("", (0, 15, "Problem"), model_version="ner 2.1", score=0.9)],
    },
]
