-- Alerts of the newest night that have not ended: how grave, since when, and what they say.
select severity, opened, sentence
from monitoring.alerts
where resolved is null and run_date = (select max(run_date) from monitoring.alerts)
order by case severity when 'critical' then 0 when 'warning' then 1 else 2 end, opened, sentence
