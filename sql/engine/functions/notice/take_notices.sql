create or replace function imago.take_notices(most integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  taken jsonb;
begin
  if most is null or most not between 1 and 1000 then
    perform imago.raise_error('IM015', 'most', coalesce(most::text, 'null'), '1 to 1000');
  end if;
  perform imago.expect_writable();
  with due as (
    select n.id from imago.notice n
    where n.way = 'driver' and n.sent_at is null and n.given_up_at is null and n.due_at <= clock_timestamp()
    order by n.id
    limit most
    for update skip locked
  ), held as (
    -- Who is killed with them keeps them from others for a minute.
    update imago.notice n set attempts = n.attempts + 1, due_at = clock_timestamp() + interval '1 minute'
    from due where n.id = due.id
    returning n as notice
  )
  select coalesce(jsonb_agg(imago.notice_json(h.notice) order by (h.notice).id), '[]') into taken from held h;
  return jsonb_build_object('notices', taken);
end
$$;
comment on function imago.take_notices(integer) is 'Notices for a driver of runs to send. They are taken for a minute; who has sent them says so (settle_notices).';
