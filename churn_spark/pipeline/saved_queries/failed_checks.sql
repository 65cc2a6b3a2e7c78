-- Checks of the data that did not pass, the newest night first: what was found and expected.
select run_date, name, sentence
from monitoring.data_checks
where not passed
order by run_date desc, name
