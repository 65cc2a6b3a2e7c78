-- The newest list of users to call, no row if it has nobody: rank, probability, since when they are on it, and why.
select list_rank, user_id, churn_probability, value_at_risk, days_on_list, reasons
from ml.retention_lists
where as_of = (
    select max(as_of)
    from (select as_of from ml.retention_lists union all select as_of from ml.built_lists)
  )
  and list_rank is not null
order by list_rank
