from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Somebody whom the project can shut out without taking their account for inactive."""

    is_banned = models.BooleanField(default=False)
