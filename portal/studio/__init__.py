"""The layout studio: what a person decides about a file nobody knows, written as the layout of his bureau.

``choices`` reads what was decided on a page, ``writing`` makes a layout of it, ``trying`` reads the file by that layout
without keeping anything, and ``saving`` puts a layout that was tried into the facts of this site. Nothing speaks HTTP.
"""
