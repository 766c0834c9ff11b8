from django.urls import path

from xueka.entrypoints.portals.custodian import asking, changes, home, records, register

app_name = "custodian"
urlpatterns = [
    path("", home.home, name="home"),
    path("keys/", register.key_list, name="keys"),
    path("keys/new/", asking.new, name="new"),
    path("keys/<str:label>/", register.one, name="key"),
    path("keys/<str:label>/ask/<slug:kind>/", asking.ask, name="ask"),
    path("keys/<str:label>/import/", asking.bring, name="import"),
    path("keys/<str:label>/<int:number>/", register.version, name="version"),
    path("changes/", changes.change_list, name="changes"),
    path("changes/<str:number>/", changes.one, name="change"),
    path("changes/<str:number>/<slug:verb>/", changes.act, name="change_act"),
    path("ceremonies/", records.ceremony_list, name="ceremonies"),
    path("ceremonies/<str:number>/", records.ceremony, name="ceremony"),
    path("uses/", records.use_list, name="uses"),
]
