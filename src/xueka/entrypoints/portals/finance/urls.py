from django.urls import path

from xueka.entrypoints.portals.finance import (
    books,
    breaks,
    exports,
    home,
    orders,
    refunds,
    statements,
    tariffs,
)

app_name = "finance"
urlpatterns = [
    path("", home.home, name="home"),
    path("reconcile/", home.reconcile, name="reconcile"),
    path("week.xlsx", exports.week_file, name="week_file"),
    path("statements/", statements.grid, name="statements"),
    path("statements/file/<int:statement_id>/", statements.file, name="statement_file"),
    path("statements/<slug:channel>/<slug:kind>/<str:day>/", statements.one, name="statement"),
    path("breaks/", breaks.queue, name="breaks"),
    path("breaks/preview/<slug:verb>/", breaks.preview, name="breaks_preview"),
    path("breaks/do/<slug:verb>/", breaks.do, name="breaks_do"),
    path("breaks/<int:break_id>/", breaks.one, name="break"),
    path("breaks/<int:break_id>/<slug:verb>/", breaks.act, name="break_act"),
    path("confirmations/", books.confirmations, name="confirmations"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/<str:number>/", orders.one, name="order"),
    path("orders/<str:number>/refund/", refunds.ask, name="refund_ask"),
    path("refunds/", refunds.refund_list, name="refunds"),
    path("refunds/<str:number>/", refunds.one, name="refund"),
    path("refunds/<str:number>/again/", refunds.again, name="refund_again"),
    path("notices/", books.notices, name="notices"),
    path("books/", books.books, name="books"),
    path("books/entries/", books.entries, name="entries"),
    path("tariffs/", tariffs.tariffs, name="tariffs"),
]
