from django.urls import path

from xueka.entrypoints.portals.school import applying, handing_out, home, receiving, unused_photos

app_name = "school"
urlpatterns = [
    path("", home.home, name="home"),
    path("apply/", applying.classes, name="apply"),
    path("apply/<int:class_id>/", applying.school_class, name="apply_class"),
    path("apply/<int:class_id>/photos/", applying.photos, name="apply_photos"),
    path("apply/<int:class_id>/submit/", applying.submit, name="apply_submit"),
    path("apply/<int:class_id>/done/", applying.done, name="apply_done"),
    path("apply/<int:class_id>/unused/<int:unused_id>/use/", unused_photos.use, name="unused_use"),
    path("apply/<int:class_id>/unused/<int:unused_id>/drop/", unused_photos.drop, name="unused_drop"),
    path("apply/<int:class_id>/unused/<int:unused_id>/crop/", unused_photos.crop, name="crop"),
    path("apply/<int:class_id>/unused/<int:unused_id>.jpg", unused_photos.picture, name="unused_picture"),
    path("returned/", home.returned, name="returned"),
    path("receive/", receiving.boxes, name="receive"),
    path("receive/<str:number>/", receiving.box, name="receive_box"),
    path("receive/<str:number>/scan/", receiving.scan, name="receive_scan"),
    path("receive/<str:number>/damaged/", receiving.damaged, name="receive_damaged"),
    path("receive/<str:number>/undo/", receiving.undo, name="receive_undo"),
    path("receive/<str:number>/sign/", receiving.sign, name="receive_sign"),
    path("hand-out/", handing_out.classes, name="hand_out"),
    path("hand-out/preview/", handing_out.preview, name="hand_out_preview"),
    path("hand-out/do/", handing_out.do, name="hand_out_do"),
    path("hand-out/<int:class_id>/", handing_out.school_class, name="hand_out_class"),
    path("hand-out/<int:class_id>/scan/", handing_out.scanning, name="hand_out_scan"),
    path("lost/", home.lost, name="lost"),
]
