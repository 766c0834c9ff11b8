from django.urls import path

from xueka.entrypoints.portals.district import home, reminding, transfers, year

app_name = "district"
urlpatterns = [
    path("", home.home, name="home"),
    path("progress/", home.progress, name="progress"),
    path("remind/", reminding.remind, name="remind"),
    path("year/", year.page, name="year"),
    path("transfers/", transfers.transfers, name="transfers"),
    path("transfers/new/", transfers.new, name="transfer_new"),
    path("transfers/<int:transfer_id>/<slug:side>/<slug:verb>/", transfers.act, name="transfer_act"),
]
