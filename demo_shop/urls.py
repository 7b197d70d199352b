"""The shop's pages."""

from django.urls import path

from demo_shop import views

app_name = "demo_shop"
urlpatterns = [
    path("", views.home, name="home"),
    path("shelf/<slug:slug>/", views.category, name="category"),
    path("product/<int:pk>/", views.product, name="product"),
]
