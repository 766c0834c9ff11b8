from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from xueka.entrypoints.portals.common import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", views.logout, name="logout"),
    path("password/", views.password, name="password"),
    path("session/again/", views.logged_in_again, name="logged_in_again"),
    path("session/token/", views.token, name="session_token"),
    path("session/grant/", views.switch_grant, name="switch_grant"),
    path("search/", views.search, name="search"),
]
if views.styleguide_is_open(settings):
    urlpatterns.append(path("_design/", include("xueka.entrypoints.portals.common.styleguide.urls")))
