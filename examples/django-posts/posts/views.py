"""Posts, kept in memory: reading takes any valid token, adding and deleting a permission."""

import itertools
import json

from django.http import HttpRequest, HttpResponse, JsonResponse

from gatehouse import login_required, permission_required

numbers = itertools.count(1)
kept: dict[int, dict] = {}


def posts(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return add(request)
    if request.method in ("GET", "HEAD"):
        return show_all(request)
    return JsonResponse({"error": "method_not_allowed"}, status=405, headers={"Allow": "GET, HEAD, POST"})


def post(request: HttpRequest, number: int) -> HttpResponse:
    if request.method == "DELETE":
        return remove(request, number)
    return JsonResponse({"error": "method_not_allowed"}, status=405, headers={"Allow": "DELETE"})


@login_required
def show_all(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"posts": list(kept.values())})


@permission_required("posts:add")
def add(request: HttpRequest) -> HttpResponse:
    try:
        draft = json.loads(request.body)
        title, body = draft["title"], draft["body"]
        if not (isinstance(title, str) and isinstance(body, str) and 0 < len(title) <= 200 and len(body) <= 10_000):
            raise ValueError("title or body")
    except (ValueError, KeyError, TypeError, RecursionError):
        return JsonResponse({"error": "invalid_post"}, status=400)
    if len(kept) >= 1000:
        return JsonResponse({"error": "full"}, status=507)
    number = next(numbers)
    kept[number] = {"id": number, "title": title, "body": body, "author": request.token.subject}
    return JsonResponse(kept[number], status=201)


@permission_required("posts:delete", stale="deny")
def remove(request: HttpRequest, number: int) -> HttpResponse:
    if kept.pop(number, None) is None:
        return JsonResponse({"error": "not_found"}, status=404)
    return HttpResponse(status=204)
