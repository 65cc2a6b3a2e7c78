-- Rejected lines by reason: how many, in how many files, and when the last one came.
select
  reason,
  count(*) as lines,
  count(distinct source_file) as files,
  max(rejected_date) as last_rejected
from bronze.quarantine
group by reason
order by lines desc
