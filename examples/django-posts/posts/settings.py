"""Settings of a small API. It has no database, no sessions and no cookies, so nothing needs CSRF tokens."""

import os

GATEHOUSE = {
    "issuer": os.environ["ISSUER"],  # https://id.example.com
    "audience": os.environ["AUDIENCE"],  # as in `gatehouse api create --audience`
    "client_id": os.environ["API_CLIENT_ID"],  # which that command printed
    "client_secret": os.environ["API_CLIENT_SECRET"],
}

DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
ROOT_URLCONF = "posts.urls"
WSGI_APPLICATION = "posts.wsgi.application"
INSTALLED_APPS = ["posts"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
SECRET_KEY = os.urandom(32).hex()  # nothing that lasts is signed with it
USE_TZ = True
DEFAULT_CHARSET = "utf-8"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"gatehouse": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")}},
}
