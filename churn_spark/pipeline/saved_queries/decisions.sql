-- What each night decided about the model, by which rule and why, the newest first.
select run_date, sequence, kind, rule, reason
from monitoring.decisions
order by run_date desc, sequence desc
