from django.urls import path

from xueka.entrypoints.portals.city import (
    audit,
    batch_views,
    batches,
    bureau,
    deliveries,
    discrepancies,
    home,
    imports,
    numbers,
    problems,
)

app_name = "city"
urlpatterns = [
    path("", home.home, name="home"),
    path("batches/", batches.listing, name="batches"),
    path("batches/new/", batches.new, name="batch_new"),
    path("batches/<str:number>/", batch_views.batch, name="batch"),
    path("batches/<str:number>/return/", batch_views.take_return, name="batch_return"),
    path("batches/<str:number>/<slug:verb>/", batch_views.act, name="batch_act"),
    path("problems/", problems.listing, name="problems"),
    path("problems/<int:problem_id>/<slug:verb>/", problems.act, name="problem_act"),
    path("numbers/", numbers.page, name="numbers"),
    path("numbers/blanks/", numbers.take_lot, name="take_lot"),
    path("bureau/", bureau.page, name="bureau"),
    path("bureau/confirm/", bureau.confirm, name="bureau_confirm"),
    path("bureau/retry/", bureau.retry, name="bureau_retry"),
    path("deliveries/", deliveries.listing, name="deliveries"),
    path("deliveries/prepare/", deliveries.prepare, name="prepare"),
    path("deliveries/<str:number>/", deliveries.work, name="delivery"),
    path("deliveries/<str:number>/cancel/", deliveries.cancel, name="delivery_cancel"),
    path("boxes/<str:number>/lost/", deliveries.lost, name="box_lost"),
    path("discrepancies/", discrepancies.listing, name="discrepancies"),
    path("discrepancies/<int:discrepancy_id>/", discrepancies.resolve, name="discrepancy"),
    path("imports/", imports.page, name="imports"),
    path("imports/<int:run_id>/", imports.result, name="import_run"),
    path("audit/", audit.log, name="audit"),
]
