from django.urls import path

from xueka.entrypoints.portals.admin import acts, home, pages

app_name = "admin"
urlpatterns = [
    path("", home.home, name="home"),
    path("users/", pages.users, name="users"),
    path("users/new/", pages.new_user, name="new_user"),
    path("users/<str:username>/", pages.user, name="user"),
    path("users/<str:username>/ask/", acts.ask, name="grant_ask"),
    path("users/<str:username>/revoke/", acts.revoke, name="revoke"),
    path("users/<str:username>/active/", acts.active, name="active"),
    path("users/<str:username>/password/", acts.reset_password, name="reset_password"),
    path("users/<str:username>/factor/", acts.reset_factor, name="reset_factor"),
    path("users/<str:username>/sessions/", acts.end_sessions, name="end_sessions"),
    path("requests/", pages.requests_list, name="requests"),
    path("requests/<int:request_id>/<slug:verb>/", acts.request_act, name="request_act"),
    path("lockouts/", pages.lockouts_list, name="lockouts"),
    path("lockouts/<int:attempt_id>/release/", acts.release, name="release"),
    path("matrix/", pages.matrix, name="matrix"),
    path("calendar/", pages.calendar, name="calendar"),
]
