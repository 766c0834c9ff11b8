from django.urls import path

from xueka.entrypoints.portals.counter import accepting, acts, blanks, home, parcels, printers

app_name = "counter"
urlpatterns = [
    path("", home.home, name="home"),
    path("applications/<str:number>/", home.application, name="application"),
    path("applications/<str:number>/issue/", acts.issue, name="issue"),
    path("applications/<str:number>/<slug:side>.png", home.application_face, name="application_face"),
    path("cards/<str:number>/", home.card, name="card"),
    path("cards/<str:number>/progress/", home.progress, name="progress"),
    path("cards/<str:number>/<slug:side>.png", home.card_face, name="card_face"),
    path("cards/<str:number>/<slug:verb>/", acts.act, name="act"),
    path("equipment/", home.equipment, name="equipment"),
    path("equipment/choose/", acts.choose, name="choose"),
    path("equipment/resume/", acts.resume, name="resume"),
    path("accepted/", accepting.accepted, name="accepted"),
    path("accepted/preview/<slug:verb>/", accepting.preview, name="accepted_preview"),
    path("accepted/do/<slug:verb>/", accepting.do, name="accepted_do"),
    path("post/", parcels.parcels, name="parcels"),
    path("post/<str:number>/", parcels.parcel, name="parcel"),
    path("post/<str:number>/order/", parcels.order, name="parcel_order"),
    path("post/<str:number>/parcel/label/", parcels.shipment_label, name="shipment_label"),
    path("post/<str:number>/parcel/<slug:verb>/", parcels.shipment_act, name="shipment_act"),
    path("post/<str:number>/<slug:verb>/", parcels.act, name="parcel_act"),
    path("blanks/", blanks.blanks, name="blanks"),
    path("printers/", printers.printers, name="printers"),
    path("printers/new/", printers.new, name="printer_new"),
    path("printers/<int:printer_id>/", printers.printer, name="printer"),
    path("printers/<int:printer_id>/<slug:verb>/", printers.act, name="printer_act"),
]
