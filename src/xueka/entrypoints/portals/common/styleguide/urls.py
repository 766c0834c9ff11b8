from django.urls import path

from xueka.entrypoints.portals.common.styleguide import views

urlpatterns = [
    path("", views.foundations, name="design"),
    path("components/", views.components, name="design_components"),
    path("list/", views.student_list, name="design_list"),
    path("list/empty/", views.empty_list, name="design_empty_list"),
    path("list/preview/", views.preview, name="design_preview"),
    path("object/", views.card, name="design_object"),
    path("pictures/", views.pictures, name="design_pictures"),
    path("forms/", views.form, name="design_forms"),
    path("scan/", views.scan, name="design_scan"),
    path("reveal/", views.reveal, name="design_reveal"),
    path("work/", views.work, name="design_work"),
    path("printed/", views.printed, name="design_printed"),
    path("refused/", views.refused, name="design_refused"),
]
