"""Synthetic clinical notes with gold spans, from a hand-written grammar: what the small model's adapter learns from.

`python -m llm_labeler.synthetic --help` shows notes, checks the grammar and writes training rows.
"""
