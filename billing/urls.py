from django.urls import path

from billing.views import checkout, console, pages, webhook

app_name = "billing"
urlpatterns = [
    path("contribute/", pages.contribute, name="contribute"),
    path("contribute/thanks/", checkout.thanks, name="thanks"),
    path("contribute/thanks/status/", checkout.thanks_status, name="thanks_status"),
    path("contribute/monthly/change/", pages.monthly_change, name="monthly_change"),
    path("contribute/monthly/cancel/", pages.monthly_cancel, name="monthly_cancel"),
    path("contribute/monthly/resume/", pages.monthly_resume, name="monthly_resume"),
    path("contribute/promo/", pages.promo, name="promo"),
    path("contribute/receipts/<uuid:pk>/", pages.receipt, name="receipt"),
    path("console/monthly", console.console_monthly, name="console_monthly"),
    path("payment/checkout", checkout.checkout, name="checkout"),
    path("stripe/webhook", webhook.stripe_webhook, name="stripe_webhook"),
]
