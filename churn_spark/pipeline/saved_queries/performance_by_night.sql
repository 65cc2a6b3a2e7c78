-- How good the model was on each window whose labels are known, with 95 % intervals.
select run_date, model_version, window_start, window_end, metric, value, low, high, n_positive
from monitoring.performance
where basis = 'labels' and slice = 'all'
order by run_date desc, metric
