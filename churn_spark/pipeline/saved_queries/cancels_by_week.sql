-- Users who cancelled in each week of the log, beside those who were active in it.
select
  cast(date_trunc('week', event_date) as date) as week_from,
  count(distinct user_id) as active_users,
  count(distinct case when cancel_ts is not null then user_id end) as cancels,
  round(
    100.0 * count(distinct case when cancel_ts is not null then user_id end)
      / count(distinct user_id), 1
  ) as cancels_percent
from silver.session_days
where event_date in (select event_date from silver.log_dates where place = 'in the log')
group by 1
order by 1
