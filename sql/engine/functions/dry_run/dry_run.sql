create or replace function imago.dry_run(plan_name text, mode text, batch_size integer, max_ms integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  problems jsonb;
  notices jsonb;
  result jsonb;
begin
  perform imago.expect_size(batch_size, max_ms);
  if coalesce(mode, '') not in ('sample', 'full', 'preflight') then
    perform imago.raise_error('IM015', 'mode', coalesce(mode, 'null'), 'sample, full or preflight');
  end if;
  select coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity <> 'notice'), '[]'),
    coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity = 'notice'), '[]')
  into problems, notices from imago.preflight(plan) p;
  if mode = 'preflight' then
    return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'mode', mode, 'dry_run', true, 'status', 'done', 'has_more', false,
      'problems', problems, 'notices', notices);
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  perform imago.expect_no_problems(plan_name, problems);

  begin
    result := imago.rehearse(plan_name, mode, batch_size, max_ms);
    raise exception using errcode = 'IMDRY', message = 'taken back';
  exception
    when sqlstate 'IMDRY' then null;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.raise_error('IM018');
  end;
  if result -> 'undeclared' <> '[]' then
    perform imago.raise_error('IM014', plan_name, (select string_agg(u, ', ') from jsonb_array_elements_text(result -> 'undeclared') u));
  end if;
  return result - 'found' || imago.plan_words(plan) || jsonb_build_object('problems', problems || (result -> 'found'), 'notices', notices);
end
$$;
comment on function imago.dry_run(text, text, integer, integer) is 'Rehearses a plan in a subtransaction and takes it back; leaves no rows (sequence gaps and dead tuples it does leave).';
