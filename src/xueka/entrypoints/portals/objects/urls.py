from django.urls import path

from xueka.entrypoints.portals.objects import (
    application_views,
    bulk,
    card_views,
    lists,
    parcel_views,
    review,
    student_views,
    year_jobs,
)

app_name = "objects"
urlpatterns = [
    path("students/", lists.students, name="students"),
    path("students/<str:education_id>/", student_views.student, name="student"),
    path("students/<str:education_id>/consent/", student_views.consent, name="consent"),
    path("students/<str:education_id>/account/<slug:verb>/", student_views.account_act, name="account_act"),
    path("students/<str:education_id>/sort-key/", student_views.sort_key, name="sort_key"),
    path("students/<str:education_id>/photo/", student_views.photo_upload, name="photo_upload"),
    path("students/<str:education_id>/reveal/<slug:field>/", student_views.reveal, name="reveal"),
    path("photos/<int:photo_id>.jpg", student_views.photo, name="photo"),
    path("cards/", lists.cards_list, name="cards"),
    path("cards/<str:number>/", card_views.card, name="card"),
    path("cards/<str:number>/<slug:verb>/", card_views.act, name="card_act"),
    path("applications/", lists.applications, name="applications"),
    path("applications/bulk/<slug:verb>/", bulk.preview, name="bulk"),
    path("applications/bulk/<slug:verb>/do/", bulk.do, name="bulk_do"),
    path("applications/<str:number>/", application_views.application, name="application"),
    path("applications/<str:number>/<slug:verb>/", application_views.act, name="application_act"),
    path("boxes/<str:number>/", parcel_views.box, name="box"),
    path("deliveries/", lists.deliveries, name="deliveries"),
    path("deliveries/<str:number>/", parcel_views.delivery, name="delivery"),
    path("deliveries/<str:number>/packing-list.<slug:form>", parcel_views.packing_list, name="packing_list"),
    path("year/new/<slug:kind>/", year_jobs.create, name="year_create"),
    path("year/<str:number>/", year_jobs.job, name="year_job"),
    path("year/<str:number>/report.json", year_jobs.report, name="year_report"),
    path("year/<str:number>/<slug:verb>/", year_jobs.act, name="year_act"),
    path("review/", review.queue, name="review"),
    path("review/<str:school>/", review.school, name="review_school"),
    path("review/<str:school>/<str:number>/", review.one, name="review_one"),
]
