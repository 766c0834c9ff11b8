from django.urls import path

from xueka.entrypoints.portals.district import home, reminding, transfers

app_name = "district"
urlpatterns = [
    path("", home.home, name="home"),
    path("progress/", home.progress, name="progress"),
    path("remind/", reminding.remind, name="remind"),
    path("transfers/", transfers.transfers, name="transfers"),
    path("transfers/<int:transfer_id>/<slug:side>/<slug:verb>/", transfers.act, name="transfer_act"),
]
