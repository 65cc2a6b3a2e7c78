-- The runs of jobs that took longest: when, for which date, how long, and how they ended.
select started_ts, job, date, seconds, cpu_seconds, exit_code, error
from monitoring.runs
order by seconds desc
limit 20
