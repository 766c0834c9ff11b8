from django.urls import path

from xueka.entrypoints.portals.district import home, transfers

app_name = "district"
urlpatterns = [
    path("", home.home, name="home"),
    path("progress/", home.progress, name="progress"),
    path("transfers/", transfers.transfers, name="transfers"),
    path("transfers/<int:transfer_id>/<slug:side>/<slug:verb>/", transfers.act, name="transfer_act"),
]
