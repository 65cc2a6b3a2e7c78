"""A cluster of two workers with one core each, and nights that were lived there and locally."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_nights import LivedNights

from bench.standalone import StandaloneCluster, running_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandaloneCluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), n_workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def lived(cluster: StandaloneCluster, tmp_path_factory: pytest.TempPathFactory) -> LivedNights:
    """All nights; in the third one worker is killed, and another one takes its place after it."""
    nights = LivedNights(cluster, tmp_path_factory.mktemp("nights"))
    for night in nights.dates:
        kills = night == nights.dates[2]
        nights.live(night, kills)
        if kills:
            cluster.add_worker()
    return nights
