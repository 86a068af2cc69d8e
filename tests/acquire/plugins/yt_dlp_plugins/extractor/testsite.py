"""A site that does not exist: says what its URLs tell it to say, with yt-dlp's own means."""

import json
import urllib.parse

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UserNotLive


class _Response:
    def __init__(self, status):
        self.status, self.reason = status, "Reason"

    def close(self):
        pass


class TestSiteIE(InfoExtractor):
    _VALID_URL = r"https?://site\.test/(?P<id>[^?]*)\?(?P<says>.*)"

    def _real_extract(self, url):
        found = self._match_valid_url(url)
        says = json.loads(urllib.parse.unquote(found["says"]))
        text = says.get("text", "")
        match says["kind"]:
            case "info":
                return {"id": found["id"] or "x", "title": "t", **says["info"]}
            case "said":
                self.raise_no_formats(text, expected=True, video_id=found["id"])
            case "geo":
                self.raise_geo_restricted(text, countries=["CH"])
            case "geo-plain":
                raise GeoRestrictedError("not here")
            case "login":
                self.raise_login_required(text)
            case "not-live":
                raise UserNotLive(video_id=found["id"])
            case "http":
                cause = HTTPError(_Response(says["status"]))
                raise ExtractorError(f"Unable to download API page: {cause}", cause=cause, expected=True)
            case "transport":
                cause = TransportError("[Errno 104] Connection reset by peer")
                raise ExtractorError(f"Unable to download API page: {cause}", cause=cause)
            case "bare-transport":
                raise TransportError("timed out")
            case "incomplete":
                raise IncompleteRead(partial=10, expected=20)
            case "short":
                raise ContentTooShortError(10, 20)
            case "disk":
                with open("/dev/full", "wb", buffering=0) as full:
                    full.write(b"x")
            case "bug":
                raise KeyError("streamingData")
        raise ExtractorError(text)
