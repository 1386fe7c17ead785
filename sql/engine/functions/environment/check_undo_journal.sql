create or replace function imago.check_undo_journal(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', coalesce((
      select jsonb_agg(distinct jsonb_build_object('object', p.object, 'message', p.message, 'hint', p.hint)) from (
        select c.object, c.message, c.hint from imago.capture_problems(plan.name) c
        union all
        select l.relation || coalesce('.' || quote_ident(l.name), ''), l.reason,
          format('Put it back; or: select give_up_column(%s);', concat_ws(', ', quote_literal(plan.name), quote_literal(l.relation), quote_literal(l.name)))
        from imago.lost_columns(plan.name) l) p
      -- Once there is no way back, the app may drop what it likes.
      where plan.closed_at is null), '[]'),
    'facts', jsonb_build_object('undo_tables', (
      select count(*) from imago.plan_write w where w.plan = plan.name and w.captured_at is not null)))
$$;
comment on function imago.check_undo_journal(imago.plan) is 'Check: undo tables and capture triggers that are missing or do not fire.';
