from django.urls import path

from xueka.entrypoints.portals.officers import changes, lists

app_name = "officers"
urlpatterns = [
    path("", lists.listing, name="list"),
    path("import/", lists.bring_in, name="import"),
    path("import/form/", lists.form, name="import_form"),
    path("import/<int:list_id>/", lists.result, name="import_result"),
    path("sheets/", lists.sheets_preview, name="sheets_preview"),
    path("sheets/print/", lists.sheets, name="sheets"),
    path("changes/", changes.overview, name="changes"),
    path("stand-in/<int:grant_id>/", changes.stand_in, name="stand_in"),
    path("stand-in/<int:grant_id>/end/", changes.end_stand_in, name="end_stand_in"),
    path("hand-overs/", changes.hand_overs, name="hand_overs"),
    path("hand-overs/new/<int:grant_id>/", changes.new_hand_over, name="new_hand_over"),
    path("hand-overs/<int:hand_over_id>/", changes.hand_over, name="hand_over"),
    path("hand-overs/<int:hand_over_id>/<slug:verb>/", changes.hand_over_act, name="hand_over_act"),
    path("<str:username>/", lists.person, name="person"),
    path("<str:username>/code/", lists.renew, name="renew"),
    path("<str:username>/leave/", lists.leave, name="leave"),
]
