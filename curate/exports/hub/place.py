"""A data set on the Hugging Face hub: its address, what is in it, and its errors in the user's terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, why_of
from curate.exports.disk.folder import is_inner
from curate.files.urls import redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SCHEME = "hf://"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}"
_FORM = re.compile(rf"hf://datasets/(?P<repository>{_NAME}/{_NAME})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9_.-]*))?/?")
_TOKEN = re.compile(r"\bhf_\w{4,}|\bapi_org_\w{4,}|(?<=[Bb]earer )\S+")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set.

    Attributes:
        size: In bytes.
        sha256: In hex, of a large file; empty of others.
        blob: Its git object id.
    """

    size: int
    sha256: str
    blob: str


@dataclass(frozen=True)
class HubPlace:
    """A data set on the hub.

    Attributes:
        repository: ``owner/name``.
        revision: Branch, tag or commit; empty for the main branch.
        endpoint: Address of another hub; empty for the public one.
    """

    repository: str
    revision: str = ""
    endpoint: str = ""

    @classmethod
    def parse(cls, url: str) -> HubPlace:
        """Read ``hf://datasets/OWNER/NAME`` or ``...@REVISION``; the endpoint is that of ``HF_ENDPOINT``.

        Raises:
            CurateError: It is no such address.
        """
        found = _FORM.fullmatch(url)
        if found is None or ".." in url:
            raise CurateError(f"{scrub(url)!r} is no data set of the hub: write hf://datasets/OWNER/NAME")
        return cls(found["repository"], found["revision"] or "", os.environ.get("HF_ENDPOINT") or "")

    @property
    def shown(self) -> str:
        """The address, for people."""
        return f"{SCHEME}datasets/{self.repository}" + (f"@{self.revision}" if self.revision else "")

    def api(self) -> HfApi:
        """A client with the token of the environment (``HF_TOKEN``) or of ``hf auth login``."""
        import huggingface_hub

        return huggingface_hub.HfApi(endpoint=self.endpoint or None)

    def files(self, api: HfApi, revision: str) -> dict[str, RemoteFile]:
        """The files of a commit, by path; those whose path leads elsewhere are not named."""
        from huggingface_hub.hf_api import RepoFile

        listed = api.list_repo_tree(self.repository, recursive=True, revision=revision, repo_type="dataset")
        return {
            one.path: RemoteFile(one.size, one.lfs.sha256 if one.lfs else "", one.blob_id)
            for one in listed
            if isinstance(one, RepoFile) and is_inner(one.path)
        }

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of the library into words; the library's bars are not shown meanwhile.

        Raises:
            CurateError: In place of whatever the library raises.
        """
        from huggingface_hub import errors
        from huggingface_hub.utils import (
            are_progress_bars_disabled,
            disable_progress_bars,
            enable_progress_bars,
        )

        shown = not are_progress_bars_disabled()
        disable_progress_bars()
        try:
            yield
        except CurateError:
            raise
        except errors.GatedRepoError as error:
            raise self._trouble("open only to those its owner lets in: ask on its page, then set HF_TOKEN") from error
        except errors.RepositoryNotFoundError as error:
            raise self._trouble("not on the hub, or private and your token does not reach it: set HF_TOKEN") from error
        except errors.RevisionNotFoundError as error:
            raise self._trouble(f"without the revision {self.revision}") from error
        except errors.HfHubHTTPError as error:
            status = getattr(error.response, "status_code", 0)
            raise self._trouble(_STATUS.get(status, "in trouble"), error) from error
        except Exception as error:  # the library changes its transport, and with it the errors, from version to version
            if isinstance(error, OSError) and error.filename:
                raise
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise self._trouble("out of reach", cause) from error
        finally:
            if shown:
                enable_progress_bars()

    def _trouble(self, what: str, error: Exception | None = None) -> CurateError:
        said = f" ({scrub(' '.join(why_of(error).split()))[:300]})" if error is not None else ""
        again = "; what was sent or fetched so far is kept, run the same command again" if error is not None else ""
        return CurateError(f"{self.shown} is {what}{said}{again}")


_STATUS: Mapping[int, str] = {
    401: "not open to you: set HF_TOKEN to a token that may write there",
    403: "not yours to change: your token lacks the right; make one that may write there",
    409: "being changed by someone else",
    429: "asking for patience: too many requests",
}


def scrub(text: Any) -> str:
    """A text without tokens and without secrets in its addresses."""
    return _TOKEN.sub("<hidden>", redact(str(text)))
