"""The API as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "posts.settings")
application = get_wsgi_application()

from gatehouse import gatehouse  # noqa: E402 (it needs the settings)

gatehouse().start()
