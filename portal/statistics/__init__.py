"""What the statistics pages show, computed: rates, series, completeness by day, grades, the map, validations. No HTTP.

``figures`` is the one place where the rates are computed; ``almanac`` keeps them until something new has come.
"""
