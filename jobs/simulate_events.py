"""Simulate the event log of a music service, with the truth about who cancels.

Writes `OUT/events/YYYY-MM-DD/*.json`, `OUT/truth/` and, to go on from, `OUT/world/`. Worlds of up
to 8,192 users need no JVM; larger ones Spark, and an OUT that all machines see.
"""

from __future__ import annotations

import typer

from churn_spark.pipeline import simulate
from churn_spark.simulate.settings import SimulationSettings
from jobs import _simulation_options as of_world
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption
from jobs._simulation_settings import refuse_other_options, settings_of

app = new_app()
DEFAULTS = SimulationSettings()
OFFERS = [str(offer) for offer in DEFAULTS.offers]


@app.command()
def main(
    ctx: typer.Context,
    out: of_world.Out,
    users: of_world.Users = DEFAULTS.users,
    start: of_world.Start = DEFAULTS.start,
    days: of_world.Days = DEFAULTS.days,
    continue_from: of_world.From = None,
    contacts: of_world.Contacts = None,
    seed: of_world.Seed = DEFAULTS.seed,
    regime: of_world.Regime = DEFAULTS.regime,
    growth: of_world.Growth = DEFAULTS.growth,
    persona_mix: of_world.PersonaMix = DEFAULTS.persona_mix,
    drift: of_world.Drift = DEFAULTS.drift,
    drift_date: of_world.DriftDate = DEFAULTS.drift_date,
    drift_factor: of_world.DriftFactor = DEFAULTS.drift_factor,
    style: of_world.Style = DEFAULTS.style,
    files_a_day: of_world.FilesADay = DEFAULTS.files_a_day,
    is_compressed: of_world.Gzip = False,
    dirty_share: of_world.DirtyShare = DEFAULTS.dirty_share,
    offers: of_world.Offers = OFFERS,
    saved_share: of_world.SavedShare = DEFAULTS.saved_share,
    lost_share: of_world.LostShare = DEFAULTS.lost_share,
    dog_share: of_world.DogShare = DEFAULTS.dog_share,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Simulate an event log: JSON lines by day, and the ground truth as Parquet."""
    if continue_from is None:
        simulate.run(out, settings_of(ctx), env, overrides)
    else:
        refuse_other_options(ctx)
        simulate.run_on(out, continue_from, days, contacts, env, overrides)


if __name__ == "__main__":
    run_app(app)
