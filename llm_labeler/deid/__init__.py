"""Recognisers of what names one person in a clinical note, for Presidio.

Presidio brings the engine, and checks of telephone, NHS, social security and card numbers and of IP addresses. What
clinical text needs is ours: names by the words around them and their later mentions (`names`), dates and ages as they
are written in notes (`days`), addresses, hospitals and wards (`places`), and numbers by the word before them
(`numbers`). No list of people's names is used, and no model. Nothing is fetched.

What is found is not all there is: see `docs/deidentification.md`.
"""
