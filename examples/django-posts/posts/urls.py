"""The API's routes."""

from django.urls import path

from posts import views

urlpatterns = [
    path("posts", views.posts),
    path("posts/<int:number>", views.post),
]
