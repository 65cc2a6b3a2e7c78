"""The route that takes contacts: each row checked, kept for good, and answered for."""

from __future__ import annotations

import json
import re
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
_PSEUDONYM: Final = re.compile("[0-9a-f]{32}")
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
        RequestError: if it is no such JSON, or has no or too many rows.
    """
    cut = cut_rows(body, "contacts", MAX_CONTACTS, service.config.serving.max_row_bytes)
    if cut is None or not cut.rows or cut.others:
        text = 'found something else than contacts, expected {"contacts": [{...}, ...]}'
        raise RequestError(text, 422)
    kept, rejected = [], []
    for position, row in enumerate(cut.rows):
        try:
            one = Contact.model_validate_json(row)
            kept.append(one.model_copy(update={"user_id": _stored_id(one.user_id, service)}))
        except ValidationError as error:
            problems = contract.problems_of(error, unknown="no such field")
            rejected.append({"row": position, "problems": problems})
        except LookupError as error:
            problem = {"field": "user_id", "problem": str(error), "found": ""}
            rejected.append({"row": position, "problems": [problem]})
    return kept, rejected


def _stored_id(user_id: str, service: Service) -> str:
    """The id by which the tables know a user.

    Raises:
        LookupError: if they have pseudonyms, and the service can't make one: a clear id must not
            be kept.
    """
    stored = service.id_in_tables(user_id)
    if service.config.privacy.pseudonymise and not _PSEUDONYM.fullmatch(stored):
        raise LookupError("a clear id, and the service has no key to make a pseudonym of it")
    return stored
