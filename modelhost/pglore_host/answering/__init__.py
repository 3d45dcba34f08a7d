"""Answering: a question and its passages to an answer whose every citation is one of them.

question.py   what is asked, as callers write it, checked
packing.py    what of it the model's window and the budget hold
plain.py      a document's text made harmless: data, whatever it says
messages.py   the conversation that a language model is given
citations.py  what an answer may cite, and what it did
followup.py   a question of a conversation made to stand alone
writing.py    an answer as a model writes it; ask.py, beside this folder, is its operations
"""
