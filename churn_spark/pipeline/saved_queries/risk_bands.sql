-- How many users were at high, medium and low risk on each night, and what was at stake.
select
  as_of,
  risk_band,
  count(*) as users,
  avg(churn_probability) as mean_probability,
  sum(value_at_risk) as value_at_risk
from ml.scores
group by as_of, risk_band
order by as_of desc, mean_probability desc
