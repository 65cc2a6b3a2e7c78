"""What all jobs have in common: they are opened, locked, repeated for dates and ended in one place.

A job is a function of its context and of its own options. The options that jobs share are added to
its command line here; one that has a `date` is done for each date that is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import wraps
from inspect import Parameter
from typing import Any, Final

import typer

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import JobContext, open_job
from jobs._dates import choose_dates
from jobs._options import (
    EnvOption,
    FromOption,
    MappingOption,
    OptionalDateOption,
    PlanOption,
    SetOption,
    ToOption,
    WaitOption,
    with_mapping,
)

Body = Callable[..., ExitCode | None]
"""Takes the context and the job's own options by name; gives how it ended, where not just done."""

_CONTEXT: Final = "context"
_DATE: Final = "date"
_DATES: Final = (_DATE, "first", "last")
_KEYWORD: Final = Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class Job:
    """A job, as its command line is made of it.

    Attributes:
        name: of the job.
        body: what it does.
        writes: to the lakehouse, and so one at a time.
        in_order: each of its dates stands on those before.
    """

    name: str
    body: Body
    writes: bool
    in_order: bool

    @property
    def own(self) -> Mapping[str, Parameter]:
        """The options that it doesn't share."""
        declared = inspect.signature(self.body, eval_str=True).parameters
        return {name: one for name, one in declared.items() if name != _CONTEXT}

    @property
    def options(self) -> list[Parameter]:
        """All its options, in the order in which its help names them."""
        own = {name: one.replace(kind=_KEYWORD) for name, one in self.own.items()}
        if _DATE in own:
            dates = (OptionalDateOption, FromOption, ToOption)
            named = zip(_DATES, dates, strict=True)
            own |= {name: _option(name, annotation, None) for name, annotation in named}
        if "events" in own:
            own["mapping"] = _option("mapping", MappingOption, None)
        shared = [_option("env", EnvOption, "local"), _option("overrides", SetOption, None)]
        if self.writes:
            shared.append(_option("wait", WaitOption, 0.0))
            shared.append(_option("plan", PlanOption, False))
        return [*own.values(), *shared]

    def run(self, values: dict[str, Any]) -> None:
        """Do it, as the command line says.

        Raises:
            typer.Exit: if there is more to say than that all is done.
        """
        env = values.pop("env")
        overrides = with_mapping(values.pop("overrides"), values.pop("mapping", None))
        wait, is_plan = values.pop("wait", 0.0), values.pop("plan", False)
        dates = self._take_dates(values)
        with open_job(
            self.name,
            env,
            overrides,
            dates[0] if dates else None,
            wait_minutes=wait,
            writes=self.writes and not is_plan,
            is_kept=not is_plan,
            events=values.get("events"),
        ) as context:
            code = None
            if is_plan:
                self._say_plan(context, dates, values)
            else:
                code = self._do(context, dates, values)
        # After the run was written down: that it says more than done is no error of it.
        if code:
            raise typer.Exit(code)

    def _do(
        self, context: JobContext, dates: list[date], values: dict[str, Any]
    ) -> ExitCode | None:
        if len(dates) > 1:
            return self._do_dates(context, dates, values)
        if _DATE in self.own:
            values = values | {_DATE: dates[0] if dates else None}
        if code := self.body(context, **values):
            from churn_spark.pipeline.run_record import note_code

            note_code(code)
        return code

    def _say_plan(self, context: JobContext, dates: list[date], values: dict[str, Any]) -> None:
        from churn_spark.pipeline.plan import say_plan
        from churn_spark.pipeline.planner import Planner

        planner = Planner(context.lakehouse, context.config, values)
        say_plan(planner, self.name, dates or [None])

    def _take_dates(self, values: dict[str, Any]) -> list[date]:
        """The dates that are asked for; none where none is named, or the job has no date."""
        if _DATE not in self.own:
            return []
        named = [values.pop(name) for name in _DATES]
        is_required = self.own[_DATE].default is Parameter.empty
        return choose_dates(*named, is_required=is_required, in_order=self.in_order)

    def _do_dates(self, context: JobContext, dates: list[date], values: dict[str, Any]) -> ExitCode:
        from churn_spark.pipeline import backfill

        lakehouse = context.lakehouse
        settings = f"{values} {context.config.model_dump_json(exclude={'spark', 'lock'})}"
        return backfill.run(
            lakehouse,
            self.name,
            dates,
            settings,
            lambda day: self.body(context, **{_DATE: day}, **values),
            is_noted=self.writes,
        )


def job(
    app: typer.Typer, name: str, *, writes: bool = True, in_order: bool = False
) -> Callable[[Body], Body]:
    """Make a function the command of an application.

    Args:
        app: the application.
        name: of the job.
        writes: to the lakehouse, and so one at a time.
        in_order: each of its dates stands on those before.
    """

    def make_command(body: Body) -> Body:
        made = Job(name, body, writes, in_order)

        @wraps(body)
        def command(**values: Any) -> None:
            made.run(values)

        # What Typer makes the command line of.
        described: Any = command
        described.__signature__ = inspect.Signature(made.options)
        described.__annotations__ = {one.name: one.annotation for one in made.options}
        app.command()(described)
        return body

    return make_command


def _option(name: str, annotation: Any, default: object) -> Parameter:
    return Parameter(name, _KEYWORD, default=default, annotation=annotation)
