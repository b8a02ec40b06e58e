"""格式配置: a layout for a file nobody knows yet: proposed, decided by a person, tried on the file, saved as his bureau's."""

from __future__ import annotations

from portal.web.asking import MenuItem, Room, Route
from portal.web.studio import views

FORM_BYTES = 768 * 1024
"""A sheet of 512 columns has three fields for each."""

ROOM = Room(
    routes=(
        Route("GET", "/studio", "layout.write", views.overview),
        Route("GET", "/studio/{filing}", "layout.write", views.proposal),
        Route("POST", "/studio/{filing}/try", "layout.write", views.tried, most=FORM_BYTES),
        Route("POST", "/studio/{filing}/save", "layout.write", views.saved),
        Route("GET", "/layouts/{layout}", "layout.write", views.one),
    ),
    menu=(MenuItem("/studio", "格式配置", "Layouts", "layout.write"),),
)
