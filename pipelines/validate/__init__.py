"""Judge a batch by rules, gate what is about to go out, and report what was found.

The rooms are imported by name (``pipelines.validate.judge``), so that a report does not load the judge, nor the judge
Great Expectations.
"""
