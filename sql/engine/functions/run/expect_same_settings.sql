create or replace function imago.expect_same_settings(run imago.run, backup boolean, max_failures text, on_failure text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if backup <> run.backup then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'backup', run.backup::text, backup::text);
  end if;
  if max_failures is not null and max_failures is distinct from run.max_failures then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'max_failures', coalesce(run.max_failures, 'null'), max_failures);
  end if;
  if on_failure <> run.on_failure then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'on_failure', run.on_failure, on_failure);
  end if;
end
$$;
comment on function imago.expect_same_settings(imago.run, boolean, text, text) is 'Refuses a call that contradicts what the call that created the run has fixed (IM007). One that says nothing goes on with it.';
