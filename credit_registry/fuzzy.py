"""Which names have most of a text's pairs of characters: the tantivy index of all compared names.

Pairs (bigrams) rather than words: a dictionary cuts invented brands wrongly. The index gives candidates, nothing more;
how near they are is the business of :mod:`credit_registry.ranking`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tantivy import Document, Index, Occur, Query, Schema, SchemaBuilder, TextAnalyzerBuilder, Tokenizer

HEAP = 200_000_000
"""Bytes the one writing thread may hold; with less it writes more and smaller segments."""
_PAIRS = "pairs"


def _open(folder: Path) -> Index:
    builder = SchemaBuilder()
    # Signed: this door hands every whole number over as signed, and an unsigned fast field kills the writer.
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("name", tokenizer_name=_PAIRS, index_option="basic")
    builder.add_text_field("word", tokenizer_name="whitespace", index_option="basic")
    index = Index(builder.build(), path=str(folder))
    index.register_tokenizer(_PAIRS, TextAnalyzerBuilder(Tokenizer.ngram(2, 2, False)).build())
    return index


class PairsWriter:
    """Writes the index of one register, in a folder that is empty."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.writer = _open(folder).writer(HEAP, 1)

    def add(self, first: int, compared: Iterable[str], words: Iterable[str]) -> None:
        """Add names, their rows counted from ``first``, and the words of each: regions in short and skipping pairs."""
        add = self.writer.add_document
        for row, (name, said) in enumerate(zip(compared, words, strict=True), first):
            add(Document(row=row, name=name, word=said))

    def close(self) -> None:
        """Write what is left and wait until it is on the disk."""
        self.writer.commit()
        self.writer.wait_merging_threads()


class Pairs:
    """The index, opened for reading; any number of threads may ask."""

    def __init__(self, folder: Path) -> None:
        self.index = _open(folder)
        self.searcher = self.index.searcher()

    def rows(self, compared: str, skips: Iterable[str], regions: Iterable[str], most: int) -> list[int]:
        """Give the rows whose names share most, and the rarest, pairs; those of the regions before others."""
        schema = self.index.schema
        shared = [_term(schema, "name", pair) for pair in dict.fromkeys(map(str.__add__, compared, compared[1:]))]
        if not shared:
            return []
        shared += [_term(schema, "word", skip) for skip in dict.fromkeys(skips)]
        places = [_term(schema, "word", word) for word in dict.fromkeys(regions)]
        query = Query.boolean_query(shared)
        if places:
            query = Query.boolean_query([(Occur.Must, query), *places])
        found = self.searcher.search(query, most, count=False)
        rows = self.searcher.fast_field_values("row", [address for _, address in found.hits])
        return [int(row) for row in rows if row is not None]


def _term(schema: Schema, field: str, word: str) -> tuple[Occur, Query]:
    return Occur.Should, Query.term_query(schema, field, word, index_option="basic")
