-- Features that have moved on the newest night, the ones with the most weight in the model first.
select feature, coalesce(ks_statistic, total_variation) as distance, direction, importance
from monitoring.drift
where is_breached and not is_trending and comparison = 'training' and slice = 'all'
  and run_date = (select max(run_date) from monitoring.drift)
order by importance desc nulls last, feature
