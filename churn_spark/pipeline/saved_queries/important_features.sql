-- What the model of the newest backtest looks at most: share of all contributions to its scores.
select feature, meaning, unit, share, rank_low, rank_high
from ml.backtest_importance
where run_id = (
    select run_id from ml.backtest_runs
    order by number desc nulls last, date desc, run_id desc limit 1
  )
order by share desc
limit 20
