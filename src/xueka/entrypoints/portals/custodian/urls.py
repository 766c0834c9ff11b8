from django.urls import path

from xueka.entrypoints.portals.custodian import (
    asking,
    changes,
    components,
    deliveries,
    exports,
    home,
    records,
    register,
)

app_name = "custodian"
urlpatterns = [
    path("", home.home, name="home"),
    path("keys/", register.key_list, name="keys"),
    path("keys/new/", asking.new, name="new"),
    path("keys/<str:label>/", register.one, name="key"),
    path("keys/<str:label>/ask/<slug:kind>/", asking.ask, name="ask"),
    path("keys/<str:label>/import/", asking.bring, name="import"),
    path("keys/<str:label>/components/", components.plan, name="components"),
    path("keys/<str:label>/<int:number>/", register.version, name="version"),
    path("keys/<str:label>/<int:number>/export/", exports.plan, name="export"),
    path("keys/<str:label>/<int:number>/deliver/", deliveries.plan, name="deliver"),
    path("deliveries/", deliveries.delivery_list, name="deliveries"),
    path("deliveries/<str:number>/", deliveries.one, name="delivery"),
    path("deliveries/<str:number>/<slug:verb>/", deliveries.act, name="delivery_act"),
    path("changes/", changes.change_list, name="changes"),
    path("changes/<str:number>/", changes.one, name="change"),
    path("changes/<str:number>/part/", components.enter, name="part"),
    path("changes/<str:number>/part/back/", components.take_back, name="part_back"),
    path("changes/<str:number>/block/", exports.take, name="block"),
    path("changes/<str:number>/<slug:verb>/", changes.act, name="change_act"),
    path("ceremonies/", records.ceremony_list, name="ceremonies"),
    path("ceremonies/<str:number>/", records.ceremony, name="ceremony"),
    path("uses/", records.use_list, name="uses"),
]
