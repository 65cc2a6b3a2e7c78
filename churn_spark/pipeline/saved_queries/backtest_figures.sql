-- The newest backtest's figures on dates and users that no model had seen, with 95 % intervals.
select model, metric, value, low, high, n, n_positive
from ml.backtest_figures
where cell = 'both' and segment = 'all' and versus = ''
  and run_id = (
    select run_id from ml.backtest_runs
    order by number desc nulls last, date desc, run_id desc limit 1
  )
order by metric, value desc
