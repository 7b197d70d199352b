"""One page per article, and a list."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path

from tests.testshop.models import Article

app_name = "testshop"


def articles(request: HttpRequest) -> HttpResponse:
    return render(request, "testshop/articles.html", {"articles": Article.objects.all()[:50]})


def article(request: HttpRequest, pk: str) -> HttpResponse:
    return render(request, "testshop/article.html", {"article": get_object_or_404(Article, pk=pk)})


urlpatterns = [path("", articles, name="articles"), path("<uuid:pk>/", article, name="article")]
