"""What people do with the HTTP API, as calls of its functions, for the tests of their roles."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from imagewatch.aws import cursor_secret, hourly_links, sign_in
from imagewatch.services import image_deletion
from tests.api_events import SUB, api_event, claims

from .conftest import Event, sample_event
from .recorded_calls import Account

PERSON, OPERATOR = claims(SUB), claims("0b0b0b0b-7c4b-4d0f-9a53-0d3f2a1b6c7d", "operators")
RULE = {"RuleId": "api-rule", "Name": "By the API", "AnyOf": [{"Term": "person"}]}


def ask(
    account: Account,
    name: str,
    method: str,
    path: str,
    query: Any = (),
    body: Any = None,
    user: Event = OPERATOR,
    status: int = 200,
) -> Any:
    """The body of the answer of the function Api<name>."""
    cursor_secret.read.cache_clear()
    hourly_links.forget_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_deletion, "CONCURRENT", 1)  # the recorder records one request after another
        answer = account.run(f"Api{name}", api_event(method, path, query, body, user))
    assert answer["statusCode"] == status, answer
    is_json = answer["headers"]["Content-Type"].endswith("json")
    return json.loads(answer["body"]) if is_json else answer["body"]


def analysed(account: Account, key: str) -> Event:
    """An image with findings and an annotated picture."""
    image = account.announce(account.upload(key))
    account.task("ValidateImage", image)
    account.task("StoreAnalysis", image)
    (rule,) = sample_event("send_alert")["Rules"]
    urgent = {"Severity": "critical", "BypassQuietHours": True}  # waits for the channel's slot
    rule = {**rule, **urgent, "RuleId": "api-picture", "Channels": ["ops"]}
    assert account.task("SendAlert", image, Rules=[rule])["Sent"] == 1
    assert account.follow_picture_links("SendAlert") == 1
    return image


def a_person_uploads_an_image(account: Account) -> None:
    content = b"a picture"
    file = {"Name": "a.jpg", "Size": 9, "ContentType": "image/jpeg", "Sha256": hashlib.sha256(content).hexdigest()}
    (upload,) = ask(account, "Uploads", "POST", "/uploads", body={"Files": [file]}, user=PERSON)["Uploads"]
    account.use_form("ApiUploads", upload["Form"])
    ask(account, "Uploads", "GET", "/uploads", {"id": [upload["ImageId"]]}, user=PERSON)


def images_are_searched_shown_and_deleted(account: Account) -> None:
    images = [analysed(account, key) for key in ("uploads/api/a.jpg", f"people/{SUB}/aa/b.jpg")]
    ask(account, "Images", "GET", "/images", {"q": "person", "limit": 1})
    ask(account, "Images", "GET", "/images/days")
    for image in images:
        links = ask(account, "Images", "GET", f"/images/{image['ImageId']}")["Links"]
        account.follow("ApiImages", links["Original"], links["Thumbnail"], *(one["Url"] for one in links["Annotated"]))
        ask(account, "Images", "GET", f"/images/{image['ImageId']}/trace")
        ask(account, "Images", "POST", f"/images/{image['ImageId']}/reanalyze", status=202)
    place = {"Bucket": images[0]["Bucket"], "Key": images[0]["Key"]}
    account.client("s3").delete_object(**place, VersionId=images[0]["VersionId"])  # moto can't delete the marker of a removal
    account.task("StoreAnalysis", images[0])
    ask(account, "Images", "POST", f"/images/{images[0]['ImageId']}/reanalyze", status=409)
    deleted = ask(account, "Images", "DELETE", "/images", {"id": [image["ImageId"] for image in images]})["Deleted"]
    assert len(deleted) == 2


def labels_are_listed(account: Account) -> None:
    ask(account, "Labels", "GET", "/labels", user=PERSON)


def the_watchlist_is_edited(account: Account) -> None:
    analysed(account, "uploads/api/preview.jpg")
    created = ask(account, "Watchlist", "POST", "/watchlist", body=RULE, status=201)
    ask(account, "Watchlist", "GET", "/watchlist")
    ask(account, "Watchlist", "PUT", "/watchlist/api-rule", body=created)
    assert ask(account, "Watchlist", "POST", "/watchlist/preview", body={"Rule": RULE})["Examined"]
    ask(account, "Watchlist", "DELETE", "/watchlist/api-rule", {"version": 2})


def alerts_are_listed_and_acknowledged(account: Account) -> None:
    (first, *_) = ask(account, "Alerts", "GET", "/alerts")["Alerts"]
    ask(account, "Alerts", "GET", "/alerts", {"rule_id": first["RuleId"]})
    ask(account, "Alerts", "POST", f"/alerts/{first['AlertId']}/acknowledge")


def a_channel_is_tested(account: Account) -> None:
    ask(account, "Channels", "GET", "/channels")
    ask(account, "Channels", "POST", "/channels/email/test")


def statistics_are_shown(account: Account) -> None:
    ask(account, "Stats", "GET", "/stats")


def images_are_exported(account: Account) -> None:
    for number in range(2):
        account.task("StoreAnalysis", account.announce(account.upload(f"uploads/api/export-{number}.jpg")))
    assert "ImageId" in ask(account, "Export", "GET", "/export", {"q": "person", "limit": 1})


def a_person_deletes_their_account(account: Account) -> None:
    analysed(account, f"people/{SUB}/cc/c.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sign_in, "delete_user", lambda token: None)  # needs no permission
        assert ask(account, "Me", "DELETE", "/me", user=PERSON)["Done"]


def a_request_matches_no_route(account: Account) -> None:
    ask(account, "Root", "GET", "/nothing", status=404)


API_SCENARIOS = (
    a_person_uploads_an_image,
    images_are_searched_shown_and_deleted,
    labels_are_listed,
    the_watchlist_is_edited,
    alerts_are_listed_and_acknowledged,
    a_channel_is_tested,
    statistics_are_shown,
    images_are_exported,
    a_person_deletes_their_account,
    a_request_matches_no_route,
)
