-- Events, users, sessions and songs of each day of the log.
select
  event_date,
  sum(n_events) as events,
  count(distinct user_id) as users,
  count(*) as sessions,
  sum(n_songs) as songs
from silver.session_days
group by event_date
order by event_date
