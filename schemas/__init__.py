"""The shared language: facts as data, and the modules that read them.

Facts stand in CSV and TOML beside these modules (vocabularies, standards, bureaus, tables, layouts, rules), each with
its source. ``files`` reads them strictly, ``loaders`` gives them as frozen dataclasses, ``identifiers`` knows codes.
Only the standard library is used here.
"""
