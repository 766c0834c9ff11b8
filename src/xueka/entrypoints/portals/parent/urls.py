from django.urls import path

from xueka.entrypoints.portals.parent import children, choosing, door, jingtong, paying, replacing

app_name = "parent"
urlpatterns = [
    path("", children.home, name="home"),
    path("sign-in/", door.sign_in, name="sign_in"),
    path("sign-in/code/", door.code, name="code"),
    path("leave/", door.leave, name="leave"),
    path("messages/", choosing.messages, name="messages"),
    path("jingtong/", jingtong.entry, name="jingtong"),
    path("jingtong/back/", jingtong.back, name="jingtong_back"),
    path("jingtong/<slug:to>/", jingtong.service, name="jingtong_service"),
    path("children/<str:education_id>/", children.child, name="child"),
    path("children/<str:education_id>/consent/", children.consent, name="consent"),
    path("children/<str:education_id>/transit/", children.transit, name="transit"),
    path("cards/<str:number>/lost/", children.lost, name="lost"),
    path("cards/<str:number>/found/", children.found, name="found"),
    path("cards/<str:number>/replace/", replacing.reason, name="reason"),
    path("replacements/<str:number>/", replacing.progress, name="progress"),
    path("replacements/<str:number>/where/", replacing.where, name="where"),
    path("replacements/<str:number>/check/", replacing.check, name="check"),
    path("replacements/<str:number>/cancel/", replacing.cancel, name="cancel"),
    path("replacements/<str:number>/received/", replacing.received, name="received"),
    path("receipts/<int:receipt_id>.<str:form>", paying.receipt, name="receipt"),
    path("replacements/<str:number>/pay/", paying.pay, name="pay"),
]
