"""Labelling of one note by any callable model, as a plain library: no Django, no queue, no database.

`llm_labeler.pipeline.label_note` is the entry; a model is anything that follows `llm_labeler.backends.Backend`.
"""
