from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from xueka.entrypoints.portals.common import proving, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("login/", views.Login.as_view(), name="login"),
    path("login/code/", proving.login_code, name="login_code"),
    path("activate/", proving.activate, name="activate"),
    path("logout/", views.logout, name="logout"),
    path("password/", views.password, name="password"),
    path("factor/", proving.factor, name="factor"),
    path("factor/recovery-codes/", proving.recovery_codes, name="recovery_codes"),
    path("session/confirm/", proving.confirm, name="confirm"),
    path("sessions/", proving.my_sessions, name="my_sessions"),
    path("sessions/end/", proving.end_session, name="end_session"),
    path("session/again/", views.logged_in_again, name="logged_in_again"),
    path("session/token/", views.token, name="session_token"),
    path("session/grant/", views.switch_grant, name="switch_grant"),
    path("search/", views.search, name="search"),
]
if views.styleguide_is_open(settings):
    urlpatterns.append(path("_design/", include("xueka.entrypoints.portals.common.styleguide.urls")))
