-- Events, users, sessions and songs of each day of the log.
select
  event_date,
  sum(n_events) as events,
  count(distinct user_id) as users,
  count(*) as sessions,
  sum(n_songs) as songs
from silver.session_days
where event_date in (select event_date from silver.log_dates where place = 'in the log')
group by event_date
order by event_date
