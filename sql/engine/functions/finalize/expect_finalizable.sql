create or replace function imago.expect_finalizable(plan imago.plan, pending text[] default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  reasons text;
  remedies text;
begin
  select string_agg(o.reason, '; ' order by o.n), string_agg(distinct o.remedy, ' ') into reasons, remedies
  from imago.finalize_obstacles(plan, pending) with ordinality o(kind, reason, remedy, n);
  if reasons is not null then
    perform imago.raise_error('IM038', plan.name, reasons, remedies);
  end if;
end
$$;
comment on function imago.expect_finalizable(imago.plan, text[]) is 'Refuses to finalize while anything is left to be moved or decided (IM038).';
