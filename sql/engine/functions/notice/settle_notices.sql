create or replace function imago.settle_notices(sent bigint[], failed bigint[], outcome text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  settled integer;
  lost imago.notice;
begin
  perform imago.given('sent', sent::text);
  perform imago.given('failed', failed::text);
  perform imago.expect_writable();
  update imago.notice n set sent_at = clock_timestamp() where n.way = 'driver' and n.sent_at is null and n.id = any (sent);
  get diagnostics settled = row_count;
  for lost in
    update imago.notice n set
      outcome = left(settle_notices.outcome, 40),
      due_at = clock_timestamp() + interval '5 seconds' * 2 ^ least(n.attempts, 8),
      given_up_at = case when n.attempts >= 10 then clock_timestamp() end
    where n.way = 'driver' and n.sent_at is null and n.given_up_at is null and n.id = any (failed)
    returning n.*
  loop
    if lost.given_up_at is not null then
      perform imago.log_lost_notice(lost);
    end if;
  end loop;
  return jsonb_build_object('settled', settled);
end
$$;
comment on function imago.settle_notices(bigint[], bigint[], text) is 'A driver says which of the notices that it has taken were sent, and which were not; these come again later.';
