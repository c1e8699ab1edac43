"""A Django project that had people of its own, and lets them sign in through Gatehouse.

"old" stands for what it was: it makes people, groups and permissions in its database.
Everything else is Django's manage.py: dumpdata of the old database, runserver on a new
one, in which there are no groups and permissions.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request

import django
from django.conf import settings

env = os.environ.get
sys.modules["djangosite"] = sys.modules[__name__]  # Django imports by name what runs already

settings.configure(
    DEBUG=False, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test, which lasts as long as it does", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "accounts"], AUTH_USER_MODEL="accounts.User",
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "accounts")),  # tables are made as they are now
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": env("SITE_DATABASE")}},
    AUTHENTICATION_BACKENDS=["djangosite.Backend"],
    ROOT_URLCONF="djangosite", LOGIN_URL="/login", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib.auth import authenticate, get_user_model, login  # noqa: E402
from django.contrib.auth.decorators import login_required, permission_required  # noqa: E402
from django.http import HttpResponse, HttpResponseBadRequest, HttpResponseRedirect  # noqa: E402
from django.urls import path  # noqa: E402


def ask(endpoint, client, **form):
    """Sends a form to Gatehouse in a client's name."""
    pair = ":".join(map(urllib.parse.quote_plus, (env(client + "_ID"), env(client + "_SECRET"))))
    request = urllib.request.Request(
        env("ISSUER") + endpoint, urllib.parse.urlencode(form).encode(),
        {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


class Backend:
    """People are those of Gatehouse, and their permissions what their token may do now."""

    def authenticate(self, request, claims=None, tokens=None):
        if not claims:
            return None
        user, _ = get_user_model().objects.get_or_create(username=claims["sub"], defaults={"first_name": claims.get("given_name", "")})
        return user

    def get_user(self, pk):
        return get_user_model().objects.filter(pk=pk).first()


def held(request):
    """The permissions of the request's person, as Django calls them."""
    tokens = request.session.get("tokens")
    if not tokens:
        return set()
    said = ask("/oauth2/introspect", "API", token=tokens["access_token"])
    if not said["active"]:
        try:
            tokens = ask("/oauth2/token", "SITE", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        except urllib.error.HTTPError as error:
            error.close()
            request.session.flush()
            return set()
        request.session["tokens"] = tokens
        said = ask("/oauth2/introspect", "API", token=tokens["access_token"])
    return {scope.replace(":", ".", 1) for scope in said.get("scope", "").split()} if said["active"] else set()


def decided_by_gatehouse(view):
    """Lets user.has_perm, and with it permission_required, ask Gatehouse."""

    def wrapped(request):
        if request.user.is_authenticated:
            names = held(request)
            request.user.has_perms = lambda wanted, obj=None: all(name in names for name in wanted)
        return view(request)

    return wrapped


def sign_in(request):
    flow = {"state": secrets.token_urlsafe(), "verifier": secrets.token_urlsafe(48), "next": request.GET.get("next", "/")}
    request.session["flow"] = flow
    challenge = base64.urlsafe_b64encode(hashlib.sha256(flow["verifier"].encode()).digest()).rstrip(b"=").decode()
    return HttpResponseRedirect(env("ISSUER") + "/oauth2/authorize?" + urllib.parse.urlencode({
        "response_type": "code", "client_id": env("SITE_ID"), "redirect_uri": env("SITE_URL") + "/callback", "state": flow["state"],
        "scope": "openid profile offline_access blog:add_post blog:delete_post", "code_challenge": challenge, "code_challenge_method": "S256"}))


def callback(request):
    flow = request.session.pop("flow", None)
    if not flow or not secrets.compare_digest(flow["state"], request.GET.get("state", "")):
        return HttpResponseBadRequest("state")
    tokens = ask("/oauth2/token", "SITE", grant_type="authorization_code", code=request.GET["code"],
                 redirect_uri=env("SITE_URL") + "/callback", code_verifier=flow["verifier"])
    # It came from Gatehouse itself (OpenID Connect Core §3.1.3.7, 6).
    body = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    login(request, authenticate(request, claims=claims))
    request.session["tokens"] = tokens
    return HttpResponseRedirect(flow["next"] if flow["next"].startswith("/") else "/")


@login_required
def drafts(request):
    return HttpResponse("drafts of " + request.user.username)


@decided_by_gatehouse
@permission_required("blog.add_post")
def add(request):
    return HttpResponse("added")


@decided_by_gatehouse
@permission_required("blog.delete_post", raise_exception=True)
def delete(request):
    return HttpResponse("deleted")


urlpatterns = [path("login", sign_in), path("callback", callback), path("drafts", drafts), path("add", add), path("delete", delete)]


def old():
    from django.contrib.auth.models import Group, Permission
    from django.contrib.contenttypes.models import ContentType

    post = ContentType.objects.create(app_label="blog", model="post")
    add_post, delete_post = (
        Permission.objects.create(codename=verb + "_post", name="Can " + verb + " post", content_type=post) for verb in ("add", "delete"))
    authors, visitors = (Group.objects.create(name=name) for name in ("Authors", "Visitors"))
    authors.permissions.add(add_post)
    people = get_user_model().objects
    people.create_user("ada", "ada@example.com", env("PASSWORD"), first_name="Ada").groups.add(authors)
    people.create_user("bob", "", env("PASSWORD")).groups.add(visitors)
    people.create_user("gone", "", env("PASSWORD"), is_active=False).groups.add(authors)
    people.create_user("barred", "", env("PASSWORD"), is_banned=True).groups.add(authors)
    people.create_user("clerk", is_staff=True)
    people.create_superuser("root")


if __name__ == "__main__":
    if sys.argv[1:] == ["old"]:
        old()
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
