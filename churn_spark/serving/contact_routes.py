"""The route that takes contacts: each row checked, kept for good, and answered for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Request, Response
from pydantic import ValidationError

from churn_spark.contracts.contact import Contact
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.interface import JSON, described_body, responses
from churn_spark.serving.json_rows import cut_rows
from churn_spark.serving.refusals import Responses, refusal
from churn_spark.serving.service import Service

MAX_CONTACTS: Final = 5000
_KEY_CHARS: Final = 200
_NAMELESS: Final = {
    "field": "user_id",
    "problem": "no pseudonym on the list of its date, and the service has no key to make one of a "
    "clear id",
    "found": "",
}
_BODY: Final = {
    JSON: {
        "type": "object",
        "properties": {
            "contacts": {
                "type": "array",
                "items": Contact.model_json_schema(),
                "minItems": 1,
                "maxItems": MAX_CONTACTS,
            }
        },
        "required": ["contacts"],
        "additionalProperties": False,
    }
}
_ANSWERS: Final[Responses] = {
    **responses(
        {
            "n_received": {"type": "integer"},
            "n_kept": {"type": "integer"},
            "n_rejected": {"type": "integer"},
            "rows": {
                "type": "array",
                "description": "those rejected, by their position from 0, with their problems",
                "items": {"type": "object"},
            },
        }
    ),
    409: refusal("another batch has come under this `Idempotency-Key`"),
}


def add_contacts(app: FastAPI, service: Service, in_thread: Any) -> None:
    """Add the route; what writes files does so beside the loop that answers."""

    @app.post("/contacts", openapi_extra=described_body(_BODY), responses=_ANSWERS)
    async def contacts(
        request: Request,
        idempotency_key: Annotated[str, Header(max_length=_KEY_CHARS)] = "",
    ) -> Response:
        """Contacts with users of lists, to be kept; once answered they are on the disk.

        A row that doesn't fit is rejected with its problems, the others are kept. A batch that is
        sent again under its `Idempotency-Key` counts once, and without one if no other batch has
        come since. A contact that comes again by user, list date, time and channel replaces
        itself. They are in `ml/contacts` after the next night.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            # A page of another site may send a browser here with anything but this.
            raise RequestError(f"found another content-type, expected {JSON}", 415)
        body = await request.body()
        sender = request.scope["admission"].key.name

        def answer() -> bytes:
            kept, rejected = read_contacts(body, service)
            if not kept:
                raise RequestError("no row fits: see the problems of each", 422, rejected)
            service.contacts.keep(kept, sender, idempotency_key)
            counts = {"n_received": len(kept) + len(rejected), "n_kept": len(kept)}
            return json.dumps({**counts, "n_rejected": len(rejected), "rows": rejected}).encode()

        return Response(await in_thread(answer), media_type=JSON)


def read_contacts(body: bytes, service: Service) -> tuple[list[Contact], list[dict[str, Any]]]:
    """The contacts of a body with the ids of the tables, and what is wrong with the other rows.

    Raises:
        RequestError: if it is no such JSON, or has no or too many rows; with status 503 if the
            tables have pseudonyms, and there is no list yet.
    """
    cut = cut_rows(body, "contacts", MAX_CONTACTS, service.config.serving.max_row_bytes)
    if cut is None or not cut.rows or cut.others:
        text = 'found something else than contacts, expected {"contacts": [{...}, ...]}'
        raise RequestError(text, 422)
    valid: dict[int, Contact] = {}
    rejected: dict[int, Sequence[Mapping[str, object]]] = {}
    for position, row in enumerate(cut.rows):
        try:
            valid[position] = Contact.model_validate_json(row)
        except ValidationError as error:
            rejected[position] = contract.problems_of(error, unknown="no such field")
    if service.config.privacy.pseudonymise:
        valid, nameless = _with_pseudonyms(valid, service)
        rejected |= {row: [_NAMELESS] for row in nameless}
    told = [{"row": one, "problems": problems} for one, problems in sorted(rejected.items())]
    return [*valid.values()], told


def _with_pseudonyms(
    contacts: Mapping[int, Contact], service: Service
) -> tuple[dict[int, Contact], list[int]]:
    """The contacts under pseudonyms, and the rows for which the service can't make one.

    An id that stands on the list as it is, is a pseudonym, and any other is a clear one, whatever
    it looks like: a clear id must not be kept.

    Raises:
        RequestError: while there is no list, with status 503.
    """
    service.lists.current()
    by_date: dict[date, set[str]] = defaultdict(set)
    for one in contacts.values():
        by_date[one.list_date].add(one.user_id)
    listed = {day: service.lists.find_ids(day, ids) for day, ids in by_date.items()}
    kept, nameless = {}, []
    for row, one in contacts.items():
        is_listed = one.user_id in listed[one.list_date]
        stored = one.user_id if is_listed else service.pseudonym(one.user_id)
        if stored is None:
            nameless.append(row)
        else:
            kept[row] = one.model_copy(update={"user_id": stored})
    return kept, nameless
