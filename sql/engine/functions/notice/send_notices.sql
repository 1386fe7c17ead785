create or replace function imago.send_notices()
returns void
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  notice imago.notice;
begin
  if current_setting('transaction_read_only') = 'on' then
    return;
  end if;
  for notice in
    select n.* from imago.notice n
    where n.sent_at is null and n.given_up_at is null and n.way in ('net', 'realtime') and n.due_at <= clock_timestamp()
    order by n.id
    limit 20
    for update skip locked
  loop
    perform imago.send_notice(notice);
  end loop;
end
$$;
comment on function imago.send_notices() is 'Sends what is due by pg_net or Realtime, and sees whether what was sent has arrived.';
