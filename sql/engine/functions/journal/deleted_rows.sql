create or replace function imago.deleted_rows(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select jsonb_object_agg(c.relation, jsonb_build_object('inserted', c.inserted, 'deleted', c.deleted))
    from imago.write_counters(array(
      select w.relation from imago.plan_write w where w.plan = deleted_rows.plan and w.captured_at is not null)) c);
end
$$;
comment on function imago.deleted_rows(text) is 'By declared relation: rows inserted and deleted in this transaction so far, as the server counts them. Take differences.';
