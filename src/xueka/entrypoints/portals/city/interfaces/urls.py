"""The addresses of the interfaces; they are the city's (`city:…`)."""

from django.urls import path, re_path

from xueka.entrypoints.portals.city.interfaces import (
    corrections,
    differences,
    glance,
    matters,
    messages,
    replays,
)

patterns = [
    path("interfaces/", glance.page, name="interfaces"),
    path("interfaces/trace/", messages.trace, name="trace"),
    path("interfaces/corrections/", corrections.listing, name="corrections"),
    path("interfaces/differences/", differences.listing, name="interface_differences"),
    path("interfaces/differences/<int:difference_id>/", differences.one, name="interface_difference"),
    path("interfaces/differences/<slug:verb>/preview/", differences.act, name="interface_differences_act"),
    path("interfaces/differences/<slug:verb>/do/", differences.do, name="interface_differences_do"),
    re_path(
        r"^interfaces/messages/(?P<way>out|in)/(?P<message_id>\d+)/$",
        messages.message,
        name="interface_message",
    ),
    path(
        "interfaces/messages/<slug:way>/<int:message_id>/<slug:verb>/",
        messages.act,
        name="interface_message_act",
    ),
    path("coordination/", matters.listing, name="matters"),
    path("coordination/new/", matters.new, name="matter_new"),
    path("coordination/<str:number>/", matters.one, name="matter"),
    path("coordination/<str:number>/files/<int:attachment_id>/", matters.download, name="matter_file"),
    path("coordination/<str:number>/<slug:verb>/", matters.act, name="matter_act"),
    path("interfaces/at/<slug:code>/", glance.one, name="interface"),
    path("interfaces/at/<slug:code>/comparing/", glance.comparing, name="interface_comparing"),
    path("interfaces/at/<slug:code>/compare/", glance.compare, name="interface_compare"),
    path("interfaces/at/<slug:code>/messages/", messages.sent, name="interface_messages"),
    path("interfaces/at/<slug:code>/received/", messages.received, name="interface_received"),
    path("interfaces/at/<slug:code>/bookmark/", replays.bookmark, name="interface_bookmark"),
    path("interfaces/at/<slug:code>/replay/", replays.replay, name="interface_replay"),
    path("interfaces/at/<slug:code>/replay/do/", replays.replay_do, name="interface_replay_do"),
    path("interfaces/at/<slug:code>/retry/", replays.retry, name="interface_retry"),
    path("interfaces/at/<slug:code>/retry/do/", replays.retry_do, name="interface_retry_do"),
]
